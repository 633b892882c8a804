//! What a disk is and how long it takes: the facts that an appliance may ask for, and those that it only feels.
//!
//! Not its bytes and not its faults; those are in `disk.rs` and `fault.rs`.

use std::ops::RangeInclusive;

use hal::{FlushClass, VolumeForm};

/// How long operations of a disk take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskLatency {
    /// A read, besides the transfer.
    pub read_ns: RangeInclusive<u64>,
    /// A write, besides the transfer.
    pub write_ns: RangeInclusive<u64>,
    /// A flush.
    pub flush_ns: RangeInclusive<u64>,
    /// Transfer rate of one operation.
    pub bytes_per_second: u64,
    /// All of the above times this.
    pub factor: u64,
}

impl Default for DiskLatency {
    /// A middling flash disk.
    fn default() -> Self {
        Self {
            read_ns: 60_000..=400_000,
            write_ns: 40_000..=1_500_000,
            flush_ns: 200_000..=8_000_000,
            bytes_per_second: 400_000_000,
            factor: 1,
        }
    }
}

/// What a disk is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskModel {
    /// Kind of thing.
    pub form: VolumeForm,
    /// Size in bytes.
    pub size_bytes: u64,
    /// Smallest unit that can be addressed.
    pub logical_sector_bytes: u32,
    /// What direct I/O wants memory and offsets aligned to.
    pub alignment_bytes: u32,
    /// The write cache. With [`FlushClass::WriteThrough`] a completed write is durable.
    pub flush: FlushClass,
    /// Unit of discard; 0 if there is none.
    pub discard_bytes: u32,
    /// Serial number; empty for a file.
    pub serial: String,
    /// It can be taken out.
    pub removable: bool,
    /// Size of its erase groups; 0 if it does not say.
    pub erase_bytes: u32,
    /// What was discarded reads as garbage, and not as zeros.
    pub discards_to_garbage: bool,
}

impl DiskModel {
    /// A whole disk with 512-byte sectors and a write cache.
    pub fn disk(size_bytes: u64, serial: &str) -> Self {
        Self {
            form: VolumeForm::Disk,
            size_bytes,
            logical_sector_bytes: 512,
            alignment_bytes: 512,
            flush: FlushClass::WriteBack,
            discard_bytes: 0,
            serial: serial.into(),
            removable: false,
            erase_bytes: 0,
            discards_to_garbage: false,
        }
    }

    /// A preallocated file.
    pub(crate) fn file(size_bytes: u64) -> Self {
        Self {
            form: VolumeForm::File,
            alignment_bytes: 4096,
            ..Self::disk(size_bytes, "")
        }
    }
}
