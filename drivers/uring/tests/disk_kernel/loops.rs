//! Loop devices and mounts that are taken down when dropped.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// A block device on a file of its own.
pub struct Loop {
    pub path: PathBuf,
    pub backing: PathBuf,
    _folder: TempDir,
}

impl Loop {
    pub fn new(size_bytes: u64, sector_bytes: u32) -> Loop {
        Loop::with(size_bytes, sector_bytes, &[])
    }

    pub fn with(size_bytes: u64, sector_bytes: u32, options: &[&str]) -> Loop {
        assert!(
            Path::new("/dev/loop-control").exists(),
            "there is no /dev/loop-control: run these tests as root on a machine with the loop module"
        );
        let folder = tempfile::tempdir().unwrap();
        let backing = folder.path().join("backing");
        let file = File::create(&backing).unwrap();
        // Allocated, so that what the tests write cannot find the disk full.
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, size_bytes).unwrap();
        let sector = sector_bytes.to_string();
        let mut words = vec!["--find", "--show", "--direct-io=on", "--sector-size", &sector];
        words.extend(options);
        words.push(backing.to_str().unwrap());
        let path = PathBuf::from(run("losetup", &words).trim());
        assert!(path.starts_with("/dev"), "losetup did not name a device");
        Loop {
            path,
            backing,
            _folder: folder,
        }
    }

    pub fn text(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.path).status();
    }
}

/// A file system on a loop device, mounted in a folder of its own.
pub struct Mounted {
    pub place: TempDir,
    pub device: Loop,
}

impl Mounted {
    pub fn ext4(size_bytes: u64) -> Mounted {
        let device = Loop::new(size_bytes, 4096);
        // One block size for all, so that direct I/O works whatever the size.
        run("mkfs.ext4", &["-q", "-b", "4096", device.text()]);
        let place = tempfile::tempdir().unwrap();
        run("mount", &[device.text(), place.path().to_str().unwrap()]);
        Mounted { place, device }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.place.path()).status();
    }
}

pub fn run(program: &str, words: &[&str]) -> String {
    let output = Command::new(program).args(words).output();
    let output = output.unwrap_or_else(|error| panic!("{program} cannot be started: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {words:?} failed; run these tests as root: {said}"
    );
    String::from_utf8(output.stdout).unwrap()
}
