//! The benches, as a hunter sees them: what is tried one after another, and what it is counted in.
//!
//! Invariant: what a bench tries, and in which order, follows from nothing but its own numbers.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::crash::{Extent, WORKLOADS, bits, io, lineage, workload};
use crate::exhaust::{Limits, SCENARIOS};
use crate::notes;
use crate::sim::{Echo, Kind};

/// One in so many crash states, and of bits.
const SPARSE: usize = 50;
/// One in so many operations fails.
const SPARSE_OPERATIONS: u64 = 7;
/// Histories of tags and marks.
const NOTED: u64 = 24;
/// For each scenario of the exploration.
const EXPLORED: Duration = Duration::from_secs(10);

/// A bench.
#[derive(Clone, Copy, Debug)]
pub struct Bench {
    /// Name on a command line.
    pub name: &'static str,
    /// What it counts, many of them.
    pub unit: &'static str,
    /// The error is what does not hold.
    pub run: fn(&AtomicU64) -> Result<(), String>,
}

/// All of them: first a little of each, then the long way.
pub const BENCHES: [Bench; 12] = [
    Bench {
        name: "lineage",
        unit: "histories",
        run: |tried| {
            tried.store(1, Ordering::Relaxed);
            lineage()
        },
    },
    Bench {
        name: "peer",
        unit: "histories",
        run: |tried| histories(Kind::Peer, 0..60, tried),
    },
    Bench {
        name: "archive",
        unit: "histories",
        run: |tried| histories(Kind::Archive, 0..120, tried),
    },
    Bench {
        name: "keeping",
        unit: "histories",
        run: |tried| histories(Kind::Keeping, 0..60, tried),
    },
    Bench {
        name: "notes",
        unit: "histories",
        run: noted,
    },
    Bench {
        name: "crash-states",
        unit: "states",
        run: crash_states,
    },
    Bench {
        name: "bits",
        unit: "bits",
        run: turned_bits,
    },
    Bench {
        name: "io",
        unit: "operations",
        run: operations,
    },
    Bench {
        name: "hauling",
        unit: "histories",
        run: |tried| histories(Kind::Hauling, 0..150, tried),
    },
    Bench {
        name: "archive-on",
        unit: "histories",
        run: |tried| histories(Kind::Archive, 120..5_000, tried),
    },
    Bench {
        name: "hauling-on",
        unit: "histories",
        run: |tried| histories(Kind::Hauling, 150..1_500, tried),
    },
    Bench {
        name: "exhaust",
        unit: "states",
        run: explore,
    },
];

fn histories(kind: Kind, mut seeds: Range<u64>, tried: &AtomicU64) -> Result<(), String> {
    seeds.try_for_each(|seed| {
        tried.store(seed + 1, Ordering::Relaxed);
        crate::sim::run(kind, seed, Echo::Off)
            .map(|_| ())
            .map_err(|failure| failure.why)
    })
}

/// Tags and marks; what does not hold is a panic.
fn noted(tried: &AtomicU64) -> Result<(), String> {
    for seed in 1..=NOTED {
        tried.store(seed, Ordering::Relaxed);
        notes::one_archive(seed, "append", 256);
        notes::two_archives(seed);
    }
    Ok(())
}

fn crash_states(tried: &AtomicU64) -> Result<(), String> {
    let mut before = 0;
    WORKLOADS.iter().try_for_each(|one| {
        let row = workload(one, Extent::Every(SPARSE), &|at, _| {
            tried.store(before + at as u64, Ordering::Relaxed);
        })?;
        before += row.counts.states;
        Ok(())
    })
}

fn operations(tried: &AtomicU64) -> Result<(), String> {
    let mut before = 0;
    io::SCENARIOS.iter().try_for_each(|scenario| {
        let row = io::scenario(scenario, SPARSE_OPERATIONS, &|runs| {
            tried.store(before + runs, Ordering::Relaxed)
        })?;
        before += row.runs;
        Ok(())
    })
}

fn turned_bits(tried: &AtomicU64) -> Result<(), String> {
    let mut before = 0;
    bits::PLACES.iter().try_for_each(|(place, ..)| {
        before += bits::place(*place, SPARSE, &|at, _| tried.store(before + at as u64, Ordering::Relaxed))? as u64;
        Ok(())
    })
}

fn explore(tried: &AtomicU64) -> Result<(), String> {
    let limits = Limits {
        time: EXPLORED,
        ..Limits::NONE
    };
    let mut before = 0;
    SCENARIOS.iter().try_for_each(|scenario| {
        let report = crate::exhaust::run(&scenario.with((2, 1, true)), limits, |report| {
            tried.store(before + report.states, Ordering::Relaxed);
        })?;
        before += report.states;
        Ok(())
    })
}
