//! What the kernel says of a block device in sysfs.
//!
//! The root of the tree is an argument so that trees of devices that are not here can be read in tests.

use std::fs;
use std::path::{Path, PathBuf};

use hal::{FlushClass, VolumeForm};

use super::told::serial_of_page;

/// Number of a block device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct DeviceNumber {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl DeviceNumber {
    pub(super) fn new(raw: u64) -> DeviceNumber {
        DeviceNumber {
            major: rustix::fs::major(raw),
            minor: rustix::fs::minor(raw),
        }
    }

    /// `8:1`, as sysfs and mountinfo write it.
    fn parse(text: &str) -> Option<DeviceNumber> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(DeviceNumber {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
        })
    }
}

impl std::fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// The sysfs of this machine.
pub(super) fn root() -> &'static Path {
    Path::new("/sys")
}

/// One disk or partition in sysfs.
pub(super) struct Node {
    folder: PathBuf,
    /// The whole disk's folder; the same as `folder` unless this is a partition.
    disk: PathBuf,
}

impl Node {
    /// The device of that number, if there is one now.
    pub(super) fn of_number(sysfs: &Path, number: DeviceNumber) -> Option<Node> {
        Node::of_folder(sysfs.join("dev/block").join(number.to_string()))
    }

    /// All whole disks, by name.
    pub(super) fn disks(sysfs: &Path) -> Vec<Node> {
        folders(&sysfs.join("block"))
            .into_iter()
            .filter_map(Node::of_folder)
            .collect()
    }

    fn of_folder(folder: PathBuf) -> Option<Node> {
        let folder = fs::canonicalize(folder).ok()?;
        let is_partition = folder.join("partition").exists();
        let disk = if is_partition {
            folder.parent()?.to_path_buf()
        } else {
            folder.clone()
        };
        Some(Node { folder, disk })
    }

    /// The partitions of a whole disk, by name.
    pub(super) fn partitions(&self) -> Vec<Node> {
        let mut partitions: Vec<Node> = folders(&self.folder)
            .into_iter()
            .filter(|folder| folder.join("partition").exists())
            .map(|folder| Node {
                folder,
                disk: self.folder.clone(),
            })
            .collect();
        partitions.sort_by_key(|partition| partition.number_in("partition"));
        partitions
    }

    /// The whole disk; itself unless this is a partition.
    pub(super) fn disk(&self) -> Node {
        Node {
            folder: self.disk.clone(),
            disk: self.disk.clone(),
        }
    }

    /// The kernel's name, for example `sda1`.
    pub(super) fn name(&self) -> String {
        self.folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// Path of the device's node.
    pub(super) fn path(&self) -> String {
        let uevent = self.text_in("uevent");
        let name = uevent.lines().find_map(|line| line.strip_prefix("DEVNAME="));
        match name {
            Some(name) => format!("/dev/{name}"),
            // The kernel writes `!` where the path has a slash.
            None => format!("/dev/{}", self.name().replace('!', "/")),
        }
    }

    pub(super) fn number(&self) -> Option<DeviceNumber> {
        DeviceNumber::parse(&self.text_in("dev"))
    }

    pub(super) fn form(&self) -> VolumeForm {
        if self.folder == self.disk {
            VolumeForm::Disk
        } else {
            VolumeForm::Partition
        }
    }

    pub(super) fn size_bytes(&self) -> u64 {
        // sysfs counts in 512 bytes whatever the sector of the device.
        self.number_in("size").saturating_mul(512)
    }

    pub(super) fn logical_sector_bytes(&self) -> u32 {
        self.bytes_in("queue/logical_block_size").max(512)
    }

    pub(super) fn physical_sector_bytes(&self) -> u32 {
        self.bytes_in("queue/physical_block_size").max(self.logical_sector_bytes())
    }

    pub(super) fn flush(&self) -> FlushClass {
        match self.text_of_disk("queue/write_cache").as_str() {
            "write back" => FlushClass::WriteBack,
            "write through" => FlushClass::WriteThrough,
            _ => FlushClass::Unknown,
        }
    }

    pub(super) fn fua(&self) -> bool {
        self.text_of_disk("queue/fua") == "1"
    }

    /// Unit of discard; 0 if there is none.
    pub(super) fn discard_bytes(&self) -> u32 {
        // A device that cannot discard may still name a granularity.
        if self.text_of_disk("queue/discard_max_bytes") == "0" {
            0
        } else {
            self.bytes_in("queue/discard_granularity")
        }
    }

    /// Unit in which the flash of an SD card or eMMC is erased; 0 if the kernel does not tell.
    pub(super) fn erase_bytes(&self) -> u32 {
        let text = self.disk_text("device/preferred_erase_size");
        text.and_then(|text| text.parse().ok()).unwrap_or(0)
    }

    /// Where a partition begins on its disk.
    pub(super) fn starts_at_bytes(&self) -> u64 {
        self.number_in("start").saturating_mul(512)
    }

    pub(super) fn is_removable(&self) -> bool {
        self.text_of_disk("removable") == "1"
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.text_in("ro") == "1" || self.text_of_disk("ro") == "1"
    }

    /// Made by the kernel for itself: another path to the same disk.
    pub(super) fn is_hidden(&self) -> bool {
        self.text_in("hidden") == "1"
    }

    /// See [`serial_of_disk`].
    pub(super) fn serial(&self) -> String {
        serial_of_disk(&self.disk)
    }

    /// Maker and model; for a loop device the file behind it.
    pub(super) fn model(&self) -> String {
        if let Some(file) = self.disk_text("loop/backing_file") {
            return format!("loop file {file}");
        }
        let words = [
            self.disk_text("device/vendor"),
            self.disk_text("device/model"),
            self.disk_text("device/name"),
        ];
        // A PCI vendor is a number, which tells nobody anything.
        words
            .into_iter()
            .flatten()
            .filter(|word| !word.starts_with("0x"))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Names of devices built on this one: `dm-0`, `md1`.
    pub(super) fn holders(&self) -> Vec<String> {
        let names = folders(&self.folder.join("holders")).into_iter();
        names
            .filter_map(|folder| Some(folder.file_name()?.to_string_lossy().into_owned()))
            .collect()
    }

    /// An attribute of the whole disk, if it has it and it says something.
    pub(super) fn disk_text(&self, attribute: &str) -> Option<String> {
        Some(self.text_of_disk(attribute)).filter(|text| !text.is_empty())
    }

    fn text_of_disk(&self, attribute: &str) -> String {
        read(&self.disk.join(attribute))
    }

    fn text_in(&self, attribute: &str) -> String {
        read(&self.folder.join(attribute))
    }

    fn number_in(&self, attribute: &str) -> u64 {
        self.text_in(attribute).parse().unwrap_or(0)
    }

    fn bytes_in(&self, attribute: &str) -> u32 {
        self.text_of_disk(attribute).parse().unwrap_or(0)
    }
}

/// Serial number, card identification or WWID of the disk with this folder below `/sys/class/block`; empty if the kernel tells none.
pub fn serial_of_disk(disk: &Path) -> String {
    let text = |attribute: &str| Some(read(&disk.join(attribute))).filter(|text| !text.is_empty());
    let scsi = || {
        fs::read(disk.join("device/vpd_pg80"))
            .ok()
            .and_then(|page| serial_of_page(&page))
    };
    // A card's CID holds more than its serial number, which is only 32 bits.
    text("device/cid")
        .or_else(|| text("device/serial"))
        .or_else(|| text("serial"))
        .or_else(scsi)
        .or_else(|| text("device/wwid"))
        .or_else(|| text("wwid"))
        .unwrap_or_default()
}

/// An attribute without the spaces some drivers pad it with; empty if it cannot be read.
fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(parent) else {
        return Vec::new();
    };
    let mut folders: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    folders.sort();
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(DeviceNumber::parse("259:3\n"), Some(DeviceNumber { major: 259, minor: 3 }));
        assert_eq!(DeviceNumber::parse("none"), None);
        assert!(Node::of_number(root(), DeviceNumber { major: 511, minor: 99 }).is_none());
    }

    #[test]
    fn erase_groups_and_where_a_partition_begins() {
        let folder = tempfile::tempdir().unwrap();
        let disk = folder.path().join("block/mmcblk0");
        for (path, text) in [
            ("dev", "179:0\n"),
            ("device/preferred_erase_size", "4194304\n"),
            ("mmcblk0p1/partition", "1\n"),
            ("mmcblk0p1/dev", "179:1\n"),
            ("mmcblk0p1/start", "8192\n"),
        ] {
            let path = disk.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let whole = Node::of_folder(disk.clone()).unwrap();
        assert_eq!((whole.erase_bytes(), whole.starts_at_bytes()), (4 << 20, 0));
        let part = Node::of_folder(disk.join("mmcblk0p1")).unwrap();
        assert_eq!((part.erase_bytes(), part.starts_at_bytes()), (4 << 20, 4 << 20));
    }
}
