//! Devices that misbehave in ways of their own, and what people are told of it: the real core on simulated machines, in virtual time.
//!
//! Not here: faults drawn from a seed (`simulation.rs`) and real devices (`stories/`).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use blockhaul_tests::site::{MEMORY_BYTES, Product, VOLUME, ask, boot};
use drivers_sim::{DiskModel, Script, SiteId, World};
use serde_json::{Value, json};

const SECOND_NS: u64 = 1_000_000_000;
const OTHER: &str = "/dev/sim1";

/// One appliance with two archives on two disks, and a camera at each.
fn two_archives() -> (World<Product>, SiteId) {
    let mut world = World::new(1);
    let site = world.machines.add_site("lobby", MEMORY_BYTES);
    for (path, name) in [(VOLUME, "one"), (OTHER, "two")] {
        world.machines.add_disk(site, path, DiskModel::disk(32 << 20, name));
    }
    boot(&mut world, site);
    for (path, name) in [(VOLUME, "one"), (OTHER, "two")] {
        let archive = json!({ "name": name, "volume": path, "mode": "ring", "block_bytes": 64 << 10 });
        ask(&mut world, site, "Archive.Create", archive);
        let listen = format!("/run/{name}");
        let recorder =
            json!({ "name": name, "archive": name, "camera": name, "kind": "video", "listen": listen, "flush_after_ms": 1000 });
        ask(&mut world, site, "Recorder.Create", recorder);
        let script = Script {
            stream: 1,
            chunk: |stream, number| format!("stream {stream}, line {number}\n").repeat(100).into_bytes(),
            chunks: 100_000,
            every_ns: SECOND_NS / 10,
        };
        world.machines.feed_path(site, &listen, script);
    }
    world.run_for(5 * SECOND_NS);
    (world, site)
}

fn archive(world: &mut World<Product>, site: SiteId, name: &str) -> Value {
    ask(world, site, "Archive.Info", json!({ "name": name }))["archive"].take()
}

fn durable(world: &mut World<Product>, site: SiteId, name: &str) -> u64 {
    archive(world, site, name)["durable"].as_u64().unwrap()
}

/// Codes of all kept events about a subject, oldest first.
fn codes(world: &World<Product>, site: SiteId, subject: &str) -> Vec<String> {
    let kept = world.machines.site(site).state.kept();
    let events = kept.iter().map(|line| serde_json::from_slice::<Value>(line).unwrap());
    let about = events.filter(|event| event["subject"] == subject);
    about.map(|event| event["code"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_device_that_does_not_answer_is_said() {
    let (mut world, site) = two_archives();
    let disk = world.machines.disk_at(site, VOLUME).unwrap();
    let before = durable(&mut world, site, "two");
    world.machines.hang_disk(disk);
    world.run_for(30 * SECOND_NS);
    let silent = archive(&mut world, site, "one");
    assert_eq!(silent["state"], "degraded", "{silent}");
    assert!(silent["why"].as_str().unwrap().contains("does not answer"), "{silent}");
    assert!(!silent["action"].as_str().unwrap().is_empty(), "{silent}");
    assert_eq!(
        codes(&world, site, "one")
            .iter()
            .filter(|code| *code == "device-silent")
            .count(),
        1
    );
    assert!(
        durable(&mut world, site, "two") > before + 10,
        "the other archive does not wait for it"
    );
    assert!(!codes(&world, site, "two").contains(&"device-silent".to_owned()));

    let behind = durable(&mut world, site, "one");
    world.machines.release_disk(disk);
    world.run_for(10 * SECOND_NS);
    assert_eq!(archive(&mut world, site, "one")["state"], "ready");
    assert!(durable(&mut world, site, "one") > behind, "late completions count");
    assert_eq!(
        codes(&world, site, "one")
            .iter()
            .filter(|code| *code == "device-answers")
            .count(),
        1
    );
}
