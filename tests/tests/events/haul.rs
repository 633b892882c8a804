//! Stories of two appliances and a job between them.

use drivers_sim::SiteId;
use serde_json::{Value, json};

use crate::stage::{SLOTS, Stage};

/// `lobby` hauls to `vault`.
pub struct Pair {
    pub stage: Stage,
    pub lobby: SiteId,
    pub vault: SiteId,
}

/// The two, and a job. `cameras` are those of the grant; `token` stands for the right one.
pub fn pair(vault_slots: u64, cameras: &[&str], mode: &str, token: Option<&str>) -> Pair {
    pair_of("ring", vault_slots, cameras, mode, token)
}

/// The same, with the mode of the archive in the lobby.
pub fn pair_of(lobby_mode: &str, vault_slots: u64, cameras: &[&str], mode: &str, token: Option<&str>) -> Pair {
    let mut stage = Stage::new();
    let lobby = stage.add("lobby", SLOTS, lobby_mode);
    let vault = stage.add("vault", vault_slots, "append");
    for (site, other, name) in [(lobby, vault, "vault"), (vault, lobby, "lobby")] {
        let key = stage.world.machines.site(other).fingerprint.to_string();
        let peer = json!({ "name": name, "key": key, "routes": [{ "host": name, "port": 7440 }] });
        stage.ask(site, "Peer.Add", peer);
    }
    let grant = json!({ "peer": "lobby", "archive": "vault", "cameras": cameras });
    let grant = stage.ask(vault, "Grant.Create", grant);
    let token = token.map_or(grant["token"].clone(), Value::from);
    let job = json!({ "name": "out", "from": "lobby", "peer": "vault", "archive": "vault", "mode": mode, "token": token });
    stage.ask(lobby, "Job.Create", job);
    stage.pass(1);
    Pair { stage, lobby, vault }
}

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
