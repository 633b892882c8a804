//! A small part of `cargo exhaust`, in seconds.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use blockhaul_tests::exhaust::{Limits, Scenario, parse_path, replay, run};

/// More than the scenarios here have, less than would take long.
const LIMITS: Limits = Limits {
    states: 50_000,
    time: Duration::from_secs(120),
};

fn scenario(name: &str, faults: u32, crashes: u32) -> Scenario {
    Scenario::named(name).unwrap().with((faults, crashes, true))
}

#[test]
fn two_slots_are_exhausted_without_faults_and_twice_the_same() {
    let scenario = scenario("full", 0, 0);
    let first = run(&scenario, LIMITS, |_| {}).unwrap();
    let second = run(&scenario, LIMITS, |_| {}).unwrap();
    assert!(first.exhausted);
    assert!(first.ends > 0, "every way ends somewhere");
    assert!(first.states > 30 && first.transitions > 60, "{first:?}");
    assert_eq!(
        (first.states, first.transitions, first.depth),
        (second.states, second.transitions, second.depth)
    );
}

#[test]
fn one_fault_is_struck_everywhere() {
    let few = Limits { states: 1_000, ..LIMITS };
    let report = run(&scenario("full", 1, 0), few, |_| {}).unwrap();
    assert!(report.faults > 50, "{report:?}");
}

#[test]
fn power_is_cut_at_both_ends_of_a_haul() {
    let few = Limits { states: 500, ..LIMITS };
    let report = run(&scenario("haul", 2, 1), few, |_| {}).unwrap();
    assert!(!report.exhausted);
    assert!(report.crashes > 0, "{report:?}");
}

#[test]
fn a_way_is_gone_again_and_told() {
    let mut told = Vec::new();
    let path = parse_path("0x3,1,0").unwrap();
    replay(&scenario("full", 2, 1), &path, |line| told.push(line)).unwrap();
    assert_eq!(told.len(), 5);
    assert!(told[0].contains("lobby"), "{told:?}");
    assert!(parse_path("0,x").is_err());
}
