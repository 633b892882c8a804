//! What one event costs an appliance that has many tracks: the time that the core takes for it, measured on this machine, while
//! twenty cameras record and are hauled and all others are silent. `cargo tracks` prints a line for each number of tracks.
//!
//! Only the core is timed: machines, disks and links are simulated, and their time is not counted.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::fmt::Write;
use std::time::{Duration, Instant as Stopwatch};

use blockhaul_core::{Appliance, Board};
use blockhaul_tests::command::end_quietly_where_nobody_reads;
use blockhaul_tests::sim::chunk;
use blockhaul_tests::site::VOLUME;
use clap::Parser;
use drivers_sim::{Brain, DiskModel, Script, SiteId, World};
use hal::{Event, Instant, Memory, Moment, Ops, Role};
use serde_json::{Value, json};

/// Appliances that record; each has as many recorders as the others.
const SOURCES: usize = 4;
/// Cameras that send something while it is measured.
const ACTIVE: usize = 20;
const BLOCK_BYTES: u64 = 64 << 10;
/// Both ends of a volume.
const ENDS_BYTES: u64 = 4 << 20;
const SECOND_NS: u64 = 1_000_000_000;
/// Longest virtual time for a call or for catching up.
const PATIENCE_NS: u64 = 600 * SECOND_NS;

/// Measures what an event costs with few tracks and with many
#[derive(Debug, Parser)]
struct Arguments {
    /// Numbers of tracks
    #[arg(default_values_t = [100, 1_000, 10_000])]
    tracks: Vec<usize>,
    /// Virtual seconds that are measured
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

/// The product, with a watch.
struct Timed {
    appliance: Appliance,
    spent: Duration,
    events: u64,
}

impl Brain for Timed {
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        let begun = Stopwatch::now();
        self.appliance.step(now, event, memory, ops);
        self.spent += begun.elapsed();
        self.events += 1;
    }

    fn deadline(&self) -> Option<Instant> {
        self.appliance.deadline()
    }

    fn stopped(&self) -> bool {
        self.appliance.stopped()
    }
}

fn ask(world: &mut World<Timed>, site: SiteId, method: &str, parameters: &Value) -> Value {
    let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters }).to_string();
    let caller = world.machines.connect_and_call(site, Role::Admin, &call);
    world.run_until(PATIENCE_NS, |world| world.machines.replies(caller) > 0);
    let reply = world.machines.take_reply(caller);
    world.machines.leave(caller);
    let mut reply: Value = serde_json::from_slice(&reply.unwrap_or_else(|| panic!("{method} is not answered"))).unwrap();
    assert_eq!(reply.get("error"), None, "{method}: {reply}");
    reply["parameters"].take()
}

fn appliance(world: &mut World<Timed>, name: &str, recorders: usize, slots: u64) -> SiteId {
    // Each open door holds a block.
    let memory = (recorders as u64 + 256) * BLOCK_BYTES;
    let site = world.machines.add_site(name, u32::try_from(memory).unwrap());
    let model = DiskModel::disk(ENDS_BYTES + slots * BLOCK_BYTES, name);
    world.machines.add_disk(site, VOLUME, model);
    world.boot(site, |board, _, ops| {
        let now = board.now;
        let board = Board {
            fingerprint: board.fingerprint,
            version: "tracks",
            listening: board.listening,
            seed: board.seed,
            settings: board.settings,
            kept_events: board.kept_events,
            memory_bytes: board.memory_bytes,
        };
        Timed {
            appliance: Appliance::start(board, now, ops).unwrap(),
            spent: Duration::ZERO,
            events: 0,
        }
    });
    let archive = json!({ "name": name, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "append" });
    ask(world, site, "Archive.Create", &archive);
    site
}

fn taken(world: &mut World<Timed>, site: SiteId, name: &str) -> usize {
    let info = ask(world, site, "Archive.Info", &json!({ "name": name }));
    info["tracks"].as_array().map_or(0, Vec::len)
}

fn measure(tracks: usize, seconds: u64) {
    let mut world: World<Timed> = World::new(1);
    let each = tracks.div_ceil(SOURCES);
    let room = tracks as u64 * 2 + 20_000;
    let vault = appliance(&mut world, "vault", 0, room);
    let mut sources = Vec::new();
    for number in 0..SOURCES {
        let name = format!("source-{number}");
        let site = appliance(&mut world, &name, each, room);
        for (here, there, peer) in [(site, vault, "vault"), (vault, site, &name)] {
            let key = world.machines.site(there).fingerprint.to_string();
            let peer = json!({ "name": peer, "key": key, "routes": [{ "host": peer, "port": 7440 }] });
            ask(&mut world, here, "Peer.Add", &peer);
        }
        let grant = ask(
            &mut world,
            vault,
            "Grant.Create",
            &json!({ "peer": name, "archive": "vault" }),
        );
        let job = json!({
            "name": "out", "from": name, "peer": "vault", "archive": "vault", "mode": "always", "token": grant["token"],
        });
        ask(&mut world, site, "Job.Create", &job);
        let document = ask(&mut world, site, "Config.Export", &json!({ "secrets": true }));
        let mut document = document["document"].as_str().unwrap().to_owned();
        for camera in 0..each {
            let id = format!("s{number}-{camera}");
            writeln!(
                document,
                "\n[[recorder]]\nname = \"{id}\"\narchive = \"{name}\"\ncamera = \"{id}\"\nkind = \"video\"\nlisten = \"/run/{id}\"\n\
                 flush_after_ms = 1000"
            )
            .unwrap();
        }
        ask(&mut world, site, "Config.Apply", &json!({ "document": document }));
        sources.push((site, name));
    }
    let feed = |world: &mut World<Timed>, site, number: usize, camera: usize, chunks, every_ns| {
        let script = Script {
            stream: (number * each + camera) as u32,
            chunk,
            chunks,
            every_ns,
        };
        world.machines.feed_path(site, &format!("/run/s{number}-{camera}"), script);
    };
    // Every camera sends one block, so that every track is there.
    for (number, (site, _)) in sources.iter().enumerate() {
        for camera in 0..each {
            feed(&mut world, *site, number, camera, 1, SECOND_NS);
        }
    }
    let mut left = 120;
    while taken(&mut world, vault, "vault") < each * SOURCES {
        world.run_for(5 * SECOND_NS);
        left -= 1;
        assert!(left > 0, "not every track has come to the vault");
    }
    world.run_for(30 * SECOND_NS);
    let reset = |world: &mut World<Timed>, site| {
        let brain = world.brain_mut(site).unwrap();
        (brain.spent, brain.events) = (Duration::ZERO, 0);
    };
    for site in sources.iter().map(|(site, _)| *site).chain([vault]) {
        reset(&mut world, site);
    }
    for (number, (site, _)) in sources.iter().enumerate() {
        for camera in 0..ACTIVE / SOURCES {
            feed(&mut world, *site, number, camera, seconds * 50, SECOND_NS / 50);
        }
    }
    world.run_for(seconds * SECOND_NS);
    let cost = |sites: &[SiteId]| {
        let brains = sites.iter().map(|site| world.brain(*site).unwrap());
        let (spent, events) = brains.fold((Duration::ZERO, 0), |(spent, events), brain| {
            (spent + brain.spent, events + brain.events)
        });
        (spent.as_secs_f64() * 1e6 / events.max(1) as f64, events)
    };
    let sites: Vec<SiteId> = sources.iter().map(|(site, _)| *site).collect();
    let (source, target) = (cost(&sites), cost(&[vault]));
    println!(
        "{:>8}  {:>12.1}  {:>10}  {:>12.1}  {:>10}",
        each * SOURCES,
        source.0,
        source.1,
        target.0,
        target.1
    );
}

fn main() {
    let arguments = Arguments::parse_from(blockhaul_tests::command::words());
    end_quietly_where_nobody_reads();
    println!("  TRACKS  SOURCE US/EV  EVENTS      TARGET US/EV  EVENTS");
    for tracks in arguments.tracks {
        measure(tracks, arguments.seconds);
    }
}
