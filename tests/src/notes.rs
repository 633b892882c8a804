//! Tags and marks against power cuts and killed processes, in histories drawn from seeds: what was answered is there afterwards, what was
//! not is there as a whole or not at all, and a mark comes to every archive that its blocks are hauled to.
//!
//! Whatever does not hold is a panic with the seed in it.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use drivers_sim::SiteId;
use hal::Role;
use serde_json::{Value, json};

use crate::stage::{SECOND_NS, Stage};

/// Numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// What an archive should say of its notes: tagged blocks by tag, and names of marks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Notes {
    tags: BTreeMap<String, BTreeSet<u64>>,
    marks: BTreeSet<String>,
}

impl Notes {
    fn tag(&mut self, tag: &str, blocks: std::ops::Range<u64>, set: bool) {
        let tagged = self.tags.entry(tag.to_owned()).or_default();
        for block in blocks {
            if set {
                tagged.insert(block);
            } else {
                tagged.remove(&block);
            }
        }
        self.tags.retain(|_, blocks| !blocks.is_empty());
    }
}

fn told(stage: &mut Stage, site: SiteId, archive: &str) -> Notes {
    let mut notes = Notes::default();
    let tags = stage.ask(site, "Tag.List", json!({ "archive": archive }));
    for tag in tags["tags"].as_array().unwrap() {
        let (from, to) = (tag["from"].as_u64().unwrap(), tag["to"].as_u64().unwrap());
        assert!(from < to, "{tags}");
        notes.tag(tag["tag"].as_str().unwrap(), from..to, true);
    }
    let marks = stage.ask(site, "Mark.List", json!({ "archive": archive }));
    for mark in marks["marks"].as_array().unwrap() {
        assert!(
            notes.marks.insert(mark["name"].as_str().unwrap().to_owned()),
            "a mark is there twice: {marks}"
        );
    }
    notes
}

/// Calls a method and gives it that long; none if it was not answered.
fn call_for(stage: &mut Stage, site: SiteId, method: &str, parameters: &Value, patience_ns: u64) -> Option<Value> {
    let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters }).to_string();
    let world = &mut stage.world;
    let caller = world.machines.connect_and_call(site, Role::Admin, &call);
    world.run_until(patience_ns, |world| {
        world.machines.replies(caller) > 0 || world.machines.is_gone(caller)
    });
    let reply = world.machines.take_reply(caller);
    world.machines.leave(caller);
    reply.map(|reply| serde_json::from_slice(&reply).unwrap())
}

fn blocks_of(stage: &mut Stage, site: SiteId, archive: &str) -> u64 {
    let info = stage.ask(site, "Archive.Info", json!({ "name": archive }));
    let tracks = info["tracks"].as_array().unwrap();
    tracks.first().map_or(0, |track| track["next"].as_u64().unwrap())
}

/// One history of one archive with so many slots.
pub fn one_archive(seed: u64, mode: &str, slots: u64) {
    let mut dice = Dice(seed);
    let mut stage = Stage::new();
    let site = stage.add("lobby", slots, mode);
    stage.record(site, 3);
    let mut known = Notes::default();
    let mut cuts = 0;
    for turn in 0..30 {
        let blocks = blocks_of(&mut stage, site, "lobby");
        let mut wanted = known.clone();
        let tag = ["court", "motion", "night"][dice.below(3) as usize];
        let from = dice.below(blocks);
        let to = from + 1 + dice.below(blocks - from);
        let (method, parameters) = match dice.below(8) {
            0 => {
                let name = format!("m{turn}");
                wanted.marks.insert(name.clone());
                ("Mark.Create", json!({ "archive": "lobby", "name": name }))
            }
            1 if !known.marks.is_empty() => {
                let name = known.marks.iter().next().unwrap().clone();
                wanted.marks.remove(&name);
                ("Mark.Remove", json!({ "archive": "lobby", "name": name }))
            }
            2 | 3 => {
                wanted.tag(tag, from..to, false);
                let range = json!({ "archive": "lobby", "camera": "gate", "tag": tag, "from": from, "to": to });
                ("Tag.Unset", range)
            }
            _ => {
                wanted.tag(tag, from..to, true);
                let range = json!({ "archive": "lobby", "camera": "gate", "tag": tag, "from": from, "to": to });
                ("Tag.Set", range)
            }
        };
        // Mostly long enough; else the power goes, or the process, while the note is on its way.
        let cut = dice.below(3) == 0;
        let patience_ns = if cut { dice.below(40_000_000) } else { 20 * SECOND_NS };
        let answer = call_for(&mut stage, site, method, &parameters, patience_ns);
        let done = answer.as_ref().is_some_and(|answer| answer.get("error").is_none());
        assert!(done || cut, "seed {seed}: {method} {parameters} is not done: {answer:?}");
        if cut {
            cuts += 1;
            if dice.below(2) == 0 {
                stage.power_cut(site);
            } else {
                stage.world.kill(site);
            }
            stage.boot(site);
        }
        let found = told(&mut stage, site, "lobby");
        if mode == "ring" {
            // What its blocks have taken along is not there; nothing is there that was not said.
            for (tag, blocks) in &found.tags {
                let said = wanted.tags.get(tag).into_iter().chain(known.tags.get(tag)).flatten();
                let said: BTreeSet<&u64> = said.collect();
                assert!(
                    blocks.iter().all(|block| said.contains(block)),
                    "seed {seed}, turn {turn}: {tag}"
                );
            }
            assert!(found.marks == wanted.marks || (!done && found.marks == known.marks));
        } else {
            let right = found == wanted || (!done && found == known);
            assert!(
                right,
                "seed {seed}, turn {turn}: {found:?}, and before {method} {parameters}: {known:?}"
            );
        }
        known = found;
        if dice.below(2) == 0 {
            let more = 1 + dice.below(2);
            stage.record(site, more);
        }
    }
    assert!(cuts > 0, "seed {seed}: nothing was cut");
}

/// One history of two archives and a job between them, with each of the two cut short now and then.
pub fn two_archives(seed: u64) {
    let mut dice = Dice(seed);
    let mut stage = Stage::new();
    let lobby = stage.add("lobby", 256, "append");
    let vault = stage.add_bare("vault", 256, "append");
    stage.add_recorder(lobby, "lobby", "yard");
    for (site, other, name) in [(lobby, vault, "vault"), (vault, lobby, "lobby")] {
        let key = stage.world.machines.site(other).fingerprint.to_string();
        let peer = json!({ "name": name, "key": key, "routes": [{ "host": name, "port": 7440 }] });
        stage.ask(site, "Peer.Add", peer);
    }
    let narrow = seed.is_multiple_of(3);
    let cameras: &[&str] = if narrow { &["yard"] } else { &[] };
    let grant = json!({ "peer": "lobby", "archive": "vault", "cameras": cameras });
    let token = stage.ask(vault, "Grant.Create", grant)["token"].take();
    let job = json!({ "name": "out", "from": "lobby", "peer": "vault", "archive": "vault", "mode": "always", "token": token });
    stage.ask(lobby, "Job.Create", job);
    let mut made = BTreeSet::new();
    for turn in 0..10 {
        let camera = if dice.below(2) == 0 { "yard" } else { "gate" };
        stage.feed(lobby, camera, 1 + dice.below(3));
        stage.feed(lobby, "yard", 1);
        stage.pass(2);
        if dice.below(2) == 0 {
            let name = format!("m{turn}");
            let answer = call_for(
                &mut stage,
                lobby,
                "Mark.Create",
                &json!({ "archive": "lobby", "name": name }),
                20 * SECOND_NS,
            );
            assert!(
                answer.is_some_and(|answer| answer.get("error").is_none()),
                "seed {seed}: {name}"
            );
            made.insert(name);
        }
        stage.world.run_for(dice.below(300_000_000));
        let site = if dice.below(2) == 0 { lobby } else { vault };
        match dice.below(4) {
            0 => stage.power_cut(site),
            1 => stage.world.kill(site),
            _ => continue,
        }
        stage.boot(site);
    }
    stage.pass(200);
    assert_eq!(told(&mut stage, lobby, "lobby").marks, made, "seed {seed}: at the source");
    assert_eq!(told(&mut stage, vault, "vault").marks, made, "seed {seed}: at the target");
    let there = stage.ask(vault, "Mark.List", json!({ "archive": "vault" }));
    for mark in there["marks"].as_array().unwrap() {
        let whole = mark["awaited"] == 0 && mark["diverged"] == 0 && mark["missing"] == 0;
        assert!(whole, "seed {seed}: {mark}");
        if narrow {
            assert_eq!(mark["tracks"], 1, "seed {seed}: only what the grant names: {mark}");
        }
        let waited = stage.ask(vault, "Mark.Wait", json!({ "archive": "vault", "name": mark["name"] }));
        assert_eq!(waited["mark"], *mark);
    }
}
