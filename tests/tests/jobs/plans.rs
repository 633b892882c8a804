//! What leaves, and when.

use blockhaul_tests::stage::{Pair, SLOTS, Stage, pair, pair_with};
use serde_json::json;

use crate::target::{SECOND, history, job, missing, numbers, there, utc};

#[test]
fn what_a_filter_leaves_out_is_stated_as_filtered_and_never_there() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 3);
    let from = utc(&pair);
    pair.stage.record(pair.lobby, 4);
    let to = utc(&pair);
    pair.stage.record(pair.lobby, 2);
    let plan = json!({ "filter": { "from_utc_ns": from, "to_utc_ns": to } });
    pair.stage
        .ask(pair.lobby, "Job.Switch", json!({ "name": "out", "plan": plan }));
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out", "wait": true }));
    assert_eq!(there(&pair), numbers(3..7));
    assert_eq!(missing(&mut pair), [(0, 3, "filtered".into()), (7, 9, "filtered".into())]);
    assert_eq!(job(&mut pair)["filtered"], 5);
    assert_eq!(pair.stage.times(pair.vault, "gap"), 0, "nothing was lost");
}

#[test]
fn a_kind_that_is_not_wanted_is_not_opened() {
    let plan = json!({ "filter": { "kinds": ["audio"] } });
    let mut pair = pair_with(2 * SLOTS, &[], None, json!({ "mode": "always", "plan": plan }));
    pair.stage.record(pair.lobby, 2);
    pair.stage.pass(5);
    assert!(there(&pair).is_empty());
    assert_eq!(job(&mut pair)["state"], "caught-up");
}

#[test]
fn a_run_of_one_period_leaves_the_rest_to_another_run() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 3);
    let from = utc(&pair);
    pair.stage.record(pair.lobby, 2);
    let to = utc(&pair);
    pair.stage.record(pair.lobby, 4);
    let range = json!({ "of": "range", "from_utc_ns": from, "to_utc_ns": to });
    let run = json!({ "name": "out", "wait": true, "period": range });
    assert_eq!(pair.stage.ask(pair.lobby, "Job.Run", run)["result"], "completed");
    assert_eq!(there(&pair), numbers(3..5));
    assert_eq!(missing(&mut pair), [(0, 3, "not-retrieved".into())]);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out", "wait": true }));
    assert_eq!(there(&pair), numbers(3..9));
    assert_eq!(missing(&mut pair), [(0, 3, "not-retrieved".into())]);
}

#[test]
fn the_last_seconds_before_a_run() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 10);
    let last = json!({ "of": "last", "duration_ms": 4_000, "offset_ms": 2_000 });
    let run = json!({ "name": "out", "wait": true, "period": last });
    pair.stage.ask(pair.lobby, "Job.Run", run);
    // Blocks begin a second apart; where exactly the run begins between two of them is not said here.
    let there = there(&pair);
    assert!((3..=5).contains(&there.len()), "{there:?}");
    assert!(there.contains(&5) && !there.contains(&2) && !there.contains(&9), "{there:?}");
}

#[test]
fn a_delayed_block_waits_until_it_is_old_enough_or_released() {
    let plan = json!({ "delay_ms": 30_000 });
    let mut pair = pair_with(2 * SLOTS, &[], None, json!({ "mode": "always", "plan": plan }));
    pair.stage.record(pair.lobby, 3);
    pair.stage.pass(5);
    assert!(there(&pair).is_empty());
    let held = job(&mut pair);
    assert_eq!((&held["state"], &held["backlog_blocks"]), (&json!("held"), &json!(3)));
    pair.stage.pass(35);
    assert_eq!(there(&pair), numbers(0..3));
    pair.stage.record(pair.lobby, 2);
    pair.stage.ask(pair.lobby, "Job.ReleaseHeld", json!({ "name": "out" }));
    pair.stage.pass(2);
    assert_eq!(there(&pair), numbers(0..5));
    pair.stage.record(pair.lobby, 1);
    pair.stage.pass(2);
    assert_eq!(there(&pair), numbers(0..5), "later blocks are held again");
    // A clock that is put on lets them go, and one that is put back holds longer: a delay is by the wall clock.
    pair.stage.world.machines.site_mut(pair.lobby).clock_error_ns = 3_600 * SECOND;
    pair.stage.pass(70);
    assert_eq!(there(&pair), numbers(0..6));
}

#[test]
fn a_frozen_job_lets_nothing_leave_over_a_restart_too() {
    let mut pair = pair(2 * SLOTS, &[], "always", None);
    pair.stage.record(pair.lobby, 2);
    pair.stage.ask(pair.lobby, "Job.Freeze", json!({ "name": "out" }));
    pair.stage.record(pair.lobby, 2);
    pair.stage.power_cut(pair.lobby);
    pair.stage.boot(pair.lobby);
    pair.stage.record(pair.lobby, 1);
    pair.stage.pass(200);
    assert_eq!(there(&pair), numbers(0..2));
    assert_eq!(job(&mut pair)["state"], "held");
    assert_eq!(pair.stage.times(pair.lobby, "stalled"), 0, "it stands still on purpose");
    pair.stage.ask(pair.lobby, "Job.Thaw", json!({ "name": "out" }));
    pair.stage.pass(5);
    assert_eq!(there(&pair), numbers(0..5));
}

#[test]
fn a_rate_is_kept_and_a_timetable_opens_and_closes_it() {
    // The world begins on a Friday at midnight UTC: blocks of 64 KiB, one in four seconds until one o'clock, then as fast as it can.
    let closed = json!({ "bytes_a_second": 16 << 10, "hours": { "week": "mon-fri 00:00-01:00", "zone": "UTC" } });
    let mut pair = pair_with(
        2 * SLOTS,
        &[],
        None,
        json!({ "mode": "on-demand", "plan": { "rate": [closed] } }),
    );
    // Whole blocks: a thousand chunks a second fill one in no time.
    pair.stage.feed(pair.lobby, "gate", 330);
    pair.stage.pass(5);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out" }));
    pair.stage.pass(16);
    let early = there(&pair).len();
    assert!((2..=6).contains(&early), "{early} blocks in 16 s");
    pair.stage.pass(8);
    let later = there(&pair).len();
    assert!((1..=3).contains(&(later - early)), "{} blocks in 8 s", later - early);
    pair.stage.pass(3_600);
    let runs = history(&mut pair, Pair::LOBBY);
    assert_eq!(runs.last().unwrap()["result"], "completed");
}

#[test]
fn a_rate_of_an_interface_holds_for_all_jobs_over_it() {
    let mut stage = Stage::new();
    let (lobby, vault) = (
        stage.add("lobby", 2 * SLOTS, "append"),
        stage.add_bare("vault", 2 * SLOTS, "append"),
    );
    stage.add_recorder(lobby, "lobby", "hall");
    stage.meet((lobby, "lobby"), (vault, "vault"));
    let key = stage.world.machines.site(vault).fingerprint.to_string();
    stage.ask(lobby, "Peer.Remove", json!({ "name": "vault" }));
    let nic = stage.world.machines.site(lobby).nics[0].name.clone();
    let route = json!({ "host": "vault", "port": 7440, "nic": nic });
    stage.ask(lobby, "Peer.Add", json!({ "name": "vault", "key": key, "routes": [route] }));
    // 16 KiB a second for both: one block in four seconds.
    let rate = json!({ "name": nic, "rate": [{ "bytes_a_second": 16 << 10 }] });
    stage.ask(lobby, "Device.SetRate", rate);
    for camera in ["gate", "hall"] {
        stage.feed(lobby, camera, 330);
        let job = json!({ "name": camera, "cameras": [camera], "mode": "on-demand" });
        stage.haul((lobby, "lobby"), (vault, "vault"), &[camera], &job);
    }
    stage.pass(5);
    for camera in ["gate", "hall"] {
        stage.ask(lobby, "Job.Run", json!({ "name": camera }));
    }
    let brought = |stage: &mut Stage| -> u64 {
        let info = stage.ask(vault, "Archive.Info", json!({ "name": "vault" }));
        let tracks = info["tracks"].as_array().unwrap().iter();
        tracks.map(|track| track["next"].as_u64().unwrap()).sum()
    };
    stage.pass(40);
    let early = brought(&mut stage);
    assert!((8..=14).contains(&early), "{early} blocks in 40 s");
    stage.ask(lobby, "Device.SetRate", json!({ "name": nic }));
    stage.pass(20);
    assert!(brought(&mut stage) >= 24, "as fast as it can, once the rate is gone");
}
