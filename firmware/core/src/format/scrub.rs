//! How far the reading of an archive for damage has come: kept in the log, so that it goes on after a restart.

use super::FormatError;
use super::bytes::{count_at, i64_at, put};

/// Bytes of an encoded [`ScrubState`].
pub const SCRUB_BYTES: usize = 56;

/// The pass that is on, and the one that ended last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScrubState {
    /// Next log sequence of the pass that is on.
    pub position: u64,
    /// When it began; 0 if none is on.
    pub began_utc_ns: i64,
    /// Damaged blocks it has found.
    pub damaged: u64,
    /// When the last whole pass ended; 0 if there was none.
    pub ended_utc_ns: i64,
    /// Log sequence at which it ended.
    pub ended_at: u64,
    /// Log sequences it looked at.
    pub ended_blocks: u64,
    /// Damaged blocks it found.
    pub ended_damaged: u64,
}

impl ScrubState {
    /// Seven numbers of eight bytes, in the order of the fields.
    pub fn encode(&self, into: &mut [u8]) {
        put(into, 0, &self.position.to_le_bytes());
        put(into, 8, &self.began_utc_ns.to_le_bytes());
        put(into, 16, &self.damaged.to_le_bytes());
        put(into, 24, &self.ended_utc_ns.to_le_bytes());
        put(into, 32, &self.ended_at.to_le_bytes());
        put(into, 40, &self.ended_blocks.to_le_bytes());
        put(into, 48, &self.ended_damaged.to_le_bytes());
    }

    /// The reverse of [`ScrubState::encode`].
    pub fn decode(bytes: &[u8]) -> Result<ScrubState, FormatError> {
        Ok(ScrubState {
            position: count_at(bytes, 0)?,
            began_utc_ns: i64_at(bytes, 8),
            damaged: count_at(bytes, 16)?,
            ended_utc_ns: i64_at(bytes, 24),
            ended_at: count_at(bytes, 32)?,
            ended_blocks: count_at(bytes, 40)?,
            ended_damaged: count_at(bytes, 48)?,
        })
    }
}
