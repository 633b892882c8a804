//! Which times of tracks are covered by blocks, and what is missing of them, by kind.
//!
//! Two views of the same blocks: track sequences that are not there, each with a kind, and times in which nothing was recorded.
//! Invariant: the lists are bounded; what finds no place is counted.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::archive::{Archive, TrackId};
use crate::control::types::{Missing, MissingWhat};
use crate::format::Origin;
use crate::limits::{MISSING_MAX, STRETCHES_MAX};
use crate::times::SILENCE_NS;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cover {
    from_utc_ns: i64,
    to_utc_ns: i64,
    /// What is missing, in the order of the log.
    pub missing: Vec<(TrackId, Missing)>,
    /// Stretches that found no place.
    pub left_out: u64,
    /// Covered times of all tracks, neither overlapping nor touching.
    stretches: BTreeMap<i64, i64>,
    tracks: BTreeMap<TrackId, Last>,
}

/// The newest block of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Last {
    next: u64,
    end_utc_ns: i64,
}

impl Cover {
    /// Of a range of time; of everything if none.
    pub fn new(from_utc_ns: Option<i64>, to_utc_ns: Option<i64>) -> Cover {
        Cover {
            from_utc_ns: from_utc_ns.unwrap_or(i64::MIN),
            to_utc_ns: to_utc_ns.unwrap_or(i64::MAX),
            missing: Vec::new(),
            left_out: 0,
            stretches: BTreeMap::new(),
            tracks: BTreeMap::new(),
        }
    }

    pub(super) fn on_block(&mut self, track: TrackId, origin: &Origin, archive: &Archive) {
        let (begin, end) = (origin.begin_utc_ns, origin.end_utc_ns.max(origin.begin_utc_ns));
        let last = self.tracks.get(&track).copied();
        if last.is_some_and(|last| origin.track_sequence < last.next) {
            return;
        }
        // Without a block before, the search for the beginning has passed over what lies before it.
        let (next, before) = match last {
            Some(last) => (last.next, last.end_utc_ns),
            None if self.from_utc_ns == i64::MIN => (0, begin),
            None => (origin.track_sequence, self.from_utc_ns),
        };
        if next < origin.track_sequence {
            let sequences = next..origin.track_sequence;
            self.missing_sequences(track, sequences, (before, begin), last.is_none(), archive);
        } else if begin.saturating_sub(before) >= SILENCE_NS && (last.is_some() || self.from_utc_ns != i64::MIN) {
            let what = match last {
                None if origin.track_sequence > 0 => MissingWhat::Expired,
                _ => MissingWhat::NotRecorded,
            };
            self.add(
                track,
                origin.track_sequence..origin.track_sequence,
                (before, begin),
                what,
                archive,
            );
        }
        self.cover(
            if begin.saturating_sub(before) < SILENCE_NS {
                before.min(begin)
            } else {
                begin
            },
            end,
        );
        let last = Last {
            next: origin.track_sequence + 1,
            end_utc_ns: last.map_or(end, |last| last.end_utc_ns.max(end)),
        };
        self.tracks.insert(track, last);
    }

    /// A block that came later than its place in the track: its time is covered, and its number is not missing.
    pub(super) fn on_fill(&mut self, origin: &Origin) {
        self.cover(origin.begin_utc_ns, origin.end_utc_ns);
    }

    pub(super) fn on_end(&mut self, tracks: &BTreeSet<TrackId>, archive: &Archive) {
        for track in tracks {
            let state = archive.catalog.track(*track);
            let last = self.tracks.get(track).copied();
            let before = last.map_or(self.from_utc_ns, |last| last.end_utc_ns);
            let next = last.map_or(0, |last| last.next);
            let until = self.to_utc_ns;
            if next < state.durable_next && (last.is_some() || self.from_utc_ns == i64::MIN) && until == i64::MAX {
                self.missing_sequences(*track, next..state.durable_next, (before, until), last.is_none(), archive);
            } else if until != i64::MAX && until.saturating_sub(before) >= SILENCE_NS {
                // Of a track that was recorded elsewhere more may be there.
                let what = if state.tip.key.origin == archive.uuid {
                    MissingWhat::NotRecorded
                } else {
                    MissingWhat::NotRetrieved
                };
                self.add(*track, next..next, (before, until), what, archive);
            }
        }
    }

    /// Track sequences that no block had in its place: without those that came later.
    fn missing_sequences(
        &mut self,
        track: TrackId,
        sequences: core::ops::Range<u64>,
        times: (i64, i64),
        first: bool,
        archive: &Archive,
    ) {
        let mut from = sequences.start;
        for filled in archive.catalog.filled_ranges(track, sequences.clone()) {
            if from < filled.start {
                self.missing_between(track, from..filled.start, times, first, archive);
            }
            from = filled.end;
        }
        if from < sequences.end {
            self.missing_between(track, from..sequences.end, times, first, archive);
        }
    }

    /// Track sequences that are not there, by what the gaps say of them.
    fn missing_between(
        &mut self,
        track: TrackId,
        sequences: core::ops::Range<u64>,
        times: (i64, i64),
        first: bool,
        archive: &Archive,
    ) {
        let mut from = sequences.start;
        // What was freed or given up is said once, whatever else was missing of it.
        let given_up = archive.catalog.track(track).first.min(sequences.end);
        if from < given_up {
            self.add(track, from..given_up, times, MissingWhat::Expired, archive);
            from = given_up;
        }
        let mut stated: Vec<_> = archive
            .catalog
            .gaps()
            .filter(|(id, gap)| *id == track && gap.from < sequences.end && gap.to > sequences.start)
            .map(|(_, gap)| gap)
            .collect();
        stated.sort_unstable();
        // What no gap states and no block has: given up by the ring, or damaged here.
        let other = if first && archive.oldest() > 0 {
            MissingWhat::Expired
        } else {
            MissingWhat::Damaged
        };
        for gap in stated {
            if from < gap.from {
                self.add(track, from..gap.from, times, other, archive);
            }
            let what = MissingWhat::from(gap.reason);
            let (begin, end) = (gap.from.max(from), gap.to.min(sequences.end));
            if begin < end {
                self.add(track, begin..end, times, what, archive);
            }
            from = from.max(end);
        }
        if from < sequences.end {
            self.add(track, from..sequences.end, times, other, archive);
        }
    }

    fn add(&mut self, track: TrackId, sequences: core::ops::Range<u64>, times: (i64, i64), what: MissingWhat, archive: &Archive) {
        let (from, to) = (times.0.max(self.from_utc_ns), times.1.min(self.to_utc_ns));
        if from > to || (self.from_utc_ns != i64::MIN && from == to) {
            return;
        }
        if self.missing.len() >= MISSING_MAX {
            self.left_out += 1;
            return;
        }
        let key = &archive.catalog.track(track).tip.key;
        let known = |time: i64| if time == i64::MIN || time == i64::MAX { 0 } else { time };
        let missing = Missing {
            origin: key.origin,
            kind: key.kind,
            from: sequences.start,
            to: sequences.end,
            from_utc_ns: known(from),
            to_utc_ns: known(to),
            what,
        };
        self.missing.push((track, missing));
    }

    fn cover(&mut self, begin: i64, end: i64) {
        let (mut begin, mut end) = (begin.max(self.from_utc_ns), end.min(self.to_utc_ns));
        if begin >= end {
            return;
        }
        let first = self.stretches.range(..=begin).next_back().map_or(begin, |(from, _)| *from);
        let joined: Vec<(i64, i64)> = self
            .stretches
            .range(first..=end)
            .filter(|(_, to)| **to >= begin)
            .map(|(from, to)| (*from, *to))
            .collect();
        for (from, to) in joined {
            self.stretches.remove(&from);
            (begin, end) = (begin.min(from), end.max(to));
        }
        if self.stretches.len() < STRETCHES_MAX {
            self.stretches.insert(begin, end);
        } else {
            self.left_out += 1;
        }
    }

    /// Whether anything of the range is covered.
    pub fn has_any(&self) -> bool {
        !self.stretches.is_empty()
    }

    /// The times of the range that no track covers, each with the kind of what is missing most of it.
    pub fn holes(&self) -> Vec<(i64, i64, MissingWhat)> {
        let mut holes = Vec::new();
        let mut from = self.from_utc_ns;
        let ends = self.stretches.iter().map(|(begin, end)| (*begin, *end));
        for (begin, end) in ends.chain(core::iter::once((self.to_utc_ns, self.to_utc_ns))) {
            if begin.saturating_sub(from) >= SILENCE_NS {
                holes.push((from, begin, self.what_of(from, begin)));
            }
            from = from.max(end);
        }
        holes
    }

    fn what_of(&self, from: i64, to: i64) -> MissingWhat {
        let overlap = |missing: &Missing| missing.to_utc_ns.min(to).saturating_sub(missing.from_utc_ns.max(from));
        let found = self.missing.iter().filter(|(_, missing)| overlap(missing) > 0);
        found
            .max_by_key(|(_, missing)| (missing.to > missing.from, overlap(missing)))
            .map_or(MissingWhat::NotRecorded, |(_, missing)| missing.what)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = 1_000_000_000;

    #[test]
    fn times_join_and_holes_are_what_is_left() {
        let mut cover = Cover::new(Some(0), Some(100 * S));
        for (begin, end) in [(10, 20), (30, 40), (20, 25), (-5, 3), (39, 60), (90, 200)] {
            cover.cover(begin * S, end * S);
        }
        let holes: Vec<_> = cover.holes().iter().map(|(from, to, _)| (from / S, to / S)).collect();
        assert_eq!(holes, [(3, 10), (25, 30), (60, 90)]);
        assert!(cover.has_any());
        assert_eq!(Cover::new(Some(0), Some(S * 9)).holes().len(), 1);
    }
}
