//! Small records, many to one system block: leases, gaps, tags, marks, how far a scrub has come.
//!
//! A system block's payload is a count (`u32`), four zero bytes, then that many records of [`RECORD_BYTES`].

use hal::{Digest, Fingerprint, Uuid};

use super::bytes::{all_zero, array_at, count_at, put, u32_at, u64_at};
use super::notes::{MARK_BYTES, MarkHead};
use super::scrub::SCRUB_BYTES;
use super::track::{CAMERA_BYTES, TRACK_KEY_BYTES, camera_at};
use super::{FormatError, Lease, ScrubState, TrackKey};
use crate::Name;
use crate::control::types::GapReason;

/// Bytes of an encoded record.
pub const RECORD_BYTES: usize = 192;
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
    /// These blocks have the tag from now on, or have it no more.
    Tag {
        /// Track.
        key: TrackKey,
        /// First track sequence.
        from: u64,
        /// First behind.
        to: u64,
        /// The tag.
        name: Name,
        /// Set, or unset.
        set: bool,
    },
    /// A mark begins: as many points follow as it says.
    Mark(MarkHead),
    /// Where a mark stands in a track.
    Point {
        /// Which mark.
        mark: Uuid,
        /// Track.
        key: TrackKey,
        /// Track sequence of the first block behind the mark.
        next: u64,
        /// Origin hash of the block before that one; zero if there is none or it is not known.
        hash: Digest,
    },
    /// The mark is no more.
    Unmark(Uuid),
    /// How far reading for damage has come.
    Scrub(ScrubState),
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
            Record::Tag {
                key,
                from,
                to,
                name,
                set,
            } => {
                into[0] = if *set { 3 } else { 4 };
                key.encode(&mut into[8..8 + TRACK_KEY_BYTES]);
                put(into, 96, &from.to_le_bytes());
                put(into, 104, &to.to_le_bytes());
                put(into, 112, name.as_bytes());
            }
            Record::Mark(mark) => {
                into[0] = 5;
                mark.encode(&mut into[8..8 + MARK_BYTES]);
            }
            Record::Point { mark, key, next, hash } => {
                into[0] = 6;
                key.encode(&mut into[8..8 + TRACK_KEY_BYTES]);
                put(into, 96, &next.to_le_bytes());
                put(into, 112, &hash.0);
                put(into, 144, &mark.0);
            }
            Record::Unmark(mark) => {
                into[0] = 7;
                put(into, 8, &mark.0);
            }
            Record::Scrub(state) => {
                into[0] = 8;
                state.encode(&mut into[8..8 + SCRUB_BYTES]);
            }
        }
    }

    fn decode(bytes: &[u8]) -> Result<Record, FormatError> {
        // Bytes used behind the eight in front.
        let used = match bytes[0] {
            1 | 2 => 136,
            3 | 4 => 168,
            5 => MARK_BYTES,
            6 => 152,
            7 => 16,
            8 => SCRUB_BYTES,
            _ => return Err(FormatError::Field),
        };
        let plain = bytes[0] == 2 || bytes[1] == 0;
        if !plain || !all_zero(&bytes[2..8]) || !all_zero(&bytes[8 + used..RECORD_BYTES]) {
            return Err(FormatError::Field);
        }
        match bytes[0] {
            5 => return MarkHead::decode(&bytes[8..8 + MARK_BYTES]).map(Record::Mark),
            7 => return Ok(Record::Unmark(Uuid(array_at(bytes, 8)))),
            8 => return ScrubState::decode(&bytes[8..8 + SCRUB_BYTES]).map(Record::Scrub),
            _ => {}
        }
        let key = TrackKey::decode(&bytes[8..8 + TRACK_KEY_BYTES])?;
        let (first, last) = (count_at(bytes, 96)?, array_at(bytes, 112));
        match bytes[0] {
            1 => Ok(Record::Lease {
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
            set @ (3 | 4) => {
                let to = count_at(bytes, 104)?;
                let name = camera_at(&bytes[112..112 + CAMERA_BYTES])?;
                if first >= to {
                    return Err(FormatError::Field);
                }
                Ok(Record::Tag {
                    key,
                    from: first,
                    to,
                    name,
                    set: set == 3,
                })
            }
            _ if !all_zero(&bytes[104..112]) => Err(FormatError::Field),
            _ => Ok(Record::Point {
                mark: Uuid(array_at(bytes, 144)),
                key,
                next: first,
                hash: Digest(last),
            }),
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
