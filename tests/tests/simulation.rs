//! Whole appliances on simulated machines, from a few seeds. `cargo sim --seeds 10000` does the same with many.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use blockhaul_tests::sim::{Echo, run};

#[test]
fn nothing_is_lost_and_nothing_is_there_twice() {
    let reports: Vec<_> = (0..12)
        .map(|seed| run(seed, Echo::Off).unwrap_or_else(|failure| panic!("{failure}")))
        .collect();
    assert!(
        reports.iter().map(|report| report.faults).sum::<u64>() > 100,
        "too few faults to mean anything"
    );
    assert!(
        reports.iter().map(|report| report.blocks).sum::<u64>() > 500,
        "too few blocks to mean anything"
    );
}

#[test]
fn a_seed_is_a_history() {
    let again = |seed| run(seed, Echo::Off).unwrap_or_else(|failure| panic!("{failure}"));
    for seed in 1000..1002 {
        assert_eq!(again(seed), again(seed));
    }
    assert_ne!(again(1000).trace_hash, again(1001).trace_hash);
}
