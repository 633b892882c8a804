//! Stories of two appliances and a job between them.

use serde_json::json;

use crate::stage::{Pair, SLOTS, Stage, pair};

fn always() -> Pair {
    pair(2 * SLOTS, &[], "always", None)
}

pub fn run() -> Stage {
    let Pair { mut stage, lobby, .. } = pair(2 * SLOTS, &[], "on-demand", None);
    stage.record(lobby, 2);
    stage.ask(lobby, "Job.Run", json!({ "name": "out" }));
    stage.pass(5);
    stage
}

/// A job is to tag what it brings over, and the archive knows as many tags as it can.
pub fn untagged() -> Stage {
    let mut stage = Stage::new();
    let (lobby, vault) = (stage.add("lobby", 512, "append"), stage.add_bare("vault", 64, "append"));
    stage.meet((lobby, "lobby"), (vault, "vault"));
    let job = json!({ "mode": "on-demand", "plan": { "after": { "tag": ["hauled"] } } });
    stage.haul((lobby, "lobby"), (vault, "vault"), &[], &job);
    stage.record(lobby, 2);
    let tag = |name: &str| json!({ "archive": "lobby", "camera": "gate", "tag": name });
    for number in 0..256 {
        stage.ask(lobby, "Tag.Set", tag(&format!("t{number}")));
    }
    let run = json!({ "name": "out", "wait": true });
    assert_eq!(stage.ask(lobby, "Job.Run", run.clone())["result"], "completed");
    stage.ask(lobby, "Tag.Unset", tag("t7"));
    stage.ask(lobby, "Job.Run", run);
    stage.pass(1);
    assert_eq!(stage.times(lobby, "untagged"), 1, "it is told once");
    let tags = stage.ask(lobby, "Tag.List", json!({ "archive": "lobby" }));
    let hauled = tags["tags"].as_array().unwrap().iter().any(|tag| tag["tag"] == "hauled");
    assert!(hauled, "it is made up for as soon as there is room");
    stage
}

pub fn full_target() -> Stage {
    let Pair { mut stage, lobby, .. } = pair(SLOTS, &[], "always", None);
    stage.record(lobby, SLOTS);
    stage
}

pub fn overrun() -> Stage {
    let Pair {
        mut stage, lobby, vault, ..
    } = always();
    stage.record(lobby, 2);
    stage.world.machines.partition(lobby, vault, true);
    stage.record(lobby, SLOTS + 10);
    stage.world.machines.partition(lobby, vault, false);
    stage.pass(90);
    stage
}

/// Blocks of the target go bad, others never came; a full run sends them, a second one finds nothing to send.
pub fn reconcile() -> Stage {
    let Pair {
        mut stage, lobby, vault, ..
    } = pair(4 * SLOTS, &[], "on-demand", None);
    let run = |stage: &mut Stage, full: bool| {
        stage.ask(lobby, "Job.Run", json!({ "name": "out", "full": full }));
        stage.pass(60);
        let job = stage.ask(lobby, "Job.Show", json!({ "name": "out" }))["job"].clone();
        assert_eq!(job["state"], "idle", "{job}");
        job
    };
    stage.record(lobby, 8);
    run(&mut stage, false);
    let disk = stage.disk(vault);
    // Slot 0 holds the lease.
    for slot in [2, 3, 6] {
        stage.world.machines.disk_mut(disk).flip(Stage::slot(slot).start + 5_000, 1);
    }
    let job = run(&mut stage, true);
    assert_eq!(
        (&job["full"]["sent"], &job["full"]["lost"], &job["full"]["done"]),
        (&3.into(), &0.into(), &true.into()),
        "{job}"
    );
    let verified = stage.ask(vault, "Archive.Verify", json!({ "name": "vault" }));
    let replaced: Vec<_> = verified["damaged"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["replaced_by"].as_u64())
        .collect();
    assert_eq!(
        (&verified["good"], &verified["back_filled"], &verified["replaced"]),
        (&8.into(), &3.into(), &3.into()),
        "{verified}"
    );
    assert!(replaced.iter().all(Option::is_some), "{verified}");
    stage.record(lobby, 2);
    let job = run(&mut stage, true);
    assert_eq!(
        (&job["full"]["compared"], &job["full"]["sent"]),
        (&10.into(), &0.into()),
        "{job}"
    );
    stage.power_cut(vault);
    stage.boot(vault);
    let job = run(&mut stage, true);
    assert_eq!(
        (&job["full"]["compared"], &job["full"]["sent"]),
        (&10.into(), &0.into()),
        "{job}"
    );
    let info = stage.ask(vault, "Archive.Info", json!({ "name": "vault" }));
    assert_eq!(info["tracks"][0]["back_filled"], 3, "{info}");
    stage
}

pub fn stall() -> Stage {
    let Pair { mut stage, lobby, .. } = always();
    stage.world.machines.set_nic(lobby, "eth0", false);
    stage.record(lobby, 2);
    stage.pass(150);
    stage.world.machines.set_nic(lobby, "eth0", true);
    stage.pass(90);
    stage
}

pub fn altered() -> Stage {
    let Pair {
        mut stage, lobby, vault, ..
    } = always();
    stage.world.machines.alter_bodies(lobby, vault, 1);
    stage.record(lobby, 2);
    stage
}

pub fn wrong_token() -> Stage {
    let token = "0".repeat(64);
    let Pair { mut stage, lobby, .. } = pair(SLOTS, &[], "always", Some(&token));
    stage.record(lobby, 1);
    stage
}

pub fn out_of_scope() -> Stage {
    let Pair { mut stage, lobby, .. } = pair(SLOTS, &["hall"], "always", None);
    stage.record(lobby, 1);
    stage
}

pub fn put_back() -> Stage {
    let Pair { mut stage, lobby, .. } = always();
    stage.record(lobby, 2);
    let disk = stage.disk(lobby);
    let before = stage.world.machines.disk(disk).snapshot();
    stage.record(lobby, 1);
    stage.power_cut(lobby);
    stage.world.machines.disk_mut(disk).restore(&before);
    stage.boot(lobby);
    stage.record(lobby, 1);
    stage.power_cut(lobby);
    stage.boot(lobby);
    stage.pass(10);
    stage
}
