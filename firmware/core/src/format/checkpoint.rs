//! Checkpoints: the index of the blocks since the one before, the table of tips, the gaps, the
//! runs of fills, the notes. One to many blocks, called parts.
//!
//! The content is one byte string, cut into the payloads of consecutive blocks: entries first (so that the index of a segment
//! is in part 0), then tips, gaps, runs of fills, notes.

use alloc::vec::Vec;

use super::bytes::{all_zero, count_at, i64_at, put, u32_at, u64_at};
use super::notes::{TABLES, notes_bytes};
use super::record::{GapRange, reason_from, reason_number};
use super::scrub::SCRUB_BYTES;
use super::track::TIP_BYTES;
use super::{FormatError, Notes, ScrubState, Tip};

/// Bytes in front of each part's share of the content.
pub const PART_HEAD_BYTES: usize = 120;
/// Bytes of an encoded [`Entry`].
pub const ENTRY_BYTES: usize = 32;
/// Bytes of an encoded gap.
pub const GAP_BYTES: usize = 24;
/// Bytes of an encoded run of fills.
pub const FILLS_BYTES: usize = 40;
/// Set in an encoded track sequence: the block is a fill.
const FILL_BIT: u64 = 1 << 63;
/// [`Entry::track`] of a block that belongs to no track.
pub const NO_TRACK: u32 = u32::MAX;
/// [`Entry::track`] of a block that was damaged when the entry was made: whose it is, the block itself may tell another time.
pub const DAMAGED: u32 = u32::MAX - 1;

/// One block in the index: where it stands is where it lies in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Place of its track in the table of tips, or [`NO_TRACK`] (system, checkpoint), or [`DAMAGED`].
    pub track: u32,
    /// First four bytes of the BLAKE3 of its encoded track key, as a little endian number: the table may have been another.
    pub track_check: u32,
    /// Track sequence.
    pub track_sequence: u64,
    /// It came after the tip had passed that number.
    pub fill: bool,
    /// When its first byte came, UTC.
    pub begin_utc_ns: i64,
    /// First eight bytes of its origin hash, as a little endian number.
    pub hash_prefix: u64,
}

impl Entry {
    /// A block that belongs to no track.
    pub const OTHER: Entry = Entry {
        track: NO_TRACK,
        track_check: 0,
        track_sequence: 0,
        fill: false,
        begin_utc_ns: 0,
        hash_prefix: 0,
    };

    /// A block that was damaged.
    pub const DAMAGED: Entry = Entry {
        track: DAMAGED,
        ..Entry::OTHER
    };

    /// Whether it says which track the block belongs to.
    pub fn names_track(&self) -> bool {
        self.track != NO_TRACK && self.track != DAMAGED
    }

    fn encode(&self, into: &mut [u8]) {
        into[..ENTRY_BYTES].fill(0);
        put(into, 0, &self.track.to_le_bytes());
        put(into, 4, &self.track_check.to_le_bytes());
        let fill = if self.fill { FILL_BIT } else { 0 };
        put(into, 8, &(self.track_sequence | fill).to_le_bytes());
        put(into, 16, &self.begin_utc_ns.to_le_bytes());
        put(into, 24, &self.hash_prefix.to_le_bytes());
    }

    fn decode(bytes: &[u8]) -> Entry {
        Entry {
            track: u32_at(bytes, 0),
            track_check: u32_at(bytes, 4),
            track_sequence: u64_at(bytes, 8) & !FILL_BIT,
            fill: u64_at(bytes, 8) & FILL_BIT != 0,
            begin_utc_ns: i64_at(bytes, 16),
            hash_prefix: u64_at(bytes, 24),
        }
    }
}

/// Blocks that were filled in later: these track sequences lie in the log between these log sequences, in ascending order, one after
/// the other and perhaps with other blocks between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fills {
    /// First track sequence.
    pub from: u64,
    /// First track sequence behind.
    pub to: u64,
    /// Log sequence of the first.
    pub log_from: u64,
    /// Log sequence behind the last.
    pub log_to: u64,
}

impl Fills {
    fn encode(&self, track: u32, into: &mut [u8]) {
        put(into, 0, &track.to_le_bytes());
        put(into, 8, &self.from.to_le_bytes());
        put(into, 16, &self.to.to_le_bytes());
        put(into, 24, &self.log_from.to_le_bytes());
        put(into, 32, &self.log_to.to_le_bytes());
    }

    fn decode(bytes: &[u8], tips: usize) -> Result<(u32, Fills), FormatError> {
        let track = u32_at(bytes, 0);
        let fills = Fills {
            from: count_at(bytes, 8)?,
            to: count_at(bytes, 16)?,
            log_from: count_at(bytes, 24)?,
            log_to: count_at(bytes, 32)?,
        };
        let blocks = fills.to.checked_sub(fills.from).filter(|blocks| *blocks > 0);
        let room = fills.log_to.checked_sub(fills.log_from);
        if (track as usize) < tips && blocks.is_some() && room >= blocks && all_zero(&bytes[4..8]) {
            Ok((track, fills))
        } else {
            Err(FormatError::Field)
        }
    }
}

/// What a checkpoint says: the state of the archive before its own part 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// Log sequence of `entries[0]`.
    pub from_sequence: u64,
    /// Blocks from `from_sequence` up to the checkpoint's own log sequence.
    pub entries: Vec<Entry>,
    /// All tracks.
    pub tips: Vec<Tip>,
    /// Gaps, as (place of the track in `tips`, range).
    pub gaps: Vec<(u32, GapRange)>,
    /// Runs of fills, as (place of the track in `tips`, run).
    pub fills: Vec<(u32, Fills)>,
    /// Track sequence at which a track begins that is recorded here and is not in `tips`: lower ones may have been given out, in
    /// blocks that were lost.
    pub new_tracks_begin: u64,
    /// Tags and marks.
    pub notes: Notes,
    /// How far reading for damage has come.
    pub scrub: ScrubState,
}

/// The numbers in front of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PartHead {
    /// 0, 1, 2 …
    pub part: u32,
    /// Parts in all.
    pub parts: u32,
    /// Log sequence of part 0.
    pub sequence: u64,
    /// Log sequence of the first entry.
    pub from_sequence: u64,
    entries: u32,
    tips: u32,
    gaps: u32,
    fills: u32,
    new_tracks_begin: u64,
    notes: [u32; TABLES],
    scrub: ScrubState,
}

impl PartHead {
    /// Reads the numbers in front of a part's content.
    pub fn decode(payload: &[u8]) -> Result<PartHead, FormatError> {
        if payload.len() < PART_HEAD_BYTES {
            return Err(FormatError::Field);
        }
        let head = PartHead {
            part: u32_at(payload, 0),
            parts: u32_at(payload, 4),
            sequence: count_at(payload, 8)?,
            from_sequence: u64_at(payload, 16),
            entries: u32_at(payload, 24),
            tips: u32_at(payload, 28),
            gaps: u32_at(payload, 32),
            fills: u32_at(payload, 36),
            new_tracks_begin: count_at(payload, 40)?,
            notes: core::array::from_fn(|table| u32_at(payload, 48 + 4 * table)),
            scrub: ScrubState::decode(&payload[64..64 + SCRUB_BYTES])?,
        };
        let covered = head.sequence.checked_sub(head.from_sequence);
        if head.part < head.parts && covered == Some(u64::from(head.entries)) {
            Ok(head)
        } else {
            Err(FormatError::Field)
        }
    }

    /// More than an address holds on small machines, if the counts lie.
    fn content_bytes(&self) -> u64 {
        let bytes = |count: u32, each: usize| u64::from(count) * each as u64;
        bytes(self.entries, ENTRY_BYTES)
            + bytes(self.tips, TIP_BYTES)
            + bytes(self.gaps, GAP_BYTES)
            + bytes(self.fills, FILLS_BYTES)
            + notes_bytes(self.notes)
    }
}

impl Checkpoint {
    /// Bytes of the content; the last number is that of the notes.
    pub const fn content_bytes(entries: usize, tips: usize, gaps: usize, fills: usize, notes: usize) -> usize {
        entries * ENTRY_BYTES + tips * TIP_BYTES + gaps * GAP_BYTES + fills * FILLS_BYTES + notes
    }

    /// How many parts a content of that size takes with payloads of that capacity.
    pub fn parts(content_bytes: usize, payload_capacity_bytes: u32) -> u32 {
        let share = payload_capacity_bytes as usize - PART_HEAD_BYTES;
        content_bytes.div_ceil(share).max(1) as u32
    }

    /// The content as one byte string.
    pub fn content(&self) -> Vec<u8> {
        let (entries, tips, gaps, fills) = (self.entries.len(), self.tips.len(), self.gaps.len(), self.fills.len());
        let notes = notes_bytes(self.notes.rows()) as usize;
        let mut content = alloc::vec![0; Checkpoint::content_bytes(entries, tips, gaps, fills, notes)];
        let (entries, rest) = content.split_at_mut(entries * ENTRY_BYTES);
        let (tips, rest) = rest.split_at_mut(tips * TIP_BYTES);
        let (gaps, rest) = rest.split_at_mut(gaps * GAP_BYTES);
        let (fills, notes) = rest.split_at_mut(fills * FILLS_BYTES);
        self.notes.encode(notes);
        for (entry, into) in self.entries.iter().zip(entries.chunks_exact_mut(ENTRY_BYTES)) {
            entry.encode(into);
        }
        for (tip, into) in self.tips.iter().zip(tips.chunks_exact_mut(TIP_BYTES)) {
            tip.encode(into);
        }
        for ((track, gap), into) in self.gaps.iter().zip(gaps.chunks_exact_mut(GAP_BYTES)) {
            put(into, 0, &track.to_le_bytes());
            into[4] = reason_number(gap.reason);
            put(into, 8, &gap.from.to_le_bytes());
            put(into, 16, &gap.to.to_le_bytes());
        }
        for ((track, run), into) in self.fills.iter().zip(fills.chunks_exact_mut(FILLS_BYTES)) {
            run.encode(*track, into);
        }
        content
    }

    /// Writes part number `part` as a payload; returns its length.
    pub fn encode_part(&self, sequence: u64, part: u32, content: &[u8], payload: &mut [u8]) -> u32 {
        let share = payload.len() - PART_HEAD_BYTES;
        let parts = Checkpoint::parts(content.len(), payload.len() as u32);
        assert!(part < parts);
        let from = part as usize * share;
        let piece = &content[from..content.len().min(from + share)];
        payload[..PART_HEAD_BYTES].fill(0);
        put(payload, 0, &part.to_le_bytes());
        put(payload, 4, &parts.to_le_bytes());
        put(payload, 8, &sequence.to_le_bytes());
        put(payload, 16, &self.from_sequence.to_le_bytes());
        put(payload, 24, &(self.entries.len() as u32).to_le_bytes());
        put(payload, 28, &(self.tips.len() as u32).to_le_bytes());
        put(payload, 32, &(self.gaps.len() as u32).to_le_bytes());
        put(payload, 36, &(self.fills.len() as u32).to_le_bytes());
        put(payload, 40, &self.new_tracks_begin.to_le_bytes());
        for (table, rows) in self.notes.rows().into_iter().enumerate() {
            put(payload, 48 + 4 * table, &rows.to_le_bytes());
        }
        self.scrub.encode(&mut payload[64..64 + SCRUB_BYTES]);
        put(payload, PART_HEAD_BYTES, piece);
        (PART_HEAD_BYTES + piece.len()) as u32
    }

    /// The entries alone, from the payload of part 0, where they all are (see `limits::SEGMENT_BLOCKS_MAX`).
    pub fn decode_entries(payload: &[u8]) -> Result<(PartHead, Vec<Entry>), FormatError> {
        let head = PartHead::decode(payload)?;
        let entries = payload[PART_HEAD_BYTES..].chunks_exact(ENTRY_BYTES);
        if head.part != 0 || entries.len() < head.entries as usize {
            return Err(FormatError::Field);
        }
        Ok((head, entries.take(head.entries as usize).map(Entry::decode).collect()))
    }

    /// Everything, from the joined contents of all parts (each payload without its [`PART_HEAD_BYTES`]).
    pub fn decode(head: &PartHead, content: &[u8]) -> Result<Checkpoint, FormatError> {
        if content.len() as u64 != head.content_bytes() {
            return Err(FormatError::Field);
        }
        let (entries, rest) = content.split_at(head.entries as usize * ENTRY_BYTES);
        let (tips, rest) = rest.split_at(head.tips as usize * TIP_BYTES);
        let (gaps, rest) = rest.split_at(head.gaps as usize * GAP_BYTES);
        let (fills, notes) = rest.split_at(head.fills as usize * FILLS_BYTES);
        let tips: Vec<Tip> = tips.chunks_exact(TIP_BYTES).map(Tip::decode).collect::<Result<_, _>>()?;
        let gaps = gaps
            .chunks_exact(GAP_BYTES)
            .map(|bytes| {
                let (from, to) = (count_at(bytes, 8)?, count_at(bytes, 16)?);
                let track = u32_at(bytes, 0);
                if from < to && (track as usize) < tips.len() && all_zero(&bytes[5..8]) {
                    Ok((
                        track,
                        GapRange {
                            from,
                            to,
                            reason: reason_from(bytes[4])?,
                        },
                    ))
                } else {
                    Err(FormatError::Field)
                }
            })
            .collect::<Result<_, _>>()?;
        let fills = fills
            .chunks_exact(FILLS_BYTES)
            .map(|bytes| Fills::decode(bytes, tips.len()))
            .collect::<Result<_, _>>()?;
        let notes = Notes::decode(notes, head.notes, tips.len())?;
        Ok(Checkpoint {
            from_sequence: head.from_sequence,
            entries: entries.chunks_exact(ENTRY_BYTES).map(Entry::decode).collect(),
            tips,
            gaps,
            fills,
            new_tracks_begin: head.new_tracks_begin,
            notes,
            scrub: head.scrub,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::types::GapReason;
    use crate::format::TrackKey;

    #[test]
    fn goes_there_and_back_in_parts() {
        let key = |n: u32| TrackKey {
            origin: hal::Uuid([n as u8; 16]),
            camera: alloc::format!("cam-{n}").parse().unwrap(),
            kind: crate::Kind::Audio,
        };
        let checkpoint = Checkpoint {
            from_sequence: 100,
            entries: (0..50)
                .map(|n| Entry {
                    track: n % 3,
                    track_check: 7,
                    track_sequence: u64::from(n),
                    fill: n % 7 == 0,
                    begin_utc_ns: -5,
                    hash_prefix: 9,
                })
                .collect(),
            tips: (0..300).map(|n| Tip::new(key(n))).collect(),
            gaps: alloc::vec![(
                2,
                GapRange {
                    from: 4,
                    to: 9,
                    reason: GapReason::Damaged
                }
            )],
            fills: alloc::vec![(
                1,
                Fills {
                    from: 3,
                    to: 5,
                    log_from: 70,
                    log_to: 90
                }
            )],
            new_tracks_begin: 99,
            notes: crate::format::notes::tests::sample(),
            scrub: ScrubState {
                position: 3,
                began_utc_ns: -4,
                ..ScrubState::default()
            },
        };
        let content = checkpoint.content();
        let capacity = 4096;
        let parts = Checkpoint::parts(content.len(), capacity as u32);
        assert!(parts > 10);
        let mut joined = Vec::new();
        let mut last = None;
        for part in 0..parts {
            let mut payload = alloc::vec![0u8; capacity];
            let length = checkpoint.encode_part(150, part, &content, &mut payload) as usize;
            let head = PartHead::decode(&payload[..length]).unwrap();
            assert_eq!((head.part, head.parts, head.sequence), (part, parts, 150));
            if part == 0 {
                assert_eq!(Checkpoint::decode_entries(&payload[..length]).unwrap().1, checkpoint.entries);
            }
            joined.extend_from_slice(&payload[PART_HEAD_BYTES..length]);
            last = Some(head);
        }
        assert_eq!(Checkpoint::decode(&last.unwrap(), &joined), Ok(checkpoint));
        joined.pop();
        assert_eq!(Checkpoint::decode(&last.unwrap(), &joined), Err(FormatError::Field));
    }
}
