//! Stretches of time that blocks cover, and what lies between them. Pure.
//!
//! Invariant: stretches neither overlap nor touch, and between two of them nothing came for at least [`SILENCE_NS`].

use alloc::collections::BTreeMap;

/// Shorter times without a byte are no hole: streams breathe.
pub const SILENCE_NS: i64 = 2_000_000_000;

/// Covered times: nanoseconds since 1970 UTC, the end not included.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Stretches(BTreeMap<i64, i64>);

impl Stretches {
    /// A time is covered. What is nearer than a silence to a stretch is joined with it. Nothing if it ends before it begins.
    pub fn add(&mut self, begin: i64, end: i64) {
        if end < begin {
            return;
        }
        let (mut begin, mut end) = (begin, end);
        while let Some((from, to)) = self.0.range(..end.saturating_add(SILENCE_NS)).next_back() {
            let (from, to) = (*from, *to);
            if to.saturating_add(SILENCE_NS) <= begin {
                break;
            }
            self.0.remove(&from);
            (begin, end) = (begin.min(from), end.max(to));
        }
        self.0.insert(begin, end);
    }

    /// The stretch that a time lies in.
    pub fn at(&self, time: i64) -> Option<(i64, i64)> {
        let (from, to) = self.0.range(..=time).next_back()?;
        (time < *to).then_some((*from, *to))
    }

    /// Whether one stretch covers all of a time. One without length is covered where it lies.
    pub fn covers(&self, begin: i64, end: i64) -> bool {
        self.at(begin).is_some_and(|(_, to)| end <= to)
    }

    /// In order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.0.iter().map(|(from, to)| (*from, *to))
    }

    /// Takes the last one out.
    pub fn pop_last(&mut self) -> Option<(i64, i64)> {
        self.0.pop_last()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Time that they cover.
    pub fn length_ns(&self) -> i64 {
        self.iter()
            .fold(0, |sum, (from, to)| sum.saturating_add(to.saturating_sub(from)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const S: i64 = 1_000_000_000;

    #[test]
    fn what_is_near_is_joined_and_holes_stay() {
        let mut times = Stretches::default();
        for (begin, end) in [(10, 20), (40, 50), (21, 30), (52, 60), (90, 95), (0, 1), (94, 96), (5, 4)] {
            times.add(begin * S, end * S);
        }
        let seconds: Vec<_> = times.iter().map(|(from, to)| (from / S, to / S)).collect();
        assert_eq!(seconds, [(0, 1), (10, 30), (40, 50), (52, 60), (90, 96)]);
        times.add(50 * S + 1, 51 * S);
        times.add(2 * S, 8 * S + 1);
        let seconds: Vec<_> = times.iter().map(|(from, to)| (from / S, to / S)).collect();
        assert_eq!(seconds, [(0, 30), (40, 60), (90, 96)]);
        assert!(times.covers(10 * S, 30 * S) && times.covers(45 * S, 45 * S));
        assert!(!times.covers(10 * S, 30 * S + 1) && !times.covers(30 * S, 30 * S) && !times.covers(29 * S, 41 * S));
        assert_eq!((times.len(), times.length_ns()), (3, 56 * S));
    }

    /// Against a line of seconds, each covered or not.
    #[test]
    fn any_order_of_adding_is_the_same() {
        let mut state = 5u64;
        let mut draw = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        for _ in 0..500 {
            let pieces: Vec<(i64, i64)> = (0..draw(12))
                .map(|_| {
                    let begin = draw(100) as i64;
                    (begin, begin + 1 + draw(9) as i64)
                })
                .collect();
            let (mut one, mut other) = (Stretches::default(), Stretches::default());
            pieces.iter().for_each(|(begin, end)| one.add(begin * S, end * S));
            pieces.iter().rev().for_each(|(begin, end)| other.add(begin * S, end * S));
            assert_eq!(one, other, "{pieces:?}");
            for second in 0..110 {
                let is_in = pieces.iter().any(|(begin, end)| (*begin..*end).contains(&second));
                let near = |at: i64| pieces.iter().any(|(begin, end)| (*begin..*end).contains(&at));
                // A second between two that are covered is a breath.
                let covered = is_in || (near(second - 1) && near(second + 1));
                assert_eq!(one.covers(second * S, (second + 1) * S), covered, "{second} of {pieces:?}");
            }
        }
    }
}
