//! Marks: named points, for every track its sequence and hash. The table as the log says it.
//!
//! Invariants: a mark counts once all its points are there; one that a crash cut short is forgotten at the next opening, and
//! whoever made or sent it does so again.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use hal::{Digest, Uuid};

use super::{Catalog, TrackId};
use crate::Name;
use crate::format::Record;
use crate::format::notes::{MarkHead, MarkPoint};
use crate::limits::{MARKS_MAX, POINTS_MAX};

/// Where a mark stands in a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Point {
    /// Track sequence of the first block behind the mark.
    pub next: u64,
    /// Origin hash of the block before that one; zero if there is none or it is not known.
    pub hash: Digest,
}

/// A mark.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Identity, name, where and when it was made.
    pub head: MarkHead,
    /// By track.
    pub points: BTreeMap<TrackId, Point>,
    /// Log sequence of its last record here; 0 if a checkpoint told of it.
    pub logged_at: u64,
}

/// How much of a mark is in an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Blocks it names.
    pub blocks: u64,
    /// Blocks that are neither durable here nor stated as missing.
    pub awaited: u64,
    /// Tracks whose block before the mark is another one here.
    pub diverged: u64,
}

/// All marks of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Marks {
    marks: Vec<Mark>,
    points: usize,
}

impl Mark {
    /// Whether all its points are there.
    pub fn is_whole(&self) -> bool {
        self.points.len() == self.head.points as usize
    }

    /// How much of it is durable in the archive of that catalog.
    pub fn progress(&self, catalog: &Catalog) -> Progress {
        let mut progress = Progress::default();
        for (id, point) in &self.points {
            let track = catalog.track(*id);
            progress.blocks += point.next;
            progress.awaited += point.next.saturating_sub(track.durable_next);
            let known = track.durable_hash != crate::format::NO_HASH && point.hash != crate::format::NO_HASH;
            let another = track.durable_next == point.next && known && track.durable_hash != point.hash;
            progress.diverged += u64::from(another);
        }
        progress
    }

    /// As records.
    pub fn to_records(&self, catalog: &Catalog) -> Vec<Record> {
        let points = self.points.iter().map(|(track, point)| Record::Point {
            mark: self.head.mark,
            key: catalog.track(*track).tip.key.clone(),
            next: point.next,
            hash: point.hash,
        });
        core::iter::once(Record::Mark(self.head.clone())).chain(points).collect()
    }
}

impl Marks {
    /// As a checkpoint says.
    pub fn from_rows(heads: Vec<MarkHead>, rows: &[MarkPoint]) -> Marks {
        let mut marks = Marks::default();
        for head in heads {
            marks.begin(&head, 0);
        }
        for row in rows {
            if let Some(mark) = marks.marks.get(row.mark as usize).map(|mark| mark.head.mark) {
                let point = Point {
                    next: row.next,
                    hash: row.hash,
                };
                marks.add(mark, TrackId(row.track), point, 0);
            }
        }
        marks
    }

    /// For a checkpoint.
    pub fn to_rows(&self) -> (Vec<MarkHead>, Vec<MarkPoint>) {
        let heads = self.marks.iter().map(|mark| mark.head.clone()).collect();
        let rows = self.marks.iter().enumerate().flat_map(|(place, mark)| {
            mark.points.iter().map(move |(track, point)| MarkPoint {
                mark: place as u32,
                track: track.0,
                next: point.next,
                hash: point.hash,
            })
        });
        (heads, rows.collect())
    }

    /// Marks that are whole, oldest first.
    pub fn whole(&self) -> impl Iterator<Item = &Mark> {
        self.marks.iter().filter(|mark| mark.is_whole())
    }

    /// A whole mark by its name.
    pub fn named(&self, name: &Name) -> Option<&Mark> {
        self.whole().find(|mark| mark.head.name == *name)
    }

    /// A whole mark by its identity.
    pub fn find(&self, mark: &Uuid) -> Option<&Mark> {
        self.whole().find(|one| one.head.mark == *mark)
    }

    /// Marks, whole or not.
    pub fn len(&self) -> usize {
        self.marks.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    /// Points of all marks.
    pub fn points(&self) -> usize {
        self.points
    }

    /// A mark begins; one of the same identity begins again.
    pub fn begin(&mut self, head: &MarkHead, log_sequence: u64) {
        self.forget(&head.mark);
        if self.marks.len() < MARKS_MAX {
            self.marks.push(Mark {
                head: head.clone(),
                points: BTreeMap::new(),
                logged_at: log_sequence,
            });
        }
    }

    /// A point of a mark that has begun.
    pub fn add(&mut self, mark: Uuid, track: TrackId, point: Point, log_sequence: u64) {
        if self.points >= POINTS_MAX {
            return;
        }
        if let Some(found) = self.marks.iter_mut().find(|one| one.head.mark == mark)
            && !found.is_whole()
            && found.points.insert(track, point).is_none()
        {
            found.logged_at = log_sequence;
            self.points += 1;
        }
    }

    /// A mark is no more.
    pub fn forget(&mut self, mark: &Uuid) {
        self.marks.retain(|one| one.head.mark != *mark);
        self.count();
    }

    /// Marks that were cut short are no more.
    pub fn forget_parts(&mut self) {
        self.marks.retain(Mark::is_whole);
        self.count();
    }

    fn count(&mut self) {
        self.points = self.marks.iter().map(|mark| mark.points.len()).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(mark: u8, points: u32) -> MarkHead {
        MarkHead {
            mark: Uuid([mark; 16]),
            name: alloc::format!("m{mark}").parse().unwrap(),
            made_in: Uuid([9; 16]),
            utc_ns: 5,
            points,
        }
    }

    #[test]
    fn a_mark_counts_once_it_is_whole() {
        let point = Point {
            next: 4,
            hash: Digest([1; 32]),
        };
        let mut marks = Marks::default();
        marks.begin(&head(1, 2), 0);
        marks.add(Uuid([1; 16]), TrackId(0), point, 0);
        marks.add(Uuid([2; 16]), TrackId(1), point, 0);
        assert!(marks.named(&"m1".parse().unwrap()).is_none());
        let (heads, rows) = marks.to_rows();
        assert_eq!(Marks::from_rows(heads, &rows), marks, "a checkpoint keeps a part too");
        marks.add(Uuid([1; 16]), TrackId(1), point, 0);
        assert!(marks.named(&"m1".parse().unwrap()).is_some());
        marks.begin(&head(2, 1), 0);
        marks.forget_parts();
        assert_eq!((marks.len(), marks.points()), (1, 2));
        marks.forget(&Uuid([1; 16]));
        assert_eq!((marks.is_empty(), marks.points()), (true, 0));
    }

    #[test]
    fn a_mark_of_no_track_is_whole_at_once() {
        let mut marks = Marks::default();
        marks.begin(&head(3, 0), 0);
        assert!(marks.find(&Uuid([3; 16])).is_some());
    }
}
