//! Blocks on a disk: what lies in a slot, whole or with the reason why not, and the log from one to the next.

use drivers_sim::Image;

use super::{CRC_32C, Geometry, Granted, Lease, SECTOR, Track, array, checksum, gaps, geometry, leases, track, u32_at, u64_at};

/// A block of a track.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Whose.
    pub track: Track,
    /// Number within the track.
    pub sequence: u64,
    /// Hash of the origin part of its header, which never changes.
    pub hash: [u8; 32],
    /// Hash of the piece before.
    pub previous: [u8; 32],
    /// Lease under which it came; zero if it was recorded here.
    pub lease: Lease,
    /// Stream bytes.
    pub payload: Vec<u8>,
}

/// What a block carries.
#[derive(Clone, Debug)]
pub enum Content {
    /// A piece of a track.
    Piece(Piece),
    /// Records.
    Records {
        /// Track, first missing, first behind.
        gaps: Vec<(Track, u64, u64)>,
        /// Leases that were given.
        leases: Vec<Granted>,
    },
    /// A part of a checkpoint.
    Checkpoint {
        /// Its number.
        part: u32,
        /// Its length.
        payload_bytes: u64,
    },
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
    /// Hash of the header before it in the log.
    pub previous_header: [u8; 32],
    /// What it carries.
    pub content: Content,
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
            track: track(&sector),
            sequence: u64_at(&sector, 360),
            hash: *blake3::hash(&sector[256..3584]).as_bytes(),
            previous: array(&sector, 424),
            lease: (u64_at(&sector, 112), u64_at(&sector, 120)),
            payload,
        }),
        2 => Content::Records {
            gaps: gaps(&payload),
            leases: leases(&payload),
        },
        3 if length >= 4 => Content::Checkpoint {
            part: u32_at(&payload, 0),
            payload_bytes: length as u64,
        },
        other => return Err(format!("a block of kind {other}")),
    };
    let header_hash = *blake3::hash(&sector).as_bytes();
    Ok(Block {
        log_sequence,
        header_hash,
        durable: u64_at(&sector, 72),
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
