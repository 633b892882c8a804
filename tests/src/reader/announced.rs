//! What a block says that is about to be written: its place, its track, the gaps that it states.
//!
//! It believes the product's arithmetic and checks no sums: what is written is judged on the disk.

use super::{SECTOR, Track, array, gaps, name, track, u32_at, u64_at};

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
    /// It is a block that came after the tip of its track had passed it.
    pub is_fill: bool,
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
        is_fill: sector[11] == 1,
        piece,
        gaps: match sector[10] {
            2 => gaps(payload),
            3 => checkpoint_gaps(payload),
            _ => Vec::new(),
        },
    })
}

/// Gaps in a checkpoint that has one part; of others none.
fn checkpoint_gaps(payload: &[u8]) -> Vec<(Track, u64, u64)> {
    const HEAD_BYTES: usize = 120;
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
