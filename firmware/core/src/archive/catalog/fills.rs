//! Blocks of a track that came after the tip had passed their numbers: which are on their way, and where the others lie.
//!
//! A fill never moves a tip. Its evidence is its block in the log; a gap that it fills is trimmed or split when it gets its place
//! there, so that recovery, which sees the same blocks in the same order, comes to the same state.
//!
//! Invariants: numbers of a run follow each other, and so do their log sequences; no more runs than a checkpoint has room for.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Catalog, TrackId};
use crate::control::types::GapReason;
use crate::format::checkpoint::Fills;
use crate::format::record::GapRange;
use crate::format::{Entry, Origin};
use crate::limits::{FILLS_MAX, GAPS_MAX};
use hal::Digest;

impl Catalog {
    /// A fill has been accepted and waits for its place in the log.
    pub fn accept_fill(&mut self, id: TrackId, track_sequence: u64) {
        self.filling.insert((id, track_sequence));
    }

    /// Whether a fill was accepted and has no place in the log yet.
    pub fn is_filling(&self, id: TrackId, track_sequence: u64) -> bool {
        self.filling.contains(&(id, track_sequence))
    }

    /// Whether another fill finds room.
    pub fn has_room_for_fill(&self) -> bool {
        self.fills.len() + self.filling.len() < FILLS_MAX
    }

    /// A fill got its place in the log. The entry goes into the index, the number out of its gap.
    pub fn log_fill(&mut self, log_sequence: u64, id: TrackId, origin: &Origin, hash: &Digest) {
        let number = origin.track_sequence;
        self.filling.remove(&(id, number));
        self.fill_gap(id, number);
        let goes_on = |(track, run): &&mut (TrackId, Fills)| *track == id && run.to == number && run.log_to <= log_sequence;
        match self.fills.iter_mut().rev().find(goes_on) {
            Some((_, run)) => {
                run.to = number + 1;
                run.log_to = log_sequence + 1;
            }
            None => {
                if self.fills.len() == FILLS_MAX {
                    self.fills.pop_front();
                }
                let run = Fills {
                    from: number,
                    to: number + 1,
                    log_from: log_sequence,
                    log_to: log_sequence + 1,
                };
                self.fills.push_back((id, run));
            }
        }
        let entry = Entry {
            fill: true,
            ..self.entry(id, origin, hash)
        };
        self.log(log_sequence, entry);
    }

    /// Takes a number out of the gap that it lies in.
    fn fill_gap(&mut self, id: TrackId, number: u64) {
        let holds = |(track, gap): &(TrackId, GapRange)| *track == id && (gap.from..gap.to).contains(&number);
        let Some(at) = self.gaps.iter().rposition(holds) else { return };
        let gap = self.gaps[at].1;
        let behind = GapRange { from: number + 1, ..gap };
        if gap.from < number {
            self.gaps[at].1.to = number;
            if behind.from < behind.to {
                self.gaps.insert(at + 1, (id, behind));
            }
        } else if behind.from < behind.to {
            self.gaps[at].1 = behind;
        } else {
            self.gaps.remove(at);
        }
        if self.gaps.len() > GAPS_MAX {
            self.gaps.pop_front();
        }
    }

    /// The newest run of fills that a number lies in.
    pub fn fills_at(&self, id: TrackId, number: u64) -> Option<Fills> {
        let holds = |(track, run): &&(TrackId, Fills)| *track == id && (run.from..run.to).contains(&number);
        self.fills.iter().rev().find(holds).map(|(_, run)| *run)
    }

    /// The next numbers from one on that lie in one run, newest first where several have the same: first, behind the last, the run.
    pub fn next_piece(&self, id: TrackId, from: u64) -> Option<(u64, u64, Fills)> {
        let begin = match self.fills_at(id, from) {
            Some(_) => from,
            None => self.next_fills(id, from)?,
        };
        let run = self.fills_at(id, begin)?;
        // Where a newer run begins, that one counts.
        let others = self
            .fills
            .iter()
            .filter(|(track, other)| *track == id && other.log_to > run.log_to);
        let newer = others.map(|(_, other)| other.from).filter(|other| *other > begin).min();
        Some((begin, newer.map_or(run.to, |newer| newer.min(run.to)), run))
    }

    /// Every run of fills, oldest first.
    pub fn fills(&self) -> impl DoubleEndedIterator<Item = (TrackId, Fills)> + '_ {
        self.fills.iter().copied()
    }

    /// Where the run begins that is the next behind a number that is in none.
    pub fn next_fills(&self, id: TrackId, number: u64) -> Option<u64> {
        let behind = self.fills.iter().filter(|(track, run)| *track == id && run.from > number);
        behind.map(|(_, run)| run.from).min()
    }

    /// Numbers of a track that were filled in later, of what the log still has.
    pub fn filled(&self, id: TrackId) -> u64 {
        let mine = self.fills.iter().filter(|(track, _)| *track == id);
        mine.map(|(_, run)| run.to - run.from).sum()
    }

    /// The numbers of a range that were filled in later, as ranges in order.
    pub fn filled_ranges(&self, id: TrackId, range: Range<u64>) -> Vec<Range<u64>> {
        let mine = self.fills.iter().filter(|(track, _)| *track == id);
        let within = mine.map(|(_, run)| run.from.max(range.start)..run.to.min(range.end));
        let mut pieces: Vec<Range<u64>> = within.filter(|piece| piece.start < piece.end).collect();
        pieces.sort_unstable_by_key(|piece| piece.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for piece in pieces {
            match joined.last_mut() {
                Some(last) if piece.start <= last.end => last.end = last.end.max(piece.end),
                _ => joined.push(piece),
            }
        }
        joined
    }

    /// How many numbers of a range were filled in later.
    pub fn filled_within(&self, id: TrackId, range: Range<u64>) -> u64 {
        let ranges = self.filled_ranges(id, range);
        ranges.iter().map(|range| range.end - range.start).sum()
    }

    /// Forgets runs that the ring has given up, as far as the oldest readable log sequence.
    pub fn forget_fills(&mut self, oldest: u64) {
        self.fills.retain(|(_, run)| run.log_to > oldest);
    }

    /// Whether something is stated here to come later.
    pub fn awaits_fills(&self, id: TrackId) -> bool {
        let awaits = |(track, gap): &(TrackId, GapRange)| *track == id && gap.reason == GapReason::Later;
        self.gaps.iter().any(awaits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::format::header::tests::sample;
    use crate::format::{NO_HASH, Record, TrackKey};

    fn catalog_with_gap(from: u64, to: u64) -> (Catalog, TrackId) {
        let key = TrackKey {
            origin: hal::Uuid([7; 16]),
            camera: "gate".parse().unwrap(),
            kind: Kind::Video,
        };
        let mut catalog = Catalog::default();
        let id = catalog.place(&key).unwrap();
        let gap = GapRange {
            from,
            to,
            reason: GapReason::Overwritten,
        };
        let record = Record::Gap {
            key,
            gap,
            hash_after: NO_HASH,
        };
        catalog.accept_record(&record);
        catalog.log_record(&record, 0);
        catalog.log_other(0);
        (catalog, id)
    }

    fn fill(catalog: &mut Catalog, at: u64, id: TrackId, number: u64) {
        let origin = Origin {
            track_sequence: number,
            ..sample().1
        };
        catalog.accept_fill(id, number);
        assert!(catalog.is_filling(id, number));
        catalog.log_fill(at, id, &origin, &Digest([1; 32]));
        assert!(!catalog.is_filling(id, number));
    }

    fn gaps(catalog: &Catalog) -> alloc::vec::Vec<(u64, u64)> {
        catalog.gaps().map(|(_, gap)| (gap.from, gap.to)).collect()
    }

    #[test]
    fn a_gap_is_trimmed_and_split_and_closed() {
        let (mut catalog, id) = catalog_with_gap(0, 6);
        fill(&mut catalog, 1, id, 3);
        assert_eq!(gaps(&catalog), [(0, 3), (4, 6)]);
        fill(&mut catalog, 2, id, 0);
        assert_eq!(gaps(&catalog), [(1, 3), (4, 6)]);
        fill(&mut catalog, 3, id, 5);
        assert_eq!(gaps(&catalog), [(1, 3), (4, 5)]);
        for (at, number) in (4..).zip([1, 2, 4]) {
            fill(&mut catalog, at, id, number);
        }
        assert_eq!(gaps(&catalog), []);
        assert_eq!(catalog.track(id).tip.next, 6, "a fill moves no tip");
        assert_eq!(catalog.filled(id), 6);
    }

    #[test]
    fn runs_join_and_are_forgotten_with_their_blocks() {
        let (mut catalog, id) = catalog_with_gap(0, 10);
        fill(&mut catalog, 1, id, 4);
        catalog.log_other(2);
        fill(&mut catalog, 3, id, 5);
        fill(&mut catalog, 4, id, 1);
        let run = |from, to, log_from, log_to| Fills {
            from,
            to,
            log_from,
            log_to,
        };
        let runs: alloc::vec::Vec<_> = catalog.fills().map(|(_, run)| run).collect();
        assert_eq!(runs, [run(4, 6, 1, 4), run(1, 2, 4, 5)]);
        assert_eq!(catalog.fills_at(id, 5), Some(run(4, 6, 1, 4)));
        assert_eq!(catalog.next_piece(id, 2), Some((4, 6, run(4, 6, 1, 4))));
        assert_eq!((catalog.fills_at(id, 6), catalog.next_fills(id, 2)), (None, Some(4)));
        let again = Catalog::from_checkpoint(catalog.to_checkpoint(0));
        assert_eq!(
            again.fills().collect::<alloc::vec::Vec<_>>(),
            catalog.fills().collect::<alloc::vec::Vec<_>>()
        );
        assert_eq!(gaps(&again), gaps(&catalog));
        assert!(again.recent(3).is_some_and(|entry| entry.fill && entry.track_sequence == 5));
        catalog.forget_fills(4);
        assert_eq!(catalog.fills_at(id, 4), None);
        assert!(catalog.fills_at(id, 1).is_some());
    }

    #[test]
    fn a_number_that_was_filled_twice_is_where_it_came_last() {
        let (mut catalog, id) = catalog_with_gap(0, 4);
        for (at, number) in [(1, 0), (2, 1), (3, 2), (4, 3), (5, 1)] {
            fill(&mut catalog, at, id, number);
        }
        let pieces = |from| {
            catalog
                .next_piece(id, from)
                .map(|(begin, end, run)| (begin, end, run.log_from))
        };
        assert_eq!(
            [pieces(0), pieces(1), pieces(2), pieces(4)],
            [Some((0, 1, 1)), Some((1, 2, 5)), Some((2, 4, 1)), None]
        );
        assert_eq!(catalog.filled_ranges(id, 1..9).first(), Some(&(1..4)));
        assert_eq!((catalog.filled_within(id, 0..9), catalog.filled_within(id, 4..9)), (4, 0));
    }

    #[test]
    fn there_is_room_for_so_many_runs_and_no_more() {
        let (mut catalog, id) = catalog_with_gap(0, 3 * FILLS_MAX as u64);
        for at in 0..FILLS_MAX as u64 {
            assert!(catalog.has_room_for_fill());
            fill(&mut catalog, at + 1, id, 2 * at);
        }
        assert!(!catalog.has_room_for_fill());
    }
}
