//! Appliances on simulated machines, one volume each, and what they said.
//!
//! Invariant: what was said before a power cut counts, whether it was kept or not.

use std::collections::BTreeSet;

use crate::sim::chunk;
use crate::site::{MEMORY_BYTES, Product, VOLUME, ask, boot, refused, superblock_copies};
use drivers_sim::{DiskId, DiskModel, Script, SiteId, World};
use serde_json::{Value, json};

/// Block size of every archive here: the smallest.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// The virtual second.
pub const SECOND_NS: u64 = 1_000_000_000;
/// Slots of the smallest archive.
pub const SLOTS: u64 = 32;
/// Bytes in front of the first slot, and behind the last.
const END_BYTES: u64 = 2 << 20;

/// Appliances, and what they said.
pub struct Stage {
    /// Everything.
    pub world: World<Product>,
    said: BTreeSet<String>,
    streams: u32,
}

impl Default for Stage {
    fn default() -> Stage {
        Stage::new()
    }
}

impl Stage {
    /// An empty world.
    pub fn new() -> Stage {
        Stage {
            world: World::new(1),
            said: BTreeSet::new(),
            streams: 0,
        }
    }

    /// An appliance with an archive of its own name and a recorder for the camera `gate`.
    pub fn add(&mut self, name: &str, slots: u64, mode: &str) -> SiteId {
        let site = self.add_bare(name, slots, mode);
        self.add_recorder(site, name, "gate");
        site
    }

    /// An appliance with an archive of its own name.
    pub fn add_bare(&mut self, name: &str, slots: u64, mode: &str) -> SiteId {
        let site = self.world.machines.add_site(name, MEMORY_BYTES);
        let model = DiskModel::disk(2 * END_BYTES + slots * BLOCK_BYTES, name);
        self.world.machines.add_disk(site, VOLUME, model);
        boot(&mut self.world, site);
        self.create_archive(site, name, VOLUME, mode);
        site
    }

    /// Another archive of an appliance, on a disk of its own.
    pub fn add_archive(&mut self, site: SiteId, name: &str, slots: u64) {
        let (path, model) = (
            format!("/dev/{name}"),
            DiskModel::disk(2 * END_BYTES + slots * BLOCK_BYTES, name),
        );
        self.world.machines.add_disk(site, &path, model);
        self.create_archive(site, name, &path, "append");
    }

    fn create_archive(&mut self, site: SiteId, name: &str, volume: &str, mode: &str) {
        let archive = json!({ "name": name, "volume": volume, "block_bytes": BLOCK_BYTES, "mode": mode });
        self.ask(site, "Archive.Create", archive);
    }

    /// A recorder for a camera.
    pub fn add_recorder(&mut self, site: SiteId, archive: &str, camera: &str) {
        let recorder = json!({
            "name": camera, "archive": archive, "camera": camera, "listen": format!("/run/{camera}"), "flush_after_ms": 1000,
        });
        self.ask(site, "Recorder.Create", recorder);
    }

    /// Calls a method, which must be granted.
    pub fn ask(&mut self, site: SiteId, method: &str, parameters: Value) -> Value {
        ask(&mut self.world, site, method, parameters)
    }

    /// Calls a method, which must be refused. The sentence that says why.
    pub fn refused(&mut self, site: SiteId, method: &str, parameters: Value) -> String {
        refused(&mut self.world, site, method, parameters)
    }

    /// Makes two appliances peers of each other, by these names.
    pub fn meet(&mut self, one: (SiteId, &str), two: (SiteId, &str)) {
        for ((site, _), (other, name)) in [(one, two), (two, one)] {
            let key = self.world.machines.site(other).fingerprint.to_string();
            let peer = json!({ "name": name, "key": key, "routes": [{ "host": name, "port": 7440 }] });
            self.ask(site, "Peer.Add", peer);
        }
    }

    /// A job between the archives of two peers, each of its appliance's name, with what else is said of the job.
    pub fn haul(&mut self, from: (SiteId, &str), to: (SiteId, &str), cameras: &[&str], said: &Value) {
        let grant = json!({ "peer": from.1, "archive": to.1, "cameras": cameras });
        let token = self.ask(to.0, "Grant.Create", grant)["token"].take();
        let mut job = json!({ "name": "out", "from": from.1, "peer": to.1, "archive": to.1, "token": token });
        for (key, value) in said.as_object().expect("an object") {
            job[key] = value.clone();
        }
        self.ask(from.0, "Job.Create", job);
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) {
        self.world.run_for(seconds * SECOND_NS);
    }

    /// A feeder writes that many chunks, a thousand a second, and closes.
    pub fn feed(&mut self, site: SiteId, camera: &str, chunks: u64) {
        self.streams += 1;
        let script = Script {
            stream: self.streams,
            chunk,
            chunks,
            every_ns: SECOND_NS / 1000,
        };
        self.world.machines.feed_path(site, &format!("/run/{camera}"), script);
    }

    /// The camera `gate` sends that many short streams, each of which becomes a block.
    pub fn record(&mut self, site: SiteId, blocks: u64) {
        for _ in 0..blocks {
            self.feed(site, "gate", 1);
            self.pass(1);
        }
    }

    /// The disk of a site.
    pub fn disk(&self, site: SiteId) -> DiskId {
        self.world.machines.disk_at(site, VOLUME).expect("it is there")
    }

    /// Where the slot of a number lies.
    pub fn slot(number: u64) -> std::ops::Range<u64> {
        let at_bytes = END_BYTES + number * BLOCK_BYTES;
        at_bytes..at_bytes + BLOCK_BYTES
    }

    /// Where the superblock copies of a site lie.
    pub fn superblocks(&self, site: SiteId) -> [u64; 4] {
        superblock_copies(self.world.machines.disk(self.disk(site)).model.size_bytes)
    }

    /// Cuts the power of a site.
    pub fn power_cut(&mut self, site: SiteId) {
        self.note();
        self.world.power_cut(site);
    }

    /// Switches a site on, and waits until it is up.
    pub fn boot(&mut self, site: SiteId) {
        boot(&mut self.world, site);
        self.pass(3);
    }

    /// How often a site has said something, as far as it was kept.
    pub fn times(&self, site: SiteId, code: &str) -> usize {
        let kept = self.world.machines.site(site).state.kept();
        let events = kept
            .iter()
            .map(|line| serde_json::from_slice::<Value>(line).expect("it is there"));
        events.filter(|event| event["code"] == code).count()
    }

    fn note(&mut self) {
        for site in (0..self.world.machines.sites()).map(SiteId) {
            for line in self.world.machines.site(site).state.kept() {
                let event: Value = serde_json::from_slice(&line).expect("it is there");
                self.said.insert(event["code"].as_str().expect("it is there").into());
            }
        }
    }

    /// Codes of everything that was said.
    pub fn said(mut self) -> BTreeSet<String> {
        self.note();
        self.said
    }
}

/// `lobby` hauls to `vault`.
pub struct Pair {
    /// Both, and what they said.
    pub stage: Stage,
    /// The source.
    pub lobby: SiteId,
    /// The target.
    pub vault: SiteId,
}

impl Pair {
    /// Where the source is.
    pub const LOBBY: SiteId = SiteId(0);
    /// Where the target is.
    pub const VAULT: SiteId = SiteId(1);
}

/// The two, and a job. `cameras` are those of the grant; `token` stands for the right one.
pub fn pair(vault_slots: u64, cameras: &[&str], mode: &str, token: Option<&str>) -> Pair {
    pair_of("ring", vault_slots, cameras, mode, token)
}

/// The same, with the mode of the archive in the lobby.
pub fn pair_of(lobby_mode: &str, vault_slots: u64, cameras: &[&str], mode: &str, token: Option<&str>) -> Pair {
    made(lobby_mode, vault_slots, cameras, token, json!({ "mode": mode }))
}

/// The same, with what else is said of the job.
pub fn pair_with(vault_slots: u64, cameras: &[&str], token: Option<&str>, said: Value) -> Pair {
    made("ring", vault_slots, cameras, token, said)
}

fn made(lobby_mode: &str, vault_slots: u64, cameras: &[&str], token: Option<&str>, said: Value) -> Pair {
    let mut stage = Stage::new();
    let lobby = stage.add("lobby", SLOTS, lobby_mode);
    let vault = stage.add_bare("vault", vault_slots, "append");
    stage.meet((lobby, "lobby"), (vault, "vault"));
    let grant = json!({ "peer": "lobby", "archive": "vault", "cameras": cameras });
    let grant = stage.ask(vault, "Grant.Create", grant);
    let token = token.map_or(grant["token"].clone(), Value::from);
    let mut job = json!({ "name": "out", "from": "lobby", "peer": "vault", "archive": "vault", "token": token });
    for (key, value) in said.as_object().expect("an object") {
        job[key] = value.clone();
    }
    stage.ask(lobby, "Job.Create", job);
    stage.pass(1);
    Pair { stage, lobby, vault }
}
