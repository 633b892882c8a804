//! Disks of a virtual machine: files on the host, behind the kinds of controllers that appliances have.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use image::{Result, process};

use crate::cache::Cache;

/// What the machine sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bus {
    /// A virtio disk.
    Virtio,
    /// An NVMe drive.
    Nvme,
    /// A SATA drive.
    Sata,
    /// An SD card in a slot. Its size must be a power of two, and it has no serial of ours.
    Sd,
    /// A card reader or stick at a USB port.
    Usb,
}

/// A disk image with the serial by which the appliance finds it.
#[derive(Clone)]
pub struct Disk {
    /// The file, raw.
    path: PathBuf,
    /// Its name in the folder of the scenario.
    pub file: String,
    /// At most 20 characters, as virtio has it.
    pub serial: &'static str,
    /// Where it is plugged in.
    pub bus: Bus,
    /// The disk has a cache that loses what was not flushed, and is reached at this socket.
    pub cache: Option<(Cache, PathBuf)>,
}

impl Disk {
    /// A disk without anything on it; its file is sparse.
    pub fn blank(folder: &Path, serial: &'static str, bytes: u64) -> Result<Disk> {
        Disk::blank_as(folder, serial, serial, bytes)
    }

    /// The same, in a file of another name, as several machines may have a disk of that serial.
    pub fn blank_as(folder: &Path, name: &str, serial: &'static str, bytes: u64) -> Result<Disk> {
        let file = format!("{name}.img");
        let path = folder.join(&file);
        File::create_new(&path)
            .and_then(|created| created.set_len(bytes))
            .map_err(|error| format!("The disk {} cannot be created: {error}.", path.display()))?;
        Ok(Disk {
            path,
            file,
            serial,
            bus: Bus::Virtio,
            cache: None,
        })
    }

    /// A disk whose image was written by somebody else, in the folder of the scenario.
    pub fn of_file(folder: &Path, file: &str, serial: &'static str) -> Disk {
        Disk {
            path: folder.join(file),
            file: file.to_owned(),
            serial,
            bus: Bus::Virtio,
            cache: None,
        }
    }

    /// The same disk, plugged in elsewhere.
    pub fn at(self, bus: Bus) -> Disk {
        Disk { bus, ..self }
    }

    /// The same disk, with a cache that loses what was not flushed; `sockets` is a folder with a short name.
    pub fn with_cache(self, sockets: &Path) -> Result<Disk> {
        let socket = sockets.join(format!("{}.nbd", self.file));
        let cache = Cache::serve(&self.path, &socket)?;
        Ok(Disk {
            cache: Some((cache, socket)),
            ..self
        })
    }

    /// The file on the host.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The emulator's arguments for it, as number `index` of the machine.
    pub fn arguments(&self, index: usize) -> Vec<String> {
        let source = match &self.cache {
            None => format!(
                "driver=raw,node-name=disk{index},file.driver=file,file.filename={}",
                self.file
            ),
            Some((_, socket)) => format!(
                "driver=nbd,node-name=disk{index},server.type=unix,server.path={}",
                socket.display()
            ),
        };
        let mut arguments = vec!["-blockdev".to_owned(), source];
        let mut device = |text: String| arguments.extend(["-device".to_owned(), text]);
        let serial = self.serial;
        match self.bus {
            Bus::Virtio => {
                // Only behind a port of its own can it be taken away.
                device(format!("pcie-root-port,id=port{index},chassis={index}"));
                device(format!(
                    "virtio-blk-pci,id=dev{index},bus=port{index},drive=disk{index},serial={serial},write-cache=on"
                ));
            }
            Bus::Nvme => device(format!("nvme,id=dev{index},drive=disk{index},serial={serial}")),
            Bus::Sata => device(format!(
                "ide-hd,id=dev{index},bus=ide.{index},drive=disk{index},serial={serial}"
            )),
            Bus::Sd => {
                device(format!("sdhci-pci,id=slot{index}"));
                // Every host calls its bus by the same name: the way to it tells them apart.
                device(format!(
                    "sd-card,id=dev{index},drive=disk{index},bus=pcie.0/slot{index}/sd-bus"
                ));
            }
            Bus::Usb => {
                device(format!("qemu-xhci,id=hub{index}"));
                device(format!(
                    "usb-storage,id=dev{index},bus=hub{index}.0,drive=disk{index},serial={serial},removable=on"
                ));
            }
        }
        arguments
    }

    /// A disk that is one ext4 file system.
    pub fn ext4(folder: &Path, serial: &'static str, bytes: u64) -> Result<Disk> {
        Disk::ext4_as(folder, serial, serial, bytes)
    }

    /// The same, in a file of another name.
    pub fn ext4_as(folder: &Path, name: &str, serial: &'static str, bytes: u64) -> Result<Disk> {
        let disk = Disk::blank_as(folder, name, serial, bytes)?;
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
