//! Stories of retention: what is freed, what guards keep, and what a ring gives up.

use drivers_sim::SiteId;
use serde_json::{Value, json};

use crate::stage::{Pair, SLOTS, Stage, pair_of};

fn shown(stage: &mut Stage, site: SiteId) -> Value {
    stage.ask(site, "Retention.Show", json!({ "archive": "lobby" }))
}

fn set(stage: &mut Stage, site: SiteId, retention: Value) -> Value {
    stage.ask(site, "Retention.Set", json!({ "archive": "lobby", "retention": retention }))
}

fn archive(stage: &mut Stage, site: SiteId) -> Value {
    let info = stage.ask(site, "Archive.Info", json!({ "name": "lobby" }));
    info["archive"].clone()
}

/// Nothing of an archive is damaged.
fn is_whole(stage: &mut Stage, site: SiteId, name: &str) {
    let verified = stage.ask(site, "Archive.Verify", json!({ "name": name }));
    assert_eq!(verified["damaged_count"], 0, "{verified}");
}

pub fn removed_after_success() -> Stage {
    let Pair {
        mut stage, lobby, vault, ..
    } = pair_of("append", 8 * SLOTS, &[], "always", None);
    stage.record(lobby, SLOTS / 2);
    let tried = json!({ "archive": "lobby", "retention": { "remove_after_success": true }, "dry_run": true });
    let tried = stage.ask(lobby, "Retention.Set", tried);
    assert!(tried["blocks"].as_u64() > Some(0), "{tried}");
    assert_eq!(archive(&mut stage, lobby)["oldest"], 0, "a dry run frees nothing");

    set(&mut stage, lobby, json!({ "remove_after_success": true }));
    stage.record(lobby, 3 * SLOTS);
    let now = archive(&mut stage, lobby);
    assert!(now["head"].as_u64() > Some(3 * SLOTS) && now["state"] == "ready", "{now}");
    stage.power_cut(lobby);
    stage.boot(lobby);
    stage.record(lobby, 2);
    is_whole(&mut stage, lobby, "lobby");
    is_whole(&mut stage, vault, "vault");
    let gaps = stage.ask(lobby, "Archive.Gaps", json!({ "archive": "lobby", "camera": "gate" }));
    assert_eq!(gaps["gaps"][0]["what"], "expired", "{gaps}");
    let there = stage.ask(vault, "Archive.Gaps", json!({ "archive": "vault", "camera": "gate" }));
    assert_eq!(lost(&there), 0, "everything was hauled before it was freed: {there}");
    stage
}

pub fn freed_and_put_back() -> Stage {
    let Pair { mut stage, lobby, .. } = pair_of("append", 8 * SLOTS, &[], "always", None);
    stage.record(lobby, SLOTS - 8);
    let (disk, copies) = (stage.disk(lobby), stage.superblocks(lobby));
    let before = stage.world.machines.disk(disk).snapshot();
    set(&mut stage, lobby, json!({ "remove_after_success": true }));
    stage.record(lobby, 16);
    let head = archive(&mut stage, lobby)["head"].as_u64();
    assert!(head > Some(SLOTS), "blocks lie where others were freed: {head:?}");
    stage.power_cut(lobby);
    for copy in copies {
        stage.world.machines.disk_mut(disk).roll_back(&before, copy..copy + 4096);
    }
    stage.boot(lobby);
    let now = archive(&mut stage, lobby);
    assert_eq!(now["state"], "offline", "{now}");
    stage
}

pub fn protected() -> Stage {
    let Pair { mut stage, lobby, .. } = pair_of("ring", 8 * SLOTS, &[], "always", None);
    stage.record(lobby, 2);
    set(&mut stage, lobby, json!({ "protect": true }));
    stage.ask(lobby, "Job.Disable", json!({ "name": "out" }));
    stage.record(lobby, 2 * SLOTS);
    let full = archive(&mut stage, lobby);
    assert!(full["state"] == "full" && full["oldest"] == 0, "{full}");
    assert!(full["why"].as_str().unwrap().contains("job out guards"), "{full}");
    let guards = &shown(&mut stage, lobby)["guards"];
    assert!(
        guards[0]["blocks"].as_u64() > Some(5) && guards[0]["state"] == "disabled",
        "{guards}"
    );

    // A start forgets what was told, and guards no less.
    stage.power_cut(lobby);
    stage.boot(lobby);
    stage.record(lobby, 2);
    assert_eq!(archive(&mut stage, lobby)["state"], "full");

    let release = json!({ "name": "out", "dry_run": true });
    let tried = stage.ask(lobby, "Job.Release", release);
    assert_eq!(tried["done"], false);
    stage.ask(lobby, "Job.Release", json!({ "name": "out" }));
    stage.record(lobby, SLOTS);
    let after = archive(&mut stage, lobby);
    assert!(after["state"] == "ready" && after["oldest"].as_u64() > Some(0), "{after}");
    is_whole(&mut stage, lobby, "lobby");
    stage
}

/// Of two guards, one of which is switched off, the one that is behind counts; which ones count can be chosen.
#[test]
fn the_guard_that_is_behind_holds_until_it_does_not_count() {
    let Pair {
        mut stage, lobby, vault, ..
    } = pair_of("append", 8 * SLOTS, &[], "always", None);
    stage.add_recorder(lobby, "lobby", "hall");
    // The second job hauls another camera, of which nothing ever reaches its target.
    let grant = json!({ "peer": "lobby", "archive": "vault", "cameras": ["hall"] });
    let grant = stage.ask(vault, "Grant.Create", grant);
    let first = json!({ "name": "out" });
    stage.ask(lobby, "Job.Disable", first.clone());
    stage.ask(lobby, "Job.Delete", first);
    let job = |name: &str, camera: &str, token: &Value| {
        json!({
            "name": name, "from": "lobby", "peer": "vault", "archive": "vault", "cameras": [camera], "mode": "always", "token": token,
        })
    };
    let token = grant["token"].clone();
    stage.ask(lobby, "Job.Create", job("behind", "hall", &token));
    stage.ask(lobby, "Job.Disable", json!({ "name": "behind" }));
    let grant = stage.ask(
        vault,
        "Grant.Create",
        json!({ "peer": "lobby", "archive": "vault", "cameras": ["gate"] }),
    );
    stage.ask(lobby, "Job.Create", job("ahead", "gate", &grant["token"]));
    set(&mut stage, lobby, json!({ "remove_after_success": true }));
    stage.feed(lobby, "hall", 1);
    stage.record(lobby, 20);
    stage.pass(5);
    let held = shown(&mut stage, lobby);
    assert_eq!((&held["oldest"], &held["freed_blocks"]), (&json!(0), &json!(0)), "{held}");
    assert!(held["next"].as_str().unwrap().contains("job behind guards"), "{held}");

    let listed = json!({ "remove_after_success": true, "count": "only", "jobs": ["ahead"] });
    set(&mut stage, lobby, listed);
    stage.pass(5);
    let freed = shown(&mut stage, lobby);
    assert!(freed["freed_blocks"].as_u64() > Some(0), "{freed}");
    is_whole(&mut stage, lobby, "lobby");
}

/// What a camera is guaranteed stays, however much the others record; without protection the ring goes on.
#[test]
fn a_guaranteed_minimum_fills_a_ring_that_protects() {
    let mut stage = Stage::new();
    let lobby = stage.add("lobby", SLOTS, "ring");
    stage.add_recorder(lobby, "lobby", "hall");
    let minimum = json!({ "protect": true, "cameras": [{ "camera": "hall", "min_bytes": 2 * crate::stage::BLOCK_BYTES }] });
    set(&mut stage, lobby, minimum);
    stage.feed(lobby, "hall", 1);
    stage.pass(3);
    stage.record(lobby, 2 * SLOTS);
    let full = archive(&mut stage, lobby);
    assert_eq!((&full["state"], &full["oldest"]), (&json!("full"), &json!(0)), "{full}");
    assert!(full["why"].as_str().unwrap().contains("guaranteed minimum"), "{full}");
    set(&mut stage, lobby, json!({}));
    stage.record(lobby, SLOTS);
    assert!(archive(&mut stage, lobby)["oldest"].as_u64() > Some(0));
}

/// What is too old goes, and what is young enough stays.
#[test]
fn blocks_expire() {
    let mut stage = Stage::new();
    let lobby = stage.add("lobby", SLOTS, "append");
    set(&mut stage, lobby, json!({ "max_age_ms": 60_000 }));
    stage.record(lobby, 16);
    assert_eq!(archive(&mut stage, lobby)["oldest"], 0);
    stage.pass(120);
    let now = archive(&mut stage, lobby);
    assert!(now["oldest"].as_u64() > Some(0), "{now}");
    stage.record(lobby, 20);
    stage.pass(5);
    is_whole(&mut stage, lobby, "lobby");
}

/// A job that comes later is told what it will not get, and why.
#[test]
fn what_was_freed_before_a_job_came_is_a_gap_that_says_so() {
    let Pair {
        mut stage, lobby, vault, ..
    } = pair_of("append", 8 * SLOTS, &[], "always", None);
    stage.ask(lobby, "Job.Disable", json!({ "name": "out" }));
    stage.ask(lobby, "Job.Delete", json!({ "name": "out" }));
    set(&mut stage, lobby, json!({ "max_bytes": 6 * crate::stage::BLOCK_BYTES }));
    stage.record(lobby, SLOTS);
    let oldest = archive(&mut stage, lobby)["oldest"].clone();
    assert!(oldest.as_u64() > Some(0));
    let grant = json!({ "peer": "lobby", "archive": "vault" });
    let grant = stage.ask(vault, "Grant.Create", grant);
    let job = json!({
        "name": "late", "from": "lobby", "peer": "vault", "archive": "vault", "mode": "always", "token": grant["token"],
    });
    stage.ask(lobby, "Job.Create", job);
    stage.pass(10);
    let gaps = stage.ask(vault, "Archive.Gaps", json!({ "archive": "vault", "camera": "gate" }));
    assert_eq!(lost(&gaps), 1, "{gaps}");
    assert_eq!(
        (&gaps["gaps"][0]["from"], &gaps["gaps"][0]["what"]),
        (&json!(0), &json!("expired")),
        "{gaps}"
    );
    assert_eq!(
        stage.ask(lobby, "Job.Show", json!({ "name": "late" }))["job"]["state"],
        "caught-up"
    );
}

/// Stretches of blocks that are missing: between two recordings nothing was recorded, and nothing was lost.
fn lost(gaps: &Value) -> usize {
    let all = gaps["gaps"].as_array().into_iter().flatten();
    all.filter(|gap| gap["what"] != "not-recorded").count()
}
