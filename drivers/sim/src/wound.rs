//! Where a disk does not hold what it said it holds, and why: the journal that a judge of the outcome asks for a cause.
//!
//! Not damage in general: what a power cut does to writes that no flush has covered is no wound, and neither is what an
//! error was reported for. Invariant: an honest write that has become durable heals what it covers.

use std::ops::Range;

/// How a disk broke its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Bits changed by themselves, or somebody else wrote.
    Rot,
    /// A write was said to be done and was not.
    LostWrite,
    /// A write went somewhere else: both places.
    Misdirected,
    /// A write arrived with a bit turned.
    Altered,
    /// A flush was said to be done, and a power cut showed that it was not.
    LyingFlush,
    /// A flush failed, and what it lost went on reading back until power was gone; who had been told closed or died first.
    FailedFlush,
    /// An earlier state came back.
    Rollback,
    /// The place does not exist: the disk is smaller than it says.
    Counterfeit,
}

/// One stretch that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wound {
    /// Where.
    pub range_bytes: Range<u64>,
    /// Why.
    pub cause: Cause,
}

/// All of a disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wounds(Vec<Wound>);

impl Wounds {
    pub(crate) fn add(&mut self, range_bytes: Range<u64>, cause: Cause) {
        if !self.0.iter().any(|wound| {
            wound.cause == cause && wound.range_bytes.start <= range_bytes.start && range_bytes.end <= wound.range_bytes.end
        }) {
            self.0.push(Wound { range_bytes, cause });
        }
    }

    pub(crate) fn heal(&mut self, healed: &Range<u64>) {
        if self.0.iter().all(|wound| !touch(&wound.range_bytes, healed)) {
            return;
        }
        let old = std::mem::take(&mut self.0);
        for Wound { range_bytes, cause } in old {
            if !touch(&range_bytes, healed) {
                self.0.push(Wound { range_bytes, cause });
                continue;
            }
            for rest in [range_bytes.start..healed.start, healed.end..range_bytes.end] {
                if rest.start < rest.end {
                    self.0.push(Wound {
                        range_bytes: rest,
                        cause,
                    });
                }
            }
        }
    }

    /// Those that touch a range.
    pub fn touching(&self, range_bytes: Range<u64>) -> impl Iterator<Item = &Wound> {
        self.0.iter().filter(move |wound| touch(&wound.range_bytes, &range_bytes))
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Wound> {
        self.0.iter()
    }

    /// The disk holds what it said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn touch(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_heals_what_it_covers_and_no_more() {
        let mut wounds = Wounds::default();
        wounds.add(100..200, Cause::Rot);
        wounds.heal(&(120..150));
        assert_eq!(wounds.touching(120..150).count(), 0);
        assert_eq!(wounds.touching(119..121).count(), 1);
        assert_eq!(wounds.touching(150..151).count(), 1);
        wounds.heal(&(0..1000));
        assert!(wounds.is_empty());
    }
}
