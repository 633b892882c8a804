//! Disks of a virtual machine: files on the host.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Result, process};

/// A disk image with the serial by which the appliance finds it.
#[derive(Debug, Clone)]
pub struct Disk {
    /// The file, raw.
    path: PathBuf,
    /// Its name in the folder of the scenario.
    pub file: String,
    /// At most 20 characters, as virtio has it.
    pub serial: &'static str,
}

impl Disk {
    /// A disk without anything on it; its file is sparse.
    pub fn blank(folder: &Path, serial: &'static str, bytes: u64) -> Result<Disk> {
        let file = format!("{serial}.img");
        let path = folder.join(&file);
        File::create_new(&path)
            .and_then(|created| created.set_len(bytes))
            .map_err(|error| format!("The disk {} cannot be created: {error}.", path.display()))?;
        Ok(Disk { path, file, serial })
    }

    /// A disk that is one ext4 file system.
    pub fn ext4(folder: &Path, serial: &'static str, bytes: u64) -> Result<Disk> {
        let disk = Disk::blank(folder, serial, bytes)?;
        process::output(
            Command::new("mke2fs").args(["-q", "-F", "-t", "ext4"]).arg(&disk.path),
            "e2fsprogs",
        )?;
        Ok(disk)
    }

    /// What the file `path` of its ext4 file system holds, read on the host; nothing is written. The machine must be off.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut command = Command::new("debugfs");
        command.args(["-R", &format!("cat {path}")]).arg(&self.path);
        // It succeeds, with nothing on its standard output, where there is no such file.
        let content = process::output(&mut command, "e2fsprogs")?.stdout;
        if content.is_empty() {
            return Err(format!(
                "The disk {} has no file {path}, or an empty one.",
                self.path.display()
            ));
        }
        Ok(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_from_a_file_system_on_the_host() {
        let folder = std::env::temp_dir().join(format!("blockhaul-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let disk = Disk::ext4(&folder, "STATE", 4 * 1024 * 1024).unwrap();
        std::fs::write(folder.join("key"), "the key").unwrap();
        let request = format!("write {} identity.key", folder.join("key").display());
        process::output(
            Command::new("debugfs").args(["-w", "-R", &request]).arg(&disk.path),
            "e2fsprogs",
        )
        .unwrap();
        assert_eq!(disk.read("/identity.key").unwrap(), b"the key");
        assert!(disk.read("/none").unwrap_err().contains("/none"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
