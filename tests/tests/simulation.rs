//! Whole appliances on simulated machines, from a few seeds. `cargo sim --seeds 10000` does the same with many.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use blockhaul_tests::sim::{Echo, Kind, Tally, run};

/// Plays some seeds, each of which must keep the promise; what they did, and blocks.
fn play(kind: Kind, seeds: std::ops::Range<u64>) -> (Tally, u64) {
    let (mut tally, mut blocks) = (Tally::default(), 0);
    for seed in seeds {
        let report = run(kind, seed, Echo::Off).unwrap_or_else(|failure| panic!("{failure}"));
        tally.add(&report.tally);
        blocks += report.blocks;
    }
    (tally, blocks)
}

#[test]
fn an_archive_keeps_the_promise_whatever_happens_to_its_disk() {
    let (tally, blocks) = play(Kind::Archive, 0..40);
    assert!(tally.faults.len() > 20, "too few kinds of faults to mean anything: {tally:?}");
    assert!(blocks > 400, "too few blocks to mean anything: {blocks}");
    for code in ["archive-ready", "block-corrupt", "group-rewritten", "uuid-mismatch"] {
        assert!(tally.codes.contains_key(code), "no event {code}: {tally:?}");
    }
}

#[test]
fn hauling_keeps_the_promise_whatever_happens_between_appliances() {
    let (tally, blocks) = play(Kind::Hauling, 0..24);
    assert!(tally.faults.len() > 15, "too few kinds of faults to mean anything: {tally:?}");
    assert!(blocks > 800, "too few blocks to mean anything: {blocks}");
    for code in ["caught-up", "gap"] {
        assert!(tally.codes.contains_key(code), "no event {code}: {tally:?}");
    }
}

#[test]
fn nothing_is_freed_that_is_guarded() {
    let (tally, blocks) = play(Kind::Keeping, 0..16);
    assert!(blocks > 800, "too few blocks to mean anything: {blocks}");
    assert!(
        tally.codes.get("freed").is_some_and(|freed| *freed > 8),
        "nothing was freed: {tally:?}"
    );
}

/// Plays each of some seeds of a kind twice; no two of them may be the same history.
fn play_twice(kind: Kind, seeds: u64) {
    let again = |seed| run(kind, seed, Echo::Off).unwrap_or_else(|failure| panic!("{failure}"));
    let mut hashes = BTreeSet::new();
    let far = [77_003, 1 << 33, u64::MAX / 3];
    for seed in (1000..1000 + seeds).chain(far) {
        let report = again(seed);
        assert_eq!(report, again(seed), "seed {seed} of kind {kind}");
        assert!(
            hashes.insert(report.trace_hash),
            "seed {seed} of kind {kind} is another one too"
        );
    }
}

#[test]
fn a_seed_is_a_history_of_an_archive() {
    play_twice(Kind::Archive, 21);
}

#[test]
fn a_seed_is_a_history_of_peers() {
    play_twice(Kind::Peer, 21);
}

#[test]
fn a_seed_is_a_history_of_hauling() {
    play_twice(Kind::Hauling, 6);
    play_twice(Kind::Keeping, 3);
}
