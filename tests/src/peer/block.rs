//! Blocks as a source makes them, by the tables of `docs/formats.md`: what travels is the block from its origin part on.
//!
//! Not the core's encoder.

use crate::reader::Track;

/// Where the origin part begins in a block, and where what its hash covers ends.
const ORIGIN: std::ops::Range<usize> = 256..3584;
/// Bytes before the payload.
const SECTOR_BYTES: usize = 4096;

/// A block on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What is sent.
    pub body: Vec<u8>,
    /// Hash of its origin part.
    pub hash: [u8; 32],
    /// Hash of the origin part of the block before, as it says.
    pub previous: [u8; 32],
}

impl Made {
    /// A block of a track.
    pub fn new(track: &Track, number: u64, previous: [u8; 32], payload: &[u8]) -> Made {
        let mut sector = [0; SECTOR_BYTES];
        let mut put = |at: usize, bytes: &[u8]| sector[at..at + bytes.len()].copy_from_slice(bytes);
        put(256, &track.origin);
        put(272, &1u64.to_le_bytes());
        put(280, &5u64.to_le_bytes());
        put(288, track.camera.as_bytes());
        put(352, &[track.kind, 0, 0, 2]);
        put(356, &(payload.len() as u32).to_le_bytes());
        put(360, &number.to_le_bytes());
        for at in [368, 376, 384] {
            put(at, &(number + 1).to_le_bytes());
        }
        put(392, blake3::hash(payload).as_bytes());
        put(424, &previous);
        Made {
            body: [&sector[ORIGIN.start..], payload].concat(),
            hash: *blake3::hash(&sector[ORIGIN]).as_bytes(),
            previous,
        }
    }

    /// The payload in it.
    pub fn payload(&self) -> &[u8] {
        &self.body[SECTOR_BYTES - ORIGIN.start..]
    }

    /// Turns a bit of the origin part, or of the payload.
    pub fn alter(&mut self, payload: bool) {
        let at = if payload { SECTOR_BYTES } else { 360 };
        self.body[at - ORIGIN.start] ^= 1;
    }
}
