//! The states of a disk that one cut stands for: which pending writes are there, and which of them is torn.
//!
//! Invariants: the same cut gives the same states in the same order; no subset is there twice; every prefix of the pending writes is.

use std::collections::BTreeSet;

use drivers_sim::{Image, Random};

use super::cuts::{Cut, Pending};

/// Up to so many pending writes all their subsets are there.
const ALL_SUBSETS_UP_TO: usize = 10;
/// Subsets that are drawn of more.
const DRAWN: usize = 2_000;
/// Units that a write is torn at.
const UNITS_BYTES: [usize; 2] = [512, 4096];

/// Of one write only some sectors are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tear {
    /// Place of the write among the pending ones.
    pub write: usize,
    /// Sector size.
    pub unit_bytes: usize,
    /// Whether the sectors at the front are there; otherwise any.
    pub front: bool,
}

/// One state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Place of the cut.
    pub cut: usize,
    /// Bit for each pending write that is there.
    pub present: u128,
    /// What is torn.
    pub tear: Option<Tear>,
}

/// All states of a cut. With `few`, some of them, evenly.
pub fn states(place: usize, cut: &Cut, few: bool) -> Vec<State> {
    let count = cut.pending.len();
    assert!(count <= 128, "{count} pending writes");
    let mut random = Random::new(place as u64);
    let all = first(count);
    let mut subsets: BTreeSet<u128> = if few && count > 4 {
        (0..12).map(|_| draw(&mut random, all)).collect()
    } else if count <= ALL_SUBSETS_UP_TO {
        (0..=all).collect()
    } else {
        (0..DRAWN).map(|_| draw(&mut random, all)).collect()
    };
    // What a disk that keeps the order of writes may leave is always there.
    subsets.extend((0..=count).map(first));
    if count > 0 {
        subsets.extend((0..count).flat_map(|write| [1 << write, all & !(1 << write)]));
    }
    let mut states = Vec::new();
    for present in subsets {
        let whole = State {
            cut: place,
            present,
            tear: None,
        };
        states.push(whole);
        let there: Vec<usize> = (0..count).filter(|write| present >> write & 1 == 1).collect();
        let Some(last) = there.last().copied() else { continue };
        let any = there[random.below(there.len() as u64) as usize];
        for unit_bytes in UNITS_BYTES {
            let tears = [(last, true), (any, false)];
            for (write, front) in tears {
                if cut.pending[write].bytes.len() > unit_bytes {
                    let tear = Some(Tear {
                        write,
                        unit_bytes,
                        front,
                    });
                    states.push(State { tear, ..whole });
                }
            }
        }
    }
    states
}

/// The subset of the first `length` writes.
fn first(length: usize) -> u128 {
    // All 128 are one more than can be shifted out.
    1u128.checked_shl(length as u32).unwrap_or(0).wrapping_sub(1)
}

/// Any subset: of few, of many, of half.
fn draw(random: &mut Random, all: u128) -> u128 {
    let wide = |random: &mut Random| u128::from(random.bits()) << 64 | u128::from(random.bits());
    let half = wide(random);
    all & match random.below(3) {
        0 => half,
        1 => half | wide(random),
        _ => half & wide(random),
    }
}

/// The bytes of a disk in a state. What exactly is torn follows from the seed.
pub fn image(cut: &Cut, state: &State, seed: u64) -> Image {
    let mut image = cut.base.clone();
    let mut random = Random::new(seed);
    for (place, write) in cut.pending.iter().enumerate() {
        if state.present >> place & 1 == 0 {
            continue;
        }
        match state.tear.filter(|tear| tear.write == place) {
            None => image.write(write.at_bytes, &write.bytes),
            Some(tear) => {
                let sectors = write.bytes.len().div_ceil(tear.unit_bytes) as u64;
                // Often within the header, where it matters most.
                let few = if random.chance(50) { sectors.min(8) } else { sectors };
                let front = 1 + random.below(few.max(2) - 1);
                let percent = 10 + random.below(81);
                for (sector, bytes) in write.bytes.chunks(tear.unit_bytes).enumerate() {
                    if if tear.front {
                        (sector as u64) < front
                    } else {
                        random.chance(percent)
                    } {
                        image.write(write.at_bytes + (sector * tear.unit_bytes) as u64, bytes);
                    }
                }
            }
        }
    }
    image
}

/// A state for a person: one line for each pending write.
pub fn picture(cut: &Cut, state: &State) -> String {
    let mut lines = vec![format!(
        "Power goes before line {} of the record, with {} writes that no flush covers:",
        cut.line,
        cut.pending.len()
    )];
    for (place, write) in cut.pending.iter().enumerate() {
        let fate = match state.tear.filter(|tear| tear.write == place) {
            _ if state.present >> place & 1 == 0 => "lost".into(),
            None => "there".into(),
            Some(tear) => format!(
                "torn at {} bytes, {}",
                tear.unit_bytes,
                if tear.front {
                    "its beginning there"
                } else {
                    "any sectors there"
                }
            ),
        };
        lines.push(format!("  {:<44} {fate}", what(write)));
    }
    let durable = cut.truth.durable;
    lines.push(format!("All blocks below {durable} were said to be durable."));
    lines.join("\n")
}

fn what(write: &Pending) -> String {
    let number = |at: usize| u64::from_le_bytes(write.bytes[at..at + 8].try_into().unwrap_or_default());
    match &write.bytes[..8] {
        b"bhblock\0" => {
            let kind = ["?", "data", "system", "checkpoint"][usize::from(write.bytes[10]).min(3)];
            format!("block {} ({kind}, slot {}, epoch {})", number(32), number(40), number(48))
        }
        b"bhsuper\0" => format!("superblock copy {} of generation {}", write.bytes[10], number(32)),
        _ => format!("{} bytes at {}", write.bytes.len(), write.at_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::truth::Truth;

    #[test]
    fn every_prefix_of_the_pending_writes_is_there() {
        for count in [0, 1, 10, 11, 60, 127, 128] {
            let write = |place: u64| Pending {
                number: place,
                at_bytes: place * 512,
                bytes: [1; 512].into(),
                completed: true,
            };
            let cut = Cut {
                line: 0,
                base: Image::default(),
                pending: (0..count).map(write).collect(),
                settings: None,
                truth: Truth::default(),
            };
            for few in [false, true] {
                let present: BTreeSet<u128> = states(0, &cut, few).iter().map(|state| state.present).collect();
                let mut prefix = 0;
                assert!(present.contains(&prefix));
                for write in 0..count {
                    prefix |= 1 << write;
                    assert!(present.contains(&prefix), "the first {write} of {count}");
                }
            }
        }
    }
}
