//! Volumes: images, loop devices that go away by themselves, and what is done to single bytes of them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use blockhaul_tests::Result;
use blockhaul_tests::programs::find;

/// Where slot 0 of an archive with small blocks begins.
const SLOTS_AT_BYTES: u64 = 2 << 20;
const BLOCK_BYTES: u64 = 64 << 10;

/// A file of zeros.
pub fn blank(path: &Path, bytes: u64) -> Result<()> {
    File::create(path)
        .and_then(|file| file.set_len(bytes))
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Fingerprint of everything in a file.
pub fn hash(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(blake3::hash(&bytes).to_string())
}

/// Writes bytes somewhere into a file.
pub fn put(path: &Path, at: u64, bytes: &[u8]) -> Result<()> {
    let file = File::options().write(true).open(path);
    file.and_then(|file| {
        file.write_all_at(bytes, at)?;
        file.sync_all()
    })
    .map_err(|error| format!("{}: {error}", path.display()))
}

/// Turns one bit over.
pub fn flip(path: &Path, at: u64) -> Result<()> {
    let mut byte = [0];
    let read = File::open(path).and_then(|file| file.read_exact_at(&mut byte, at));
    read.map_err(|error| format!("{}: {error}", path.display()))?;
    put(path, at, &[byte[0] ^ 0x10])
}

/// Where the slot of a log sequence begins, in the first lap.
pub fn slot(log_sequence: u64) -> u64 {
    SLOTS_AT_BYTES + log_sequence * BLOCK_BYTES
}

/// Where the four superblock copies are.
pub fn superblocks(path: &Path) -> Result<[u64; 4]> {
    let end = std::fs::metadata(path).map_err(|error| error.to_string())?.len() / 4096 * 4096;
    Ok([1 << 20, 3 << 19, end - (2 << 20), end - (3 << 19)])
}

/// Runs a program of the system that must be there and succeed.
pub fn system(program: &str, arguments: &[&str]) -> Result<String> {
    let path = find(program).ok_or_else(|| format!("{program} is not there; `cargo ci` says which packages to install"))?;
    let output = Command::new(path)
        .args(arguments)
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(format!("`{program} {}` failed: {said}", arguments.join(" ")))
}

/// A loop device on an image. Detached by its name when this goes.
pub struct Loop {
    /// Path of the block device.
    pub device: PathBuf,
}

impl Loop {
    /// Attaches an image with direct I/O.
    pub fn attach(image: &Path) -> Result<Loop> {
        Loop::attach_as(image, "on", &[])
    }

    /// Attaches an image as a write-protected device.
    pub fn attach_protected(image: &Path) -> Result<Loop> {
        Loop::attach_as(image, "on", &["--read-only"])
    }

    /// Attaches a file that another process serves. Kernels lose concurrent writes of direct I/O on FUSE (seen on 6.18); the server's file is
    /// not cached anyway. A request is kept within one message to the server: of a longer one that fails half way, the loop driver says that
    /// it went well.
    pub fn attach_served(file: &Path) -> Result<Loop> {
        let attached = Loop::attach_as(file, "off", &[])?;
        let name = attached.device.file_name().unwrap_or_default().display().to_string();
        let limit = format!("/sys/block/{name}/queue/max_sectors_kb");
        std::fs::write(&limit, "512").map_err(|error| format!("{limit}: {error}"))?;
        Ok(attached)
    }

    fn attach_as(image: &Path, direct: &str, more: &[&str]) -> Result<Loop> {
        let image = image.display().to_string();
        let direct = format!("--direct-io={direct}");
        let words = [&["--find", "--show", &direct], more, &[&image]].concat();
        let device = system("losetup", &words);
        let device = device.map_err(|why| format!("{why}. Loop devices need root."))?;
        Ok(Loop { device: device.into() })
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = system("losetup", &["--detach", &self.device.display().to_string()]);
    }
}

/// A mounted file system. Unmounted when this goes.
pub struct Mount {
    folder: PathBuf,
}

impl Mount {
    /// Mounts for reading: nothing changes on the device by itself.
    pub fn read_only(device: &Path, folder: &Path) -> Result<Mount> {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        let (device, shown) = (device.display().to_string(), folder.display().to_string());
        system("mount", &["-o", "ro", &device, &shown])?;
        Ok(Mount { folder: folder.into() })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = system("umount", &[&self.folder.display().to_string()]);
    }
}
