//! Tags: labels on ranges of tracks, local to an archive. The table as the log says it; the records in the log are the journal.
//!
//! Invariants: the ranges of one tag on one track neither overlap nor touch; every range lies before the record that set it, so that
//! in a ring a range may be forgotten once that record is gone.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::TrackId;
use crate::Name;
use crate::format::notes::TagRange;

/// A tagged range of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Stretch {
    to: u64,
    log_sequence: u64,
}

/// All tags of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Tagged {
    /// By tag and track, then by first track sequence.
    ranges: BTreeMap<TrackId, BTreeMap<Name, BTreeMap<u64, Stretch>>>,
    /// Number of ranges.
    count: usize,
}

impl Tagged {
    /// As a checkpoint says.
    pub fn from_rows(names: &[Name], rows: &[TagRange]) -> Tagged {
        let mut tagged = Tagged::default();
        for row in rows {
            if let Some(name) = names.get(row.name as usize) {
                tagged.set(TrackId(row.track), name, row.from..row.to, row.log_sequence);
            }
        }
        tagged
    }

    /// For a checkpoint.
    pub fn to_rows(&self) -> (Vec<Name>, Vec<TagRange>) {
        let names = self.names();
        let rows = self.all().map(|(track, name, range, log_sequence)| TagRange {
            track: track.0,
            name: names.binary_search(name).unwrap_or_default() as u32,
            from: range.start,
            to: range.end,
            log_sequence,
        });
        let rows = rows.collect();
        (names, rows)
    }

    /// The tags that are in use, in order.
    pub fn names(&self) -> Vec<Name> {
        let mut names: Vec<Name> = self.ranges.values().flat_map(BTreeMap::keys).cloned().collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Number of tagged ranges.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether nothing is tagged.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Only the tags that are asked for.
    pub fn only(&self, asked: impl Fn(&Name) -> bool) -> Tagged {
        let mut some = Tagged::default();
        for (track, name, range, log_sequence) in self.all().filter(|(_, name, ..)| asked(name)) {
            some.set(track, name, range, log_sequence);
        }
        some
    }

    /// Whether some block has a tag.
    pub fn uses(&self, name: &Name) -> bool {
        self.ranges.values().any(|names| names.contains_key(name))
    }

    /// Whether a block of a track that lies in a range has a tag.
    pub fn touches(&self, track: TrackId, name: &Name, range: core::ops::Range<u64>) -> bool {
        self.covered(track, name, range) > 0
    }

    /// Every tagged range, by track, tag and sequence, with the log sequence of the record that set it.
    pub fn all(&self) -> impl Iterator<Item = (TrackId, &Name, core::ops::Range<u64>, u64)> {
        self.ranges.iter().flat_map(|(track, names)| {
            names.iter().flat_map(move |(name, stretches)| {
                stretches
                    .iter()
                    .map(move |(from, stretch)| (*track, name, *from..stretch.to, stretch.log_sequence))
            })
        })
    }

    /// The tags of one block. Costs as much as its track has different tags.
    pub fn of_block(&self, track: TrackId, track_sequence: u64) -> impl Iterator<Item = &Name> {
        let names = self.ranges.get(&track).into_iter().flatten();
        names.filter_map(move |(name, stretches)| covers(stretches, track_sequence).then_some(name))
    }

    /// Whether a block has a tag.
    pub fn has(&self, track: TrackId, track_sequence: u64, name: &Name) -> bool {
        let stretches = self.ranges.get(&track).and_then(|names| names.get(name));
        stretches.is_some_and(|stretches| covers(stretches, track_sequence))
    }

    /// How many of the blocks of a range have a tag.
    pub fn covered(&self, track: TrackId, name: &Name, range: core::ops::Range<u64>) -> u64 {
        let stretches = self.ranges.get(&track).and_then(|names| names.get(name));
        let within = |(from, stretch): (&u64, &Stretch)| stretch.to.min(range.end).saturating_sub((*from).max(range.start));
        stretches.into_iter().flatten().map(within).sum()
    }

    /// The blocks have the tag.
    pub fn set(&mut self, track: TrackId, name: &Name, range: core::ops::Range<u64>, log_sequence: u64) {
        if range.is_empty() {
            return;
        }
        let stretches = self.ranges.entry(track).or_default().entry(name.clone()).or_default();
        let (mut from, mut whole) = (
            range.start,
            Stretch {
                to: range.end,
                log_sequence,
            },
        );
        // From the last that begins before, every one that overlaps or touches becomes a part of the new one.
        let first = stretches.range(..=from).next_back().map_or(from, |(from, _)| *from);
        let joined: Vec<(u64, Stretch)> = stretches
            .range(first..=range.end)
            .filter(|(_, stretch)| stretch.to >= range.start)
            .map(|(from, stretch)| (*from, *stretch))
            .collect();
        for (begins, stretch) in &joined {
            stretches.remove(begins);
            from = from.min(*begins);
            whole.to = whole.to.max(stretch.to);
            whole.log_sequence = whole.log_sequence.max(stretch.log_sequence);
        }
        stretches.insert(from, whole);
        self.count = self.count + 1 - joined.len();
    }

    /// The blocks have the tag no more.
    pub fn unset(&mut self, track: TrackId, name: &Name, range: core::ops::Range<u64>) {
        let Some(names) = self.ranges.get_mut(&track).filter(|_| !range.is_empty()) else {
            return;
        };
        let Some(stretches) = names.get_mut(name) else { return };
        let first = stretches
            .range(..=range.start)
            .next_back()
            .map_or(range.start, |(from, _)| *from);
        let cut: Vec<(u64, Stretch)> = stretches
            .range(first..range.end.max(first))
            .filter(|(_, stretch)| stretch.to > range.start)
            .map(|(from, stretch)| (*from, *stretch))
            .collect();
        for (from, stretch) in cut {
            stretches.remove(&from);
            self.count -= 1;
            if from < range.start {
                stretches.insert(
                    from,
                    Stretch {
                        to: range.start,
                        ..stretch
                    },
                );
                self.count += 1;
            }
            if stretch.to > range.end {
                stretches.insert(range.end, stretch);
                self.count += 1;
            }
        }
        if stretches.is_empty() {
            names.remove(name);
        }
        if names.is_empty() {
            self.ranges.remove(&track);
        }
    }

    /// Forgets ranges whose record lies below a log sequence: their blocks are gone.
    pub fn forget_below(&mut self, oldest: u64) {
        for names in self.ranges.values_mut() {
            for stretches in names.values_mut() {
                stretches.retain(|_, stretch| stretch.log_sequence >= oldest);
            }
            names.retain(|_, stretches| !stretches.is_empty());
        }
        self.ranges.retain(|_, names| !names.is_empty());
        self.count = self.all().count();
    }
}

fn covers(stretches: &BTreeMap<u64, Stretch>, track_sequence: u64) -> bool {
    let before = stretches.range(..=track_sequence).next_back();
    before.is_some_and(|(_, stretch)| track_sequence < stretch.to)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    fn ranges(tagged: &Tagged) -> Vec<(u64, u64)> {
        tagged.all().map(|(_, _, range, _)| (range.start, range.end)).collect()
    }

    #[test]
    fn ranges_join_and_are_cut() {
        let (track, tag) = (TrackId(0), name("motion"));
        let mut tagged = Tagged::default();
        tagged.set(track, &tag, 10..20, 1);
        tagged.set(track, &tag, 30..40, 2);
        tagged.set(track, &tag, 20..25, 3);
        assert_eq!(ranges(&tagged), [(10, 25), (30, 40)]);
        tagged.set(track, &tag, 5..50, 4);
        assert_eq!((ranges(&tagged), tagged.len()), (alloc::vec![(5, 50)], 1));
        tagged.unset(track, &tag, 10..20);
        assert_eq!((ranges(&tagged), tagged.len()), (alloc::vec![(5, 10), (20, 50)], 2));
        assert!(tagged.has(track, 9, &tag) && !tagged.has(track, 10, &tag) && !tagged.has(track, 50, &tag));
        assert_eq!(tagged.covered(track, &tag, 8..22), 4);
        tagged.unset(track, &tag, 0..100);
        assert!(tagged.is_empty() && tagged.names().is_empty());
    }

    /// Every set and unset over a small line of blocks, against a list of which block has the tag.
    #[test]
    fn every_block_has_what_was_said_of_it_last() {
        let (track, tag) = (TrackId(3), name("court"));
        let mut state = 7u64;
        for _ in 0..2_000 {
            let mut tagged = Tagged::default();
            let mut truth = [false; 16];
            for turn in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let (from, length, set) = (state >> 33 & 15, state >> 40 & 7, state >> 50 & 3 > 0);
                let range = from..(from + length).min(16);
                if set {
                    tagged.set(track, &tag, range.clone(), turn);
                } else {
                    tagged.unset(track, &tag, range.clone());
                }
                for block in range {
                    truth[block as usize] = set;
                }
                for (block, has) in truth.iter().enumerate() {
                    assert_eq!(tagged.has(track, block as u64, &tag), *has);
                }
                let listed = ranges(&tagged);
                assert!(listed.windows(2).all(|pair| pair[0].1 < pair[1].0), "{listed:?}");
                assert_eq!(tagged.len(), listed.len());
                let (names, rows) = tagged.to_rows();
                assert_eq!(Tagged::from_rows(&names, &rows), tagged);
            }
        }
    }

    #[test]
    fn in_a_ring_a_tag_leaves_with_its_blocks() {
        let (track, tag) = (TrackId(0), name("old"));
        let mut tagged = Tagged::default();
        tagged.set(track, &tag, 0..4, 9);
        tagged.set(track, &name("new"), 4..8, 20);
        tagged.forget_below(10);
        assert_eq!(tagged.of_block(track, 1).count(), 0);
        assert_eq!(tagged.of_block(track, 5).map(Name::as_str).collect::<Vec<_>>(), ["new"]);
        assert_eq!(tagged.len(), 1);
    }
}
