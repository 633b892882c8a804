//! Disks, cards and files as volumes: what a machine knows of them.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// What kind of thing a volume is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeForm {
    /// A whole disk or card.
    Disk,
    /// A partition.
    Partition,
    /// A preallocated regular file.
    File,
}

/// How a volume is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Direct and exclusive: nobody else may hold it, and we hold it against everybody.
    Exclusive,
    /// Direct, without any way to write, and exclusive too: nobody changes it meanwhile. It may be flushed.
    ExclusiveToRead,
    /// Direct, without any way to write.
    ReadOnly,
}

/// What a flush costs and means on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlushClass {
    /// A write cache that is emptied by a flush.
    WriteBack,
    /// The kernel says that there is no volatile cache.
    WriteThrough,
    /// Nobody says.
    Unknown,
}

/// What the machine found when it opened a volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct VolumeFacts {
    /// Kind of thing.
    pub form: VolumeForm,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Smallest unit that can be addressed.
    pub logical_sector_bytes: u32,
    /// Smallest unit that is written without reading first.
    pub physical_sector_bytes: u32,
    /// What direct I/O wants memory and offsets aligned to.
    pub alignment_bytes: u32,
    /// The write cache.
    pub flush: FlushClass,
    /// A single write can be made durable by itself.
    pub fua: bool,
    /// Unit of discard; 0 if there is none.
    pub discard_bytes: u32,
    /// It can be taken out.
    pub removable: bool,
    /// Unit in which its flash is erased, as SD cards and eMMC tell it; 0 if nobody says.
    pub erase_bytes: u32,
    /// Where a partition begins on its device; 0 for everything else.
    pub starts_at_bytes: u64,
    /// Serial number, WWID or card identification, as the kernel tells it; empty for a file.
    pub serial: String,
    /// The same thing opened under two names has the same number (`st_rdev`, or device and inode of a file).
    pub same_as: u64,
}

impl VolumeFacts {
    /// Whether it is a card, or behaves like one: its flash has a small controller of its own, and nobody tells how well it is.
    pub fn is_card(&self) -> bool {
        self.removable || self.erase_bytes > 0
    }
}

/// One disk, card or partition that the machine has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// Path of its node.
    pub path: String,
    /// Kind of thing.
    pub form: VolumeForm,
    /// Maker and model, as the kernel tells them.
    pub model: String,
    /// Serial number, WWID or card identification.
    pub serial: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Smallest unit that can be addressed.
    pub logical_sector_bytes: u32,
    /// Smallest unit that is written without reading first.
    pub physical_sector_bytes: u32,
    /// The write cache.
    pub flush: FlushClass,
    /// A single write can be made durable by itself.
    pub fua: bool,
    /// Unit of discard; 0 if there is none.
    pub discard_bytes: u32,
    /// It can be taken out.
    pub removable: bool,
    /// It can be read and not written.
    pub read_only: bool,
    /// Where it or a part of it is mounted, or who holds it; empty if nobody.
    pub held_by: String,
    /// Health in words where the kernel tells it: eMMC life time, NVMe wear; empty otherwise.
    pub health: String,
}
