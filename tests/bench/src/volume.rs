//! Volumes to measure with: loop devices on files in memory or on a disk, with direct I/O.
//!
//! Invariant: a device is detached and its file removed when the value goes.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use blockhaul_tests::Result;
use blockhaul_tests::programs::target_folder;
use tempfile::TempDir;

/// What is behind the volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Medium {
    /// A file system in memory: the disk costs nothing but the copy.
    Memory,
    /// The disk that the build folder is on.
    Disk,
}

impl Medium {
    /// For tables.
    pub fn word(self) -> &'static str {
        match self {
            Medium::Memory => "memory",
            Medium::Disk => "disk",
        }
    }

    /// A folder on it that goes away.
    pub fn folder(self) -> Result<TempDir> {
        let beside = match self {
            Medium::Memory => PathBuf::from("/dev/shm"),
            Medium::Disk => target_folder()?,
        };
        TempDir::with_prefix_in("bench-", &beside).map_err(|error| format!("no folder in {}: {error}", beside.display()))
    }
}

/// A loop device.
pub struct Volume {
    file: PathBuf,
    device: PathBuf,
    size_bytes: u64,
}

impl Volume {
    /// A device of that size whose blocks are allocated.
    pub fn new(folder: &Path, name: &str, size_bytes: u64) -> Result<Volume> {
        let volume = Volume::attach(folder, name, size_bytes)?;
        volume.clear()?;
        Ok(volume)
    }

    /// A device of that size that takes room only where it is written.
    pub fn sparse(folder: &Path, name: &str, size_bytes: u64) -> Result<Volume> {
        Volume::attach(folder, name, size_bytes)
    }

    fn attach(folder: &Path, name: &str, size_bytes: u64) -> Result<Volume> {
        let file = folder.join(name);
        let made = File::create(&file).and_then(|made| made.set_len(size_bytes));
        made.map_err(|error| format!("{} cannot be made: {error}", file.display()))?;
        let mut losetup = Command::new("losetup");
        losetup.args(["--find", "--show", "--direct-io=on"]).arg(&file);
        let output = losetup.output().map_err(|error| format!("losetup cannot be run: {error}"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(format!("no loop device for {}: {said}; this needs root", file.display()));
        }
        let device = String::from_utf8_lossy(&output.stdout).trim().into();
        Ok(Volume {
            file,
            device,
            size_bytes,
        })
    }

    /// Its node.
    pub fn device(&self) -> &Path {
        &self.device
    }

    /// Writes zeros over all of it, behind the device's back: nothing of an earlier run is left, and every page is there.
    pub fn clear(&self) -> Result<()> {
        let zeros = vec![0; 4 << 20];
        let written = File::options().write(true).open(&self.file).and_then(|mut file| {
            for _ in 0..self.size_bytes.div_ceil(zeros.len() as u64) {
                file.write_all(&zeros)?;
            }
            file.set_len(self.size_bytes)?;
            file.sync_all()
        });
        written.map_err(|error| format!("{} cannot be cleared: {error}", self.file.display()))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // What cannot be detached stays visible in `losetup --list`; nothing else depends on it.
        let _ = Command::new("losetup").arg("--detach").arg(&self.device).status();
        let _ = fs::remove_file(&self.file);
    }
}
