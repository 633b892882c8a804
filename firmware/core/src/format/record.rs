//! Small records, many to one system block: leases and gaps.
//!
//! A system block's payload is a count (`u32`), four zero bytes, then that many records of [`RECORD_BYTES`].

use hal::{Digest, Fingerprint};

use super::bytes::{all_zero, array_at, count_at, put, u32_at, u64_at};
use super::track::TRACK_KEY_BYTES;
use super::{FormatError, Lease, TrackKey};
use crate::control::types::GapReason;

/// Bytes of an encoded record.
pub const RECORD_BYTES: usize = 160;
const COUNT_BYTES: usize = 8;

/// One record of a system block.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Record {
    /// From now on only this lease may append the track.
    Lease {
        /// Track.
        key: TrackKey,
        /// Granted.
        lease: Lease,
        /// Key of the peer it was granted to.
        holder: Fingerprint,
    },
    /// These track sequences are missing here, for this reason; the next one is `to`.
    Gap {
        /// Track.
        key: TrackKey,
        /// What is missing.
        gap: GapRange,
        /// Hash of the origin part of block `to - 1`, as the source knows it; zero if it does not.
        hash_after: Digest,
    },
}

/// A stretch of missing track sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct GapRange {
    /// First missing.
    pub from: u64,
    /// First behind that is not missing.
    pub to: u64,
    /// Why.
    pub reason: GapReason,
}

/// Number of a reason in records and checkpoints.
pub fn reason_number(reason: GapReason) -> u8 {
    match reason {
        GapReason::Overwritten => 1,
        GapReason::Damaged => 2,
        GapReason::Filtered => 3,
        GapReason::Expired => 4,
        GapReason::NotRetrieved => 5,
        GapReason::Later => 6,
    }
}

/// The reverse of [`reason_number`].
pub fn reason_from(number: u8) -> Result<GapReason, FormatError> {
    match number {
        1 => Ok(GapReason::Overwritten),
        2 => Ok(GapReason::Damaged),
        3 => Ok(GapReason::Filtered),
        4 => Ok(GapReason::Expired),
        5 => Ok(GapReason::NotRetrieved),
        6 => Ok(GapReason::Later),
        _ => Err(FormatError::Field),
    }
}

impl Record {
    fn encode(&self, into: &mut [u8]) {
        into[..RECORD_BYTES].fill(0);
        match self {
            Record::Lease { key, lease, holder } => {
                into[0] = 1;
                key.encode(&mut into[8..8 + TRACK_KEY_BYTES]);
                put(into, 96, &lease.counter.to_le_bytes());
                put(into, 104, &lease.nonce.to_le_bytes());
                put(into, 112, &holder.0);
            }
            Record::Gap { key, gap, hash_after } => {
                into[0] = 2;
                into[1] = reason_number(gap.reason);
                key.encode(&mut into[8..8 + TRACK_KEY_BYTES]);
                put(into, 96, &gap.from.to_le_bytes());
                put(into, 104, &gap.to.to_le_bytes());
                put(into, 112, &hash_after.0);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Result<Record, FormatError> {
        if !all_zero(&bytes[2..8]) || !all_zero(&bytes[144..RECORD_BYTES]) {
            return Err(FormatError::Field);
        }
        let key = TrackKey::decode(&bytes[8..8 + TRACK_KEY_BYTES])?;
        let (first, last) = (count_at(bytes, 96)?, array_at(bytes, 112));
        match bytes[0] {
            1 if bytes[1] == 0 => Ok(Record::Lease {
                key,
                lease: Lease {
                    counter: first,
                    nonce: u64_at(bytes, 104),
                },
                holder: Fingerprint(last),
            }),
            2 => {
                let gap = GapRange {
                    from: first,
                    to: count_at(bytes, 104)?,
                    reason: reason_from(bytes[1])?,
                };
                if gap.from >= gap.to {
                    return Err(FormatError::Field);
                }
                Ok(Record::Gap {
                    key,
                    gap,
                    hash_after: Digest(last),
                })
            }
            _ => Err(FormatError::Field),
        }
    }
}

/// How many records fit a payload of that capacity.
pub fn records_max(payload_capacity_bytes: u32) -> usize {
    (payload_capacity_bytes as usize - COUNT_BYTES) / RECORD_BYTES
}

/// Writes records as the payload of a system block; returns its length. At most [`records_max`].
pub fn encode_records<'a>(records: impl ExactSizeIterator<Item = &'a Record>, payload: &mut [u8]) -> u32 {
    let count = records.len();
    payload[..COUNT_BYTES].fill(0);
    put(payload, 0, &(count as u32).to_le_bytes());
    for (index, record) in records.enumerate() {
        record.encode(&mut payload[COUNT_BYTES + index * RECORD_BYTES..][..RECORD_BYTES]);
    }
    (COUNT_BYTES + count * RECORD_BYTES) as u32
}

/// Reads the payload of a system block whose digest has been checked.
pub fn decode_records(payload: &[u8]) -> Result<alloc::vec::Vec<Record>, FormatError> {
    if payload.len() < COUNT_BYTES || !all_zero(&payload[4..COUNT_BYTES]) {
        return Err(FormatError::Field);
    }
    let body = &payload[COUNT_BYTES..];
    if u64::from(u32_at(payload, 0)) * RECORD_BYTES as u64 != body.len() as u64 {
        return Err(FormatError::Field);
    }
    body.chunks_exact(RECORD_BYTES).map(Record::decode).collect()
}
