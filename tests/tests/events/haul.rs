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
