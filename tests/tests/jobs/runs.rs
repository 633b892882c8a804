//! When runs begin and end, and what both ends remember of them.

use blockhaul_tests::stage::{Pair, SLOTS, Stage, pair, pair_with};
use serde_json::{Value, json};

use crate::target::{SECOND, history, job, numbers, slot_of, there, utc};

fn scheduled(schedule: Value) -> Pair {
    let said = json!({ "mode": "schedule", "plan": { "schedule": schedule } });
    pair_with(2 * SLOTS, &[], None, said)
}

#[test]
fn every_so_many_seconds() {
    let mut pair = scheduled(json!({ "every_ms": 20_000 }));
    pair.stage.pass(3);
    pair.stage.record(pair.lobby, 3);
    assert!(there(&pair).is_empty(), "the first run was before");
    pair.stage.pass(20);
    assert_eq!(there(&pair), numbers(0..3));
    assert_eq!(job(&mut pair)["state"], "idle");
    let before = job(&mut pair)["run"].as_u64().unwrap();
    pair.stage.pass(200);
    let after = job(&mut pair)["run"].as_u64().unwrap();
    assert_eq!(after - before, 10);
    // Only the run that moved something is told.
    assert_eq!(pair.stage.times(pair.lobby, "run-started"), 1);
    assert_eq!(history(&mut pair, Pair::LOBBY).len(), 1);
}

#[test]
fn at_two_in_the_morning_in_berlin_whatever_the_clock_does() {
    let cron = json!({ "cron": { "expression": "0 2 * * *", "zone": "Europe/Berlin" } });
    let mut pair = scheduled(cron);
    pair.stage.record(pair.lobby, 1);
    // Midnight UTC is one o'clock in Berlin in November.
    let next = job(&mut pair)["next_run_utc_ns"].as_i64().unwrap();
    assert_eq!(next % (86_400 * SECOND), 3_600 * SECOND);
    pair.stage.pass(3_500);
    assert!(there(&pair).is_empty());
    pair.stage.pass(200);
    assert_eq!(there(&pair), numbers(0..1));
    // A clock that jumps over the time has made it due; a clock that is put back waits for the time to come.
    pair.stage.record(pair.lobby, 1);
    pair.stage.world.machines.site_mut(pair.lobby).clock_error_ns = 86_400 * SECOND;
    pair.stage.pass(120);
    assert_eq!(there(&pair), numbers(0..2));
    pair.stage.record(pair.lobby, 1);
    pair.stage.world.machines.site_mut(pair.lobby).clock_error_ns = -3_600 * SECOND;
    pair.stage.pass(120);
    assert_eq!(there(&pair), numbers(0..2));
    let left = job(&mut pair)["next_run_utc_ns"].as_i64().unwrap() - utc(&pair);
    assert!((0..=3_600 * SECOND).contains(&left), "{left}");
}

#[test]
fn a_schedule_does_not_hang_on_a_clock_that_nobody_set() {
    let mut pair = scheduled(json!({ "cron": { "expression": "* * * * *", "zone": "UTC" } }));
    pair.stage.world.machines.site_mut(pair.lobby).clock_quality = hal::ClockQuality::Unset;
    pair.stage.power_cut(pair.lobby);
    pair.stage.boot(pair.lobby);
    pair.stage.record(pair.lobby, 1);
    pair.stage.pass(300);
    assert!(there(&pair).is_empty());
    assert!(job(&mut pair)["why"].as_str().unwrap().contains("clock is not set"));
    pair.stage.world.machines.site_mut(pair.lobby).clock_quality = hal::ClockQuality::Free;
    pair.stage.pass(150);
    assert_eq!(there(&pair), numbers(0..1));
}

#[test]
fn a_run_ends_at_its_bound_and_that_is_partial() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 9);
    let run = json!({ "name": "out", "wait": true, "bounds": { "blocks": 4 } });
    assert_eq!(pair.stage.ask(pair.lobby, "Job.Run", run)["result"], "partial");
    assert_eq!(there(&pair), numbers(0..4));
    let blocks = job(&mut pair);
    assert_eq!((&blocks["run_blocks"], &blocks["run_total_blocks"]), (&json!(4), &json!(9)));
    // Log sequences: a block each, and a checkpoint now and then.
    let run = json!({ "name": "out", "wait": true, "bounds": { "below": 8 } });
    assert_eq!(pair.stage.ask(pair.lobby, "Job.Run", run)["result"], "partial");
    let there_then = there(&pair).len();
    assert!((5..9).contains(&there_then), "{there_then}");
    let run = json!({ "name": "out", "wait": true, "bounds": { "blocks": 1_000 } });
    assert_eq!(pair.stage.ask(pair.lobby, "Job.Run", run)["result"], "completed");
    assert_eq!(there(&pair), numbers(0..9));
}

#[test]
fn a_run_may_end_at_an_event() {
    let said = json!({ "mode": "on-demand", "plan": { "rate": [{ "bytes_a_second": 1024 }] } });
    let mut pair = pair_with(2 * SLOTS, &[], None, said);
    pair.stage.record(pair.lobby, 9);
    let run = json!({ "name": "out", "bounds": { "event": "nic-up" } });
    pair.stage.ask(pair.lobby, "Job.Run", run);
    pair.stage.pass(3);
    pair.stage.world.machines.set_nic(pair.lobby, "eth0", false);
    pair.stage.pass(1);
    pair.stage.world.machines.set_nic(pair.lobby, "eth0", true);
    pair.stage.pass(2);
    assert_eq!(history(&mut pair, Pair::LOBBY).last().unwrap()["result"], "partial");
}

#[test]
fn a_run_may_be_bound_to_every_event_that_there_is() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    for code in blockhaul_tests::sim::all_codes() {
        let run = json!({ "name": "out", "bounds": { "event": code } });
        pair.stage.ask(pair.lobby, "Job.Run", run);
        pair.stage
            .ask(pair.lobby, "Job.Wait", json!({ "name": "out", "wait_for": "idle" }));
    }
    // One that is on is joined, but not with other bounds.
    pair.stage.world.machines.partition(pair.lobby, pair.vault, true);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }));
    assert_eq!(
        pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }))["joined"],
        true
    );
    let bounds = json!({ "name": "out", "bounds": { "blocks": 1 } });
    let why = pair.stage.refused(pair.lobby, "Job.Run", bounds);
    assert!(why.contains("bounds stay"), "{why}");
}

#[test]
fn both_ends_know_a_run_by_one_id_and_what_became_of_it() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 3);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out", "wait": true }));
    pair.stage.pass(1);
    let (here, there) = (history(&mut pair, Pair::LOBBY), history(&mut pair, Pair::VAULT));
    assert_eq!((here.len(), there.len()), (1, 1));
    for key in ["run", "result", "blocks", "bytes", "duplicates"] {
        assert_eq!(here[0][key], there[0][key], "{key}");
    }
    assert_eq!((&here[0]["blocks"], &here[0]["result"]), (&json!(3), &json!("completed")));
    assert_eq!((&here[0]["incoming"], &there[0]["incoming"]), (&json!(false), &json!(true)));
    // Both remember it over a power cut, once it was long enough ago to be kept.
    pair.stage.pass(30);
    for site in [pair.lobby, pair.vault] {
        pair.stage.power_cut(site);
        pair.stage.boot(site);
    }
    assert_eq!(history(&mut pair, Pair::LOBBY), here);
    assert_eq!(history(&mut pair, Pair::VAULT), there);
}

#[test]
fn a_run_that_is_cut_off_is_unknown_and_one_that_is_stopped_aborted() {
    let said = json!({ "mode": "on-demand", "plan": { "rate": [{ "bytes_a_second": 1024 }] } });
    let mut pair = pair_with(2 * SLOTS, &[], None, said);
    pair.stage.record(pair.lobby, 5);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }));
    // Long enough for the event to be kept.
    pair.stage.pass(30);
    pair.stage.power_cut(pair.lobby);
    pair.stage.boot(pair.lobby);
    assert_eq!(history(&mut pair, Pair::LOBBY)[0]["result"], "unknown");
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }));
    pair.stage.pass(3);
    pair.stage.ask(pair.lobby, "Job.Stop", json!({ "name": "out" }));
    pair.stage.pass(1);
    let runs = history(&mut pair, Pair::LOBBY);
    assert_eq!((runs.len(), &runs[1]["result"]), (2, &json!("aborted")));
}

#[test]
fn a_live_job_is_switched_from_once_to_always_and_back() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 2);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }));
    let first = job(&mut pair)["run_id"].clone();
    pair.stage
        .ask(pair.lobby, "Job.Switch", json!({ "name": "out", "mode": "always" }));
    pair.stage.pass(5);
    pair.stage.record(pair.lobby, 2);
    pair.stage.pass(2);
    assert_eq!(there(&pair), numbers(0..4));
    let now = job(&mut pair);
    assert_eq!((&now["state"], &now["mode"]), (&json!("caught-up"), &json!("always")));
    assert!(
        now["run_id"] == first || now["run"] == 2,
        "the run that was on goes on, or it had ended before"
    );
    pair.stage
        .ask(pair.lobby, "Job.Switch", json!({ "name": "out", "mode": "on-demand" }));
    pair.stage.pass(2);
    assert_eq!(job(&mut pair)["state"], "idle");
    pair.stage.record(pair.lobby, 2);
    pair.stage.pass(5);
    assert_eq!(there(&pair), numbers(0..4));
}

#[test]
fn a_run_that_only_looks_counts_and_sends_nothing() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 4);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }));
    pair.stage.pass(5);
    assert_eq!(there(&pair), numbers(0..4));
    let look = json!({ "name": "out", "full": true, "dry_run": true, "wait": true });
    let looked = pair.stage.ask(pair.lobby, "Job.Run", look.clone());
    assert_eq!(looked["result"], "completed", "{looked}");

    // One block is damaged there, and some are newer here.
    let disk = pair.stage.disk(pair.vault);
    let slot = slot_of(&pair, 1);
    pair.stage
        .world
        .machines
        .disk_mut(disk)
        .flip(Stage::slot(slot).start + 5_000, 1);
    pair.stage.record(pair.lobby, 2);
    let looked = pair.stage.ask(pair.lobby, "Job.Run", look);
    assert_eq!(
        (
            &looked["result"],
            &looked["full"]["compared"],
            &looked["full"]["lacking"],
            &looked["full"]["sent"]
        ),
        (&json!("partial"), &json!(4), &json!(1), &json!(0)),
        "{looked}"
    );
    let why = pair
        .stage
        .refused(pair.lobby, "Job.Run", json!({ "name": "out", "dry_run": true }));
    assert!(why.contains("full run"), "{why}");
    assert_eq!(there(&pair).len(), 3, "nothing came");

    let run = json!({ "name": "out", "full": true, "wait": true });
    let ran = pair.stage.ask(pair.lobby, "Job.Run", run);
    assert_eq!(
        (&ran["result"], &ran["full"]["sent"]),
        (&json!("completed"), &json!(1)),
        "{ran}"
    );
}
