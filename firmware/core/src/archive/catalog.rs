//! What an archive knows of its tracks without reading: tips, gaps, and the index of its newest blocks.
//!
//! Two views of a tip: *accepted* (what the next block must follow) and *durable* (what may be acknowledged and hauled on).
//! Invariants: durable is never ahead of accepted; a track's place in the table never changes while the archive is open.

mod fills;

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use hal::Digest;

use super::marks::{Marks, Point};
use super::tagged::Tagged;
use crate::control::types::GapReason;
use crate::format::checkpoint::{Entry, Fills};
use crate::format::notes::notes_bytes;
use crate::format::record::GapRange;
use crate::format::{Checkpoint, NO_HASH, Notes, Origin, Record, ScrubState, Tip, TrackKey};
use crate::limits::{FILLS_MAX, GAPS_MAX, TRACKS_MAX};

/// Place of a track in the table of its archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackId(pub u32);

/// One track.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Track {
    /// As accepted.
    pub tip: Tip,
    /// As it stands in the log: what a checkpoint written now must say. What was accepted and waits is not in it.
    logged: Tip,
    /// All track sequences below are durable here, or stated as gaps.
    pub durable_next: u64,
    /// Hash of the origin part of block `durable_next - 1`; zero if it is not known.
    pub durable_hash: Digest,
    /// All lower track sequences lie below the oldest log sequence, as far as that was looked at: they do not exist any more.
    pub first: u64,
    /// See [`track_check`].
    check: u32,
}

/// All tracks of an archive, its gaps, and the index of its newest blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Catalog {
    tracks: Vec<Track>,
    places: BTreeMap<TrackKey, TrackId>,
    gaps: VecDeque<(TrackId, GapRange)>,
    /// Runs of fills, oldest first.
    fills: VecDeque<(TrackId, Fills)>,
    /// Fills that were accepted and have no place in the log yet.
    filling: BTreeSet<(TrackId, u64)>,
    /// Tracks that a checkpoint has room for; see `limits::tracks_max`.
    tracks_max: Option<usize>,
    /// Log sequence of `recent[0]`.
    recent_from: u64,
    recent: VecDeque<Entry>,
    /// See [`Checkpoint::new_tracks_begin`].
    new_tracks_begin: u64,
    /// Tags, as the log says them.
    pub tagged: Tagged,
    /// Marks, as the log says them.
    pub marks: Marks,
    /// How far reading for damage has come; the log knows it as of some time ago.
    pub scrub: ScrubState,
}

/// A number that tells tracks apart with near certainty, for index entries: a look at the block itself decides.
pub fn track_check(key: &TrackKey) -> u32 {
    let mut bytes = [0; crate::format::track::TRACK_KEY_BYTES];
    key.encode(&mut bytes);
    let hash = blake3::hash(&bytes);
    let mut four = [0; 4];
    four.copy_from_slice(&hash.as_bytes()[..4]);
    u32::from_le_bytes(four)
}

/// First eight bytes of a hash as a number.
pub fn hash_prefix(hash: &Digest) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&hash.0[..8]);
    u64::from_le_bytes(eight)
}

impl Catalog {
    /// As a checkpoint at log sequence `sequence` says.
    pub fn from_checkpoint(checkpoint: Checkpoint) -> Catalog {
        let mut catalog = Catalog::default();
        for tip in checkpoint.tips {
            let id = catalog.place(&tip.key);
            if let Some(id) = id {
                let track = &mut catalog.tracks[id.0 as usize];
                track.durable_next = tip.next;
                track.durable_hash = tip.hash;
                track.logged = tip.clone();
                track.tip = tip;
            }
        }
        catalog.gaps = checkpoint
            .gaps
            .into_iter()
            .map(|(track, gap)| (TrackId(track), gap))
            .collect();
        let surplus = checkpoint.fills.len().saturating_sub(FILLS_MAX);
        let fills = checkpoint.fills.into_iter().skip(surplus);
        catalog.fills = fills.map(|(track, run)| (TrackId(track), run)).collect();
        catalog.new_tracks_begin = checkpoint.new_tracks_begin;
        let notes = checkpoint.notes;
        catalog.tagged = Tagged::from_rows(&notes.tag_names, &notes.tags);
        catalog.marks = Marks::from_rows(notes.marks, &notes.points);
        catalog.scrub = checkpoint.scrub;
        catalog.recent_from = checkpoint.from_sequence;
        catalog.recent = checkpoint.entries.into();
        catalog
    }

    /// From now on no more tracks than that.
    pub fn bound(&mut self, tracks_max: usize) {
        self.tracks_max = Some(tracks_max);
    }

    /// The state as a checkpoint: the entries from `from_sequence` on, every tip, every gap.
    pub fn to_checkpoint(&self, from_sequence: u64) -> Checkpoint {
        let skipped = from_sequence.saturating_sub(self.recent_from) as usize;
        let (tag_names, tags) = self.tagged.to_rows();
        let (marks, points) = self.marks.to_rows();
        Checkpoint {
            from_sequence: from_sequence.max(self.recent_from),
            entries: self.recent.iter().skip(skipped).copied().collect(),
            tips: self.tracks.iter().map(|track| track.logged.clone()).collect(),
            gaps: self.gaps.iter().map(|(track, gap)| (track.0, *gap)).collect(),
            fills: self.fills.iter().map(|(track, run)| (track.0, *run)).collect(),
            new_tracks_begin: self.new_tracks_begin,
            notes: Notes {
                tag_names,
                tags,
                marks,
                points,
            },
            scrub: self.scrub,
        }
    }

    /// Bytes of the notes in a checkpoint.
    pub fn notes_bytes(&self) -> usize {
        let names = if self.tagged.is_empty() {
            0
        } else {
            self.tagged.names().len()
        };
        let rows = [names, self.tagged.len(), self.marks.len(), self.marks.points()];
        notes_bytes(rows.map(|rows| rows as u32)) as usize
    }

    /// All tracks, in the order of their places.
    pub fn tracks(&self) -> &[Track] {
        &self.tracks
    }

    /// A track by its place.
    pub fn track(&self, id: TrackId) -> &Track {
        &self.tracks[id.0 as usize]
    }

    /// A track by its place.
    pub fn track_mut(&mut self, id: TrackId) -> &mut Track {
        &mut self.tracks[id.0 as usize]
    }

    /// Where a track stands in the table.
    pub fn find(&self, key: &TrackKey) -> Option<TrackId> {
        self.places.get(key).copied()
    }

    /// Where a track stands in the table; a new one gets a place, unless the table is full.
    pub fn place(&mut self, key: &TrackKey) -> Option<TrackId> {
        if let Some(id) = self.find(key) {
            return Some(id);
        }
        if self.tracks.len() >= self.tracks_max.unwrap_or(TRACKS_MAX) {
            return None;
        }
        let id = TrackId(self.tracks.len() as u32);
        self.tracks.push(Track {
            tip: Tip::new(key.clone()),
            logged: Tip::new(key.clone()),
            durable_next: 0,
            durable_hash: NO_HASH,
            first: 0,
            check: track_check(key),
        });
        self.places.insert(key.clone(), id);
        Some(id)
    }

    /// Blocks below that log sequence were lost, and with them tracks of which nothing else may be known. No track has more blocks
    /// than the log: a new one that begins there repeats no number.
    pub fn begin_new_tracks_at(&mut self, head: u64) {
        self.new_tracks_begin = head;
    }

    /// What a track that is recorded here states first, if it is new and its first numbers may have been given out.
    pub fn lost_beginning(&self, id: TrackId) -> Option<Record> {
        let tip = &self.track(id).tip;
        (tip.next == 0 && self.new_tracks_begin > 0).then(|| Record::Gap {
            key: tip.key.clone(),
            gap: GapRange {
                from: 0,
                to: self.new_tracks_begin,
                reason: GapReason::Damaged,
            },
            hash_after: NO_HASH,
        })
    }

    /// Gaps, oldest first.
    pub fn gaps(&self) -> impl Iterator<Item = (TrackId, GapRange)> + '_ {
        self.gaps.iter().copied()
    }

    /// Number of gaps.
    pub fn gap_count(&self) -> usize {
        self.gaps.len()
    }

    /// Bytes of a checkpoint written now, with so many entries.
    pub fn checkpoint_bytes(&self, entries: usize) -> usize {
        Checkpoint::content_bytes(
            entries,
            self.tracks.len(),
            self.gaps.len(),
            self.fills.len(),
            self.notes_bytes(),
        )
    }

    /// The gap that a track sequence lies in.
    pub fn gap_at(&self, id: TrackId, track_sequence: u64) -> Option<GapRange> {
        self.gaps
            .iter()
            .rev()
            .find(|(track, gap)| *track == id && (gap.from..gap.to).contains(&track_sequence))
            .map(|(_, gap)| *gap)
    }

    /// A block of a track has been accepted: the tip moves.
    pub fn accept_block(&mut self, id: TrackId, origin: &Origin, hash: Digest) {
        let tip = &mut self.tracks[id.0 as usize].tip;
        tip.next = origin.track_sequence + 1;
        tip.hash = hash;
        tip.last_utc_ns = origin.end_utc_ns;
    }

    /// A record has been accepted: the tip or the lease moves.
    pub fn accept_record(&mut self, record: &Record) {
        match record {
            Record::Lease { key, lease, holder } => {
                if let Some(id) = self.place(key) {
                    let tip = &mut self.tracks[id.0 as usize].tip;
                    tip.lease = *lease;
                    tip.holder = *holder;
                }
            }
            Record::Gap { key, gap, hash_after } => {
                if let Some(id) = self.place(key) {
                    let tip = &mut self.tracks[id.0 as usize].tip;
                    tip.next = gap.to;
                    tip.hash = *hash_after;
                }
            }
            // Of notes only the log is asked.
            Record::Tag { .. } | Record::Mark(_) | Record::Point { .. } | Record::Unmark(_) | Record::Scrub(_) => {}
        }
    }

    /// A record got its place in the log.
    pub fn log_record(&mut self, record: &Record, log_sequence: u64) {
        match record {
            Record::Tag {
                key,
                from,
                to,
                name,
                set,
            } => {
                if let Some(id) = self.find(key) {
                    if *set {
                        self.tagged.set(id, name, *from..*to, log_sequence);
                    } else {
                        self.tagged.unset(id, name, *from..*to);
                    }
                }
            }
            Record::Mark(head) => self.marks.begin(head, log_sequence),
            Record::Point { mark, key, next, hash } => {
                if let Some(id) = self.place(key) {
                    let point = Point {
                        next: *next,
                        hash: *hash,
                    };
                    self.marks.add(*mark, id, point, log_sequence);
                }
            }
            Record::Unmark(mark) => self.marks.forget(mark),
            Record::Scrub(state) => self.scrub = *state,
            Record::Lease { key, lease, holder } => {
                if let Some(id) = self.place(key) {
                    let logged = &mut self.tracks[id.0 as usize].logged;
                    logged.lease = *lease;
                    logged.holder = *holder;
                }
            }
            Record::Gap { key, gap, hash_after } => {
                if let Some(id) = self.place(key) {
                    let logged = &mut self.tracks[id.0 as usize].logged;
                    // What was lost may be readable again: blocks that the log has come before the statement that they are missing.
                    let missing = GapRange {
                        from: gap.from.max(logged.next),
                        ..*gap
                    };
                    logged.next = gap.to.max(logged.next);
                    logged.hash = *hash_after;
                    if missing.from < missing.to {
                        if self.gaps.len() == GAPS_MAX {
                            self.gaps.pop_front();
                        }
                        self.gaps.push_back((id, missing));
                    }
                }
            }
        }
    }

    /// A block of a track got its place in the log. The entry goes into the index.
    pub fn log_block(&mut self, log_sequence: u64, id: TrackId, origin: &Origin, hash: &Digest) {
        let track = &mut self.tracks[id.0 as usize];
        track.tip.last_log_sequence = log_sequence;
        track.logged.last_log_sequence = log_sequence;
        track.logged.next = origin.track_sequence + 1;
        track.logged.hash = *hash;
        track.logged.last_utc_ns = origin.end_utc_ns;
        self.log(log_sequence, self.entry(id, origin, hash));
    }

    fn entry(&self, id: TrackId, origin: &Origin, hash: &Digest) -> Entry {
        Entry {
            track: id.0,
            track_check: self.tracks[id.0 as usize].check,
            track_sequence: origin.track_sequence,
            fill: false,
            begin_utc_ns: origin.begin_utc_ns,
            hash_prefix: hash_prefix(hash),
        }
    }

    /// A damaged block has its place in the log.
    pub fn log_damaged(&mut self, log_sequence: u64) {
        self.log(log_sequence, Entry::DAMAGED);
    }

    /// A block of no track has its place in the log.
    pub fn log_other(&mut self, log_sequence: u64) {
        self.log(log_sequence, Entry::OTHER);
    }

    fn log(&mut self, log_sequence: u64, entry: Entry) {
        if self.recent.is_empty() {
            self.recent_from = log_sequence;
        }
        assert!(
            log_sequence == self.recent_from + self.recent.len() as u64,
            "the log has no holes"
        );
        self.recent.push_back(entry);
    }

    /// Lets go of index entries below a log sequence: a durable checkpoint has them.
    pub fn forget_recent(&mut self, below: u64) {
        while self.recent_from < below && self.recent.pop_front().is_some() {
            self.recent_from += 1;
        }
    }

    /// First log sequence in the index.
    pub fn recent_from(&self) -> u64 {
        self.recent_from
    }

    /// The index entry of a log sequence, if it is in memory.
    pub fn recent(&self, log_sequence: u64) -> Option<&Entry> {
        let at = log_sequence.checked_sub(self.recent_from)?;
        self.recent.get(at as usize)
    }

    /// All index entries in memory with their log sequences.
    pub fn recent_all(&self) -> impl DoubleEndedIterator<Item = (u64, &Entry)> {
        self.recent
            .iter()
            .enumerate()
            .map(|(at, entry)| (self.recent_from + at as u64, entry))
    }

    /// The track of an index entry, also of one that was written when the table was another. None: the block itself must tell.
    pub fn track_of(&self, entry: &Entry) -> Option<TrackId> {
        let same = |track: &Track| track.check == entry.track_check;
        if self.tracks.get(entry.track as usize).is_some_and(same) {
            return Some(TrackId(entry.track));
        }
        if !entry.names_track() {
            return None;
        }
        self.tracks.iter().position(same).map(|place| TrackId(place as u32))
    }

    /// The oldest log sequence is the one at which the tips were these.
    pub fn begin_at(&mut self, tips: &[Tip]) {
        for tip in tips {
            if let Some(id) = self.find(&tip.key) {
                let track = self.track_mut(id);
                track.first = track.first.max(tip.next);
            }
        }
    }

    /// Everything accepted is durable: what recovery has found.
    pub fn all_durable(&mut self) {
        for track in &mut self.tracks {
            track.durable_next = track.tip.next;
            track.durable_hash = track.tip.hash;
        }
        self.marks.forget_parts();
    }
}
