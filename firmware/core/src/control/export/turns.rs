//! Which blocks of a camera that several origins have belong into one export, and in which order. Pure: headers go in.
//!
//! The origins stand in a row: what was recorded in this archive first, then what was recorded elsewhere, then files of cards; among
//! equals the one that covers more time. Of each only those blocks are taken whose time the ones before it do not cover. A file that is
//! no transport stream is taken whole or not at all. What is taken comes as turns, in the order of time.
//!
//! Invariants: no block is in two turns; a turn's blocks are consecutive and lie one behind the other in the log; memory grows with the
//! number of turns and holes, which is bounded.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::ops::Range;
use hal::{ClockQuality, Uuid};

use super::why_missing;
use crate::archive::{Archive, TrackId};
use crate::control::types::{Hole, LeftOut, MissingWhat};
use crate::format::Origin;
use crate::limits::{MISSING_MAX, TURNS_MAX};
use crate::recorder::container::Container;
use crate::times::{SILENCE_NS, Stretches};

/// Blocks of one track that are exported one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Turn {
    /// Whose.
    pub track: TrackId,
    /// They came later than their place in the track.
    pub fill: bool,
    /// Their numbers.
    pub numbers: Range<u64>,
    /// Where in the log they lie.
    pub log: Range<u64>,
    container: Container,
    begin_utc_ns: i64,
    end_utc_ns: i64,
    rank: usize,
}

/// What is known of a track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Found {
    times: Stretches,
    /// It has blocks from files.
    of_files: bool,
    rank: usize,
    /// Covered by those before it in the row.
    better: Stretches,
    turns: [Vec<Turn>; 2],
    next: Option<u64>,
    end_utc_ns: i64,
    /// Latest beginning so far: a block of a track does not come before the one before it, whatever its clock said.
    latest_utc_ns: i64,
    /// The file that was looked at last, and whether it is taken.
    file: Option<((u64, i64), bool)>,
}

/// Numbers that are not there, and the time they may have had.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lacking {
    track: TrackId,
    numbers: Range<u64>,
    begin_utc_ns: i64,
    end_utc_ns: i64,
}

/// A plan that is being made: headers are looked through once for the times, and once more for the turns.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Plan {
    from_utc_ns: Option<i64>,
    to_utc_ns: Option<i64>,
    tracks: BTreeMap<TrackId, Found>,
    is_ranked: bool,
    lacking: Vec<Lacking>,
    turns: usize,
    /// Blocks that others cover, by track and in order.
    left_out: Vec<(TrackId, Range<u64>)>,
    left_out_blocks: BTreeMap<TrackId, u64>,
}

impl Plan {
    /// Of these tracks, and of blocks that end after the one time and begin before the other.
    pub fn new(tracks: &BTreeSet<TrackId>, (from_utc_ns, to_utc_ns): (Option<i64>, Option<i64>)) -> Plan {
        let blank = Found {
            latest_utc_ns: i64::MIN,
            ..Found::default()
        };
        Plan {
            from_utc_ns,
            to_utc_ns,
            tracks: tracks.iter().map(|track| (*track, blank.clone())).collect(),
            is_ranked: false,
            lacking: Vec::new(),
            turns: 0,
            left_out: Vec::new(),
            left_out_blocks: BTreeMap::new(),
        }
    }

    /// Whether headers of a track are looked at in this pass.
    pub fn looks_at(&self, track: TrackId) -> bool {
        let found = self.tracks.get(&track);
        found.is_some_and(|found| !self.is_ranked || found.rank > 0)
    }

    /// Whether there is more than can be kept.
    pub fn is_too_long(&self) -> bool {
        self.turns > TURNS_MAX
    }

    /// A header of a track that is looked at.
    pub fn on_header(&mut self, track: TrackId, log_sequence: u64, fill: bool, origin: &Origin, archive: &Archive) {
        let (begin, end) = (origin.begin_utc_ns, origin.end_utc_ns.max(origin.begin_utc_ns));
        let in_range = self.from_utc_ns.is_none_or(|from| end > from) && self.to_utc_ns.is_none_or(|to| begin < to);
        let Some(found) = self.tracks.get_mut(&track).filter(|_| in_range) else {
            return;
        };
        let number = origin.track_sequence;
        if self.is_ranked {
            if found.is_covered(origin) {
                *self.left_out_blocks.entry(track).or_default() += 1;
                let has_room = self.left_out.len() < MISSING_MAX;
                match self.left_out.last_mut() {
                    Some((last, numbers)) if *last == track && numbers.end == number => numbers.end += 1,
                    Some(_) | None if has_room => self.left_out.push((track, number..number + 1)),
                    Some(_) | None => {}
                }
                return;
            }
        } else {
            found.of_files |= origin.file.is_some();
            if origin.clock != ClockQuality::Unset {
                found.times.add(begin, end);
            }
            if !fill {
                let first = if self.from_utc_ns.is_none() { 0 } else { number };
                let (next, before) = found.next.map_or((first, i64::MIN), |next| (next, found.end_utc_ns));
                if next > number {
                    return;
                }
                found.next = Some(number + 1);
                found.end_utc_ns = end;
                lack(&mut self.lacking, track, next..number, (before, begin), archive);
            }
        }
        self.turns += usize::from(found.take(track, log_sequence, fill, origin));
    }

    /// All headers have been looked at. True if they are to be looked at once more.
    pub fn end_pass(&mut self, archive: &Archive) -> bool {
        if self.is_ranked {
            return false;
        }
        self.is_ranked = true;
        let mut row: Vec<TrackId> = self.tracks.keys().copied().collect();
        row.sort_by_key(|id| {
            let (key, found) = (&archive.catalog.track(*id).tip.key, &self.tracks[id]);
            let elsewhere = key.origin != archive.uuid;
            (elsewhere, found.of_files, -found.times.length_ns(), key.origin)
        });
        let mut covered = Stretches::default();
        for (rank, id) in row.iter().enumerate() {
            let Some(found) = self.tracks.get_mut(id) else { continue };
            found.rank = rank;
            found.better = covered.clone();
            found.times.iter().for_each(|(begin, end)| covered.add(begin, end));
            if self.to_utc_ns.is_none()
                && let Some(next) = found.next
            {
                let end = archive.catalog.track(*id).durable_next;
                lack(
                    &mut self.lacking,
                    *id,
                    next..end.max(next),
                    (found.end_utc_ns, i64::MAX),
                    archive,
                );
            }
            if rank > 0 {
                let turns: usize = found.turns.iter().map(Vec::len).sum();
                self.turns -= turns;
                found.turns = Default::default();
                found.latest_utc_ns = i64::MIN;
            }
        }
        row.iter()
            .skip(1)
            .any(|id| !self.tracks[id].times.is_empty() || self.tracks[id].next.is_some())
    }

    /// The turns, in order. None if what they carry cannot be put into one file: two origins of it.
    pub fn turns(&mut self, archive: &Archive) -> Result<Vec<Turn>, (Uuid, Uuid)> {
        let mut turns = Vec::new();
        for found in self.tracks.values_mut() {
            for mut some in core::mem::take(&mut found.turns) {
                some.iter_mut().for_each(|turn| turn.rank = found.rank);
                turns.append(&mut some);
            }
        }
        turns.sort_by_key(|turn| (turn.begin_utc_ns, turn.rank, turn.numbers.start));
        let origin = |turn: &Turn| archive.catalog.track(turn.track).tip.key.origin;
        if let Some(first) = turns.first()
            && let Some(other) = turns.iter().find(|turn| turn.container != first.container)
        {
            return Err((origin(first), origin(other)));
        }
        Ok(turns)
    }

    /// What is missing though nobody covers its time.
    pub fn holes(&self, archive: &Archive) -> (u64, Vec<Hole>) {
        let mut covered = Stretches::default();
        for found in self.tracks.values() {
            found.times.iter().for_each(|(begin, end)| covered.add(begin, end));
        }
        let (mut missing, mut holes) = (0u64, Vec::new());
        for lacking in &self.lacking {
            if covered.covers(lacking.begin_utc_ns, lacking.end_utc_ns.max(lacking.begin_utc_ns)) {
                continue;
            }
            let is_first = self.tracks[&lacking.track].rank == 0;
            let origin = archive.catalog.track(lacking.track).tip.key.origin;
            for (from, to, what) in why_missing(lacking.track, lacking.numbers.clone(), archive) {
                // What was left out on its way here, others have.
                if is_first || what != MissingWhat::Filtered {
                    missing = missing.saturating_add(to - from);
                    holes.push(Hole {
                        from,
                        to,
                        what,
                        origin: Some(origin),
                    });
                }
            }
        }
        holes.truncate(MISSING_MAX);
        (missing, holes)
    }

    /// What was left out because others cover its time.
    pub fn left_out(&self, archive: &Archive) -> Vec<LeftOut> {
        let one = |(track, numbers): &(TrackId, Range<u64>)| LeftOut {
            origin: archive.catalog.track(*track).tip.key.origin,
            from: numbers.start,
            to: numbers.end,
        };
        self.left_out.iter().map(one).collect()
    }

    /// The tracks in their row, and how many blocks of each were left out.
    pub fn row(&self) -> Vec<(TrackId, u64)> {
        let mut row: Vec<_> = self.tracks.iter().map(|(track, found)| (found.rank, *track)).collect();
        row.sort_unstable();
        let left = |track| self.left_out_blocks.get(&track).copied().unwrap_or(0);
        row.into_iter().map(|(_, track)| (track, left(track))).collect()
    }
}

impl Found {
    /// Whether those before it in the row cover the time of a block; of a piece of a file that is of use only as a whole, that of the
    /// file.
    fn is_covered(&mut self, origin: &Origin) -> bool {
        if origin.clock == ClockQuality::Unset {
            return false;
        }
        let (mut begin, mut end) = (origin.begin_utc_ns, origin.end_utc_ns.max(origin.begin_utc_ns));
        let Some(file) = origin.file.as_ref().filter(|_| origin.container != Container::MpegTs) else {
            return self.better.covers(begin, end);
        };
        let id = (file.path, file.begin_ns);
        if let Some((last, taken)) = self.file
            && last == id
        {
            return !taken;
        }
        (begin, end) = origin.whole_utc_ns();
        let covered = self.better.covers(begin, end);
        self.file = Some((id, !covered));
        covered
    }

    /// Puts a block at the end of a turn, or begins one. True if it began one.
    fn take(&mut self, track: TrackId, log_sequence: u64, fill: bool, origin: &Origin) -> bool {
        let (begin, end) = (origin.begin_utc_ns, origin.end_utc_ns.max(origin.begin_utc_ns));
        let number = origin.track_sequence;
        if !fill {
            self.latest_utc_ns = self.latest_utc_ns.max(begin);
        }
        let turns = &mut self.turns[usize::from(fill)];
        if let Some(last) = turns.last_mut()
            && last.numbers.end == number
            && last.log.end <= log_sequence
            && last.container == origin.container
            && begin.saturating_sub(last.end_utc_ns) < SILENCE_NS
        {
            last.numbers.end += 1;
            last.log.end = log_sequence + 1;
            last.end_utc_ns = last.end_utc_ns.max(end);
            return false;
        }
        turns.push(Turn {
            track,
            fill,
            numbers: number..number + 1,
            log: log_sequence..log_sequence + 1,
            container: origin.container,
            begin_utc_ns: if fill { begin } else { self.latest_utc_ns },
            end_utc_ns: end,
            rank: 0,
        });
        true
    }
}

/// Notes what no block of a track is there of, without what was filled in.
fn lack(all: &mut Vec<Lacking>, track: TrackId, numbers: Range<u64>, (begin_utc_ns, end_utc_ns): (i64, i64), archive: &Archive) {
    let mut add = |numbers: Range<u64>| {
        if !numbers.is_empty() && all.len() < MISSING_MAX {
            all.push(Lacking {
                track,
                numbers,
                begin_utc_ns,
                end_utc_ns,
            });
        }
    };
    let mut from = numbers.start;
    for filled in archive.catalog.filled_ranges(track, numbers.clone()) {
        add(from..filled.start);
        from = filled.end;
    }
    add(from..numbers.end);
}
