//! A reader of volumes, written from the byte tables in `docs/formats.md` and sharing no code with the product.
//!
//! `block` reads what lies in a slot and follows a log, `announced` reads what is about to be written. It finds nothing out: it is
//! told where the log ends and looks whether everything before is whole.

mod announced;
mod block;

use std::ops::Range;

use crc::{CRC_32_ISCSI, Crc, Table};
use drivers_sim::Image;

pub use announced::{Announced, announced};
pub use block::{Block, Content, Piece, block, linked, log};

static CRC_32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// Bytes of a superblock copy, and of a block header.
pub const SECTOR: usize = 4096;
const FIRST_SUPERBLOCK_AT: u64 = 1 << 20;

/// A track: origin archive, camera, kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Track {
    /// Archive in which it was recorded.
    pub origin: [u8; 16],
    /// Camera.
    pub camera: String,
    /// Number of the kind.
    pub kind: u8,
}

/// Counter and nonce of a lease.
pub type Lease = (u64, u64);

/// A lease that a record gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// Of which track.
    pub track: Track,
    /// The lease.
    pub lease: Lease,
    /// Key of the peer that holds it.
    pub holder: [u8; 32],
}

/// What the superblock says of an archive's shape.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    /// Identity of the archive.
    pub archive: [u8; 16],
    block_bytes: u64,
    slots_at_bytes: u64,
    /// Slots of the volume.
    pub slots: u64,
    /// Log sequences of a segment.
    pub segment_blocks: u64,
    /// The log goes round.
    pub ring: bool,
    /// Everything below was freed.
    pub freed: u64,
}

impl Geometry {
    /// Where the block at a log sequence lies, of which `bytes` are used.
    pub fn range(&self, log_sequence: u64, bytes: u64) -> Range<u64> {
        let from = self.slots_at_bytes + log_sequence % self.slots * self.block_bytes;
        from..from + bytes
    }

    /// Where all blocks lie.
    pub fn slots_range(&self) -> Range<u64> {
        self.slots_at_bytes..self.slots_at_bytes + self.slots * self.block_bytes
    }

    /// Oldest log sequence that may be read when the next one is `next`.
    pub fn oldest(&self, next: u64) -> u64 {
        if !self.ring {
            return self.freed;
        }
        let guard = 2 * (2 * self.segment_blocks).min(32);
        (next + guard)
            .next_multiple_of(self.segment_blocks)
            .saturating_sub(self.slots)
            .max(self.freed)
    }
}

/// Reads the shape of the archive on a volume from its first superblock copies.
pub fn geometry(image: &Image) -> Result<Geometry, String> {
    let copies = [FIRST_SUPERBLOCK_AT, FIRST_SUPERBLOCK_AT + (512 << 10)];
    let sound = copies
        .iter()
        .map(|at| image.bytes(*at, SECTOR))
        .find(|sector| sector[..8] == *b"bhsuper\0" && u32_at(sector, 12) == checksum(sector));
    let sector = sound.ok_or("no sound superblock in the first pair")?;
    Ok(Geometry {
        archive: array(&sector, 16),
        block_bytes: u64::from(u32_at(&sector, 72)),
        slots_at_bytes: u64_at(&sector, 88),
        slots: u64_at(&sector, 96),
        segment_blocks: u64::from(u32_at(&sector, 104)),
        ring: sector[11] == 2,
        freed: u64_at(&sector, 232),
    })
}

/// Below which log sequence a superblock that is about to be written says that everything is freed, and of which archive.
pub fn freed(sector: &[u8]) -> Option<([u8; 16], u64)> {
    (sector.len() >= SECTOR && sector[..8] == *b"bhsuper\0").then(|| (array(sector, 16), u64_at(sector, 232)))
}

/// How many sound superblock copies on a volume of that size say that a log sequence is freed.
pub fn copies_that_free(image: &Image, volume_bytes: u64, log_sequence: u64) -> usize {
    let copies = superblock_copies(volume_bytes).into_iter().map(|at| image.bytes(at, SECTOR));
    let sound = copies.filter(|sector| u32_at(sector, 12) == checksum(sector));
    sound
        .filter(|sector| freed(sector).is_some_and(|(_, below)| below > log_sequence))
        .count()
}

/// Where the four superblock copies lie on a volume of a size.
pub fn superblock_copies(size_bytes: u64) -> [u64; 4] {
    let end = size_bytes / SECTOR as u64 * SECTOR as u64;
    [1 << 20, 3 << 19, end - (2 << 20), end - (3 << 19)]
}

/// A superblock copy of another archive, right in all its sums if this one is.
pub fn renamed(copy: &[u8], archive: [u8; 16]) -> Vec<u8> {
    let mut other = copy.to_vec();
    other[16..32].copy_from_slice(&archive);
    let mut content = other.clone();
    content[10] = 0;
    content[12..16].fill(0);
    other[4064..].copy_from_slice(blake3::hash(&content[..4064]).as_bytes());
    let sum = checksum(&other);
    other[12..16].copy_from_slice(&sum.to_le_bytes());
    other
}

/// The generation that each of the four superblock copies says, on a volume of that size; none for a copy that is not whole.
pub fn generations(image: &Image, volume_bytes: u64) -> [Option<u64>; 4] {
    let mut generations = [None; 4];
    for (number, at) in (0u8..).zip(superblock_copies(volume_bytes)) {
        let sector = image.bytes(at, SECTOR);
        let mut content = sector.clone();
        content[10] = 0;
        content[12..16].fill(0);
        let whole = sector[..8] == *b"bhsuper\0"
            && sector[10] == number
            && u32_at(&sector, 12) == checksum(&sector)
            && array::<32>(&sector, 4064) == *blake3::hash(&content[..4064]).as_bytes();
        generations[usize::from(number)] = whole.then(|| u64_at(&sector, 32));
    }
    generations
}

fn track(sector: &[u8]) -> Track {
    Track {
        origin: array(sector, 256),
        camera: name(&sector[288..352]),
        kind: sector[352],
    }
}

fn gaps(payload: &[u8]) -> Vec<(Track, u64, u64)> {
    records(payload, 2)
        .map(|record| (record_track(record), u64_at(record, 96), u64_at(record, 104)))
        .collect()
}

fn leases(payload: &[u8]) -> Vec<Granted> {
    records(payload, 1)
        .map(|record| Granted {
            track: record_track(record),
            lease: (u64_at(record, 96), u64_at(record, 104)),
            holder: array(record, 112),
        })
        .collect()
}

fn records(payload: &[u8], kind: u8) -> impl Iterator<Item = &[u8]> {
    const RECORD_BYTES: usize = 192;
    let all = payload.get(8..).unwrap_or_default().chunks_exact(RECORD_BYTES);
    all.filter(move |record| record[0] == kind)
}

fn record_track(record: &[u8]) -> Track {
    Track {
        origin: array(record, 8),
        camera: name(&record[24..88]),
        kind: record[88],
    }
}

fn checksum(sector: &[u8]) -> u32 {
    let mut plain = sector.to_vec();
    plain[12..16].fill(0);
    CRC_32C.checksum(&plain)
}

fn name(field: &[u8]) -> String {
    field
        .iter()
        .take_while(|byte| **byte != 0)
        .map(|byte| char::from(*byte))
        .collect()
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}
