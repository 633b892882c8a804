//! Crash states, failing operations and turned bits, some of each. `cargo crash-states` judges all of them.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use blockhaul_tests::crash::{Extent, WORKLOADS, bits, io, lineage, workload};

const NOTHING_SAID: &(dyn Fn(usize, usize) + Sync) = &|_, _| {};

#[test]
fn whatever_a_power_cut_leaves_is_opened() {
    let plain = ["create", "burst", "ring-power", "again", "target"];
    let mut states = 0;
    for one in WORKLOADS.iter().filter(|one| plain.contains(&one.name)) {
        let row = workload(one, Extent::Every(600), NOTHING_SAID).unwrap_or_else(|why| panic!("{why}"));
        states += row.counts.states;
    }
    assert!(states > 25, "{states} states are too few to mean anything");
}

#[test]
fn a_failing_operation_breaks_no_promise() {
    let one = io::SCENARIOS.iter().find(|scenario| scenario.name == "create").unwrap();
    let row = io::scenario(one, 9, &|_| {}).unwrap_or_else(|why| panic!("{why}"));
    assert!(row.runs > 30 && row.survived > 0 && row.survived < row.runs, "{row:?}");
}

#[test]
fn a_turned_bit_is_noticed() {
    for (place, _, all, _) in bits::PLACES {
        let count = bits::place(place, all / 24, NOTHING_SAID).unwrap_or_else(|why| panic!("{why}"));
        assert!(count >= 24);
    }
}

#[test]
fn a_block_of_a_history_that_was_put_back_is_not_taken_up() {
    lineage().unwrap_or_else(|why| panic!("{why}"));
}
