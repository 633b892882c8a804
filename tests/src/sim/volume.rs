//! A reader of volumes, written from the byte tables in `docs/formats.md` and sharing no code with the product.
//!
//! It finds nothing out: it is told where the log ends and looks whether everything before is whole.

use std::collections::BTreeMap;

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

/// A block of a track.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Whose.
    pub track: Track,
    /// Number within the track.
    pub sequence: u64,
    /// Bytes 256 to 3584 of the header: the origin part, which never changes.
    pub origin_part: Vec<u8>,
    /// Its hash.
    pub hash: [u8; 32],
    /// Hash of the piece before.
    pub previous: [u8; 32],
    /// The stream was interrupted before it.
    pub discontinuity: bool,
    /// Stream bytes.
    pub payload: Vec<u8>,
}

/// What a block carries.
#[derive(Clone, Debug)]
pub enum Content {
    /// A piece of a track.
    Piece(Piece),
    /// Records; of them, the gaps: track, first missing, first behind.
    Records(Vec<(Track, u64, u64)>),
    /// A part of a checkpoint.
    Checkpoint,
}

/// A block that is whole.
#[derive(Clone, Debug)]
pub struct Block {
    /// Position in the log.
    pub log_sequence: u64,
    /// Hash of its header.
    pub header_hash: [u8; 32],
    /// Hash of the header before it in the log.
    pub previous_header: [u8; 32],
    /// What it carries.
    pub content: Content,
}

/// What the superblock says of an archive's shape.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    archive: [u8; 16],
    block_bytes: u64,
    slots_at_bytes: u64,
    /// Slots of the volume.
    pub slots: u64,
    /// Log sequences of a segment.
    pub segment_blocks: u64,
    /// The log goes round.
    pub ring: bool,
}

impl Geometry {
    /// Oldest log sequence that may be read when the next one is `head`.
    pub fn oldest(&self, head: u64) -> u64 {
        let writes = (2 * self.segment_blocks).min(32);
        let reached = (head + 2 * writes).next_multiple_of(self.segment_blocks);
        if self.ring { reached.saturating_sub(self.slots) } else { 0 }
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

/// The generation that each of the four superblock copies says, on a volume of that size; none for a copy that is not whole.
pub fn generations(image: &Image, volume_bytes: u64) -> [Option<u64>; 4] {
    let ends = [FIRST_SUPERBLOCK_AT, volume_bytes - (2 << 20)];
    let copies = ends.into_iter().flat_map(|at| [at, at + (512 << 10)]);
    let mut generations = [None; 4];
    for (number, at) in (0u8..).zip(copies) {
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
    let content = match sector[10] {
        1 => Content::Piece(Piece {
            track: Track {
                origin: array(&sector, 256),
                camera: name(&sector[288..352]),
                kind: sector[352],
            },
            sequence: u64_at(&sector, 360),
            origin_part: sector[256..3584].to_vec(),
            hash: *blake3::hash(&sector[256..3584]).as_bytes(),
            previous: array(&sector, 424),
            discontinuity: sector[355] & 4 != 0,
            payload,
        }),
        2 => Content::Records(gaps(&payload)),
        3 => Content::Checkpoint,
        other => return Err(format!("a block of kind {other}")),
    };
    let header_hash = *blake3::hash(&sector).as_bytes();
    Ok(Block {
        log_sequence,
        header_hash,
        previous_header: array(&sector, 80),
        content,
    })
}

/// Every block of a log from `oldest` to `head`, each linked to the one before.
pub fn log(image: &Image, oldest: u64, head: u64) -> Result<Vec<Block>, String> {
    linked(image, oldest, head, false)
}

/// The same; with `breaks`, a block may say that it does not know the one before.
pub fn linked(image: &Image, oldest: u64, head: u64, breaks: bool) -> Result<Vec<Block>, String> {
    let geometry = geometry(image)?;
    let mut blocks: Vec<Block> = Vec::new();
    for sequence in oldest..head {
        let block = block(image, &geometry, sequence % geometry.slots)
            .map_err(|why| format!("log sequence {sequence} of {oldest} to {head}: {why}"))?;
        if block.log_sequence != sequence {
            return Err(format!("log sequence {sequence}: {} is in its slot", block.log_sequence));
        }
        let broken = breaks && block.previous_header == [0; 32];
        if blocks
            .last()
            .is_some_and(|before| before.header_hash != block.previous_header && !broken)
        {
            return Err(format!("log sequence {sequence} does not follow the one before"));
        }
        blocks.push(block);
    }
    Ok(blocks)
}

/// Every whole piece on a volume, wherever it lies, as track and sequence with the hash of its origin part.
pub fn pieces(image: &Image) -> Result<BTreeMap<(Track, u64), [u8; 32]>, String> {
    let geometry = geometry(image)?;
    let whole = (0..geometry.slots).filter_map(|slot| block(image, &geometry, slot).ok());
    Ok(whole
        .filter_map(|block| match block.content {
            Content::Piece(piece) => Some(((piece.track, piece.sequence), piece.hash)),
            Content::Records(_) | Content::Checkpoint => None,
        })
        .collect())
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
