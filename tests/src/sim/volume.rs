//! A reader of volumes, written from the byte tables in `docs/formats.md` and sharing no code with the product.
//!
//! It finds nothing out: it is told where the log ends and looks whether everything before is whole.

use std::ops::Range;

use crc::{CRC_32_ISCSI, Crc, Table};
use drivers_sim::Image;

static CRC_32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

const SECTOR: usize = 4096;
const FIRST_SUPERBLOCK_AT: u64 = 1 << 20;

/// A track: origin archive, camera, kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Track {
    /// Archive in which it was recorded.
    pub origin: [u8; 16],
    /// Camera.
    pub camera: String,
    /// Number of the kind.
    pub kind: u8,
}

/// A block that is whole.
#[derive(Clone, Debug)]
pub struct Block {
    /// Position in the log.
    pub log_sequence: u64,
    /// Hash of its header.
    pub header_hash: [u8; 32],
    /// All lower log sequences are durable, it says.
    pub durable: u64,
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
    segment_blocks: u64,
    ring: bool,
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
            return 0;
        }
        let guard = 2 * (2 * self.segment_blocks).min(32);
        (next + guard)
            .next_multiple_of(self.segment_blocks)
            .saturating_sub(self.slots)
    }
}

/// What a header says that is about to be written, without its payload.
#[derive(Clone, Debug)]
pub struct Announced {
    /// Archive.
    pub archive: [u8; 16],
    /// Position in the log.
    pub log_sequence: u64,
    /// All lower ones are durable, it says.
    pub durable: u64,
    /// Hash of the header.
    pub header_hash: [u8; 32],
    /// Bytes of the slot that are used.
    pub bytes: u64,
    /// It is part of a checkpoint.
    pub is_checkpoint: bool,
    /// Of a block of a track: its track, its number there, the hash of its origin part, and whether the stream was interrupted.
    pub piece: Option<(Track, u64, [u8; 32], bool)>,
    /// Gaps that its records state, or a checkpoint of one part.
    pub gaps: Vec<(Track, u64, u64)>,
}

/// What a block says of itself; none if this is no block.
pub fn announced(block: &[u8]) -> Option<Announced> {
    let sector = block.get(..SECTOR)?;
    if sector[..8] != *b"bhblock\0" {
        return None;
    }
    let length = u32_at(sector, 128) as usize;
    let piece = (sector[10] == 1).then(|| {
        let hash = *blake3::hash(&sector[256..3584]).as_bytes();
        (track(sector), u64_at(sector, 360), hash, sector[355] & 4 != 0)
    });
    let payload = block.get(SECTOR..SECTOR + length)?;
    Some(Announced {
        archive: array(sector, 16),
        log_sequence: u64_at(sector, 32),
        durable: u64_at(sector, 72),
        header_hash: *blake3::hash(sector).as_bytes(),
        bytes: (SECTOR + length) as u64,
        is_checkpoint: sector[10] == 3,
        piece,
        gaps: match sector[10] {
            2 => gaps(payload),
            3 => checkpoint_gaps(payload),
            _ => Vec::new(),
        },
    })
}

fn track(sector: &[u8]) -> Track {
    Track {
        origin: array(sector, 256),
        camera: name(&sector[288..352]),
        kind: sector[352],
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
    })
}

/// The block in a slot. The error says why there is none.
pub fn block(image: &Image, geometry: &Geometry, slot: u64) -> Result<Block, String> {
    let at_bytes = geometry.slots_at_bytes + slot * geometry.block_bytes;
    let sector = image.bytes(at_bytes, SECTOR);
    if sector[..8] != *b"bhblock\0" {
        return Err("no block".into());
    }
    if u32_at(&sector, 12) != checksum(&sector) {
        return Err("header checksum".into());
    }
    let log_sequence = u64_at(&sector, 32);
    if array::<16>(&sector, 16) != geometry.archive || u64_at(&sector, 40) != slot || log_sequence % geometry.slots != slot {
        return Err("a block of another place".into());
    }
    let length = u32_at(&sector, 128) as usize;
    if length as u64 > geometry.block_bytes - SECTOR as u64 {
        return Err("payload longer than the block".into());
    }
    let payload = image.bytes(at_bytes + SECTOR as u64, length);
    if CRC_32C.checksum(&payload) != u32_at(&sector, 132) || *blake3::hash(&payload).as_bytes() != array::<32>(&sector, 392) {
        return Err("payload checksum".into());
    }
    if !(1..=3).contains(&sector[10]) {
        return Err(format!("a block of kind {}", sector[10]));
    }
    let header_hash = *blake3::hash(&sector).as_bytes();
    Ok(Block {
        log_sequence,
        header_hash,
        durable: u64_at(&sector, 72),
    })
}

/// Gaps in a checkpoint that has one part; of others none.
fn checkpoint_gaps(payload: &[u8]) -> Vec<(Track, u64, u64)> {
    const HEAD_BYTES: usize = 48;
    const ENTRY_BYTES: usize = 32;
    const TIP_BYTES: usize = 208;
    const GAP_BYTES: usize = 24;
    if payload.len() < HEAD_BYTES || u32_at(payload, 4) != 1 {
        return Vec::new();
    }
    let (entries, tips, gaps) = (u32_at(payload, 24), u32_at(payload, 28), u32_at(payload, 32));
    let tips_at = HEAD_BYTES + entries as usize * ENTRY_BYTES;
    let gaps_at = tips_at + tips as usize * TIP_BYTES;
    let all = payload[gaps_at..].chunks_exact(GAP_BYTES).take(gaps as usize);
    all.map(|gap| {
        let tip = &payload[tips_at + u32_at(gap, 0) as usize * TIP_BYTES..];
        let track = Track {
            origin: array(tip, 0),
            camera: name(&tip[16..80]),
            kind: tip[80],
        };
        (track, u64_at(gap, 8), u64_at(gap, 16))
    })
    .collect()
}

/// Where the four superblock copies lie on a volume of a size.
pub fn superblock_copies(size_bytes: u64) -> [u64; 4] {
    let end = size_bytes / SECTOR as u64 * SECTOR as u64;
    [1 << 20, 3 << 19, end - (2 << 20), end - (3 << 19)]
}

fn gaps(payload: &[u8]) -> Vec<(Track, u64, u64)> {
    const RECORD_BYTES: usize = 160;
    let records = payload.get(8..).unwrap_or_default().chunks_exact(RECORD_BYTES);
    records
        .filter(|record| record[0] == 2)
        .map(|record| {
            let track = Track {
                origin: array(record, 8),
                camera: name(&record[24..88]),
                kind: record[88],
            };
            (track, u64_at(record, 96), u64_at(record, 104))
        })
        .collect()
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
