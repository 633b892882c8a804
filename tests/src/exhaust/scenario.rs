//! What is explored: each scenario is a world at the place where it becomes interesting, brought there by the shortest way.
//!
//! The smallest archive of the product has 32 slots of 64 KiB in segments of 4 log sequences (`limits::SLOTS_MIN`), and the
//! smallest block memory is 1 MiB. So the archives here are filled until two slots before a checkpoint, or before the end, and
//! what follows is explored.

use std::time::Duration;

use serde_json::{Value, json};

use super::bench::Bench;
use super::choice::{Choice, Order, PROMPT_NS, Rules, SLOW_NS};
use super::pages::{BYTES as PAGE, POISON, Pages};
use super::search::Limits;
use super::site::{DOOR, Script, Site, VOLUME};
use super::world::World;

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 64 << 10;
/// Slots of every archive.
pub const SLOTS: usize = 32;
/// Where they begin.
pub const SLOTS_AT: usize = 2 << 20;
const DISK_BYTES: usize = (4 << 20) + SLOTS * BLOCK_BYTES;
/// Block memory of each appliance: the smallest for that block size.
const MEMORY_BYTES: usize = 16 * BLOCK_BYTES;
/// Block memory while an archive is made: both ends of the volume are looked at.
pub const CREATION_BYTES: usize = 8 << 20;
/// Steps in which a prologue must come to an end.
const STEPS_MAX: usize = 100_000;

/// What to explore.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub what: &'static str,
    /// What may go wrong.
    pub rules: Rules,
    /// Faults that may strike.
    pub faults: u32,
    /// Power cuts that may come.
    pub crashes: u32,
    build: fn(&mut World, &mut Bench) -> Result<(), String>,
}

/// Nothing goes wrong in a prologue.
const CALM: Rules = Rules {
    order: Order::Rising,
    disks_fail: false,
    links_fail: false,
    eager: true,
    slow_ns: PROMPT_NS,
};

const DISK: Rules = Rules {
    disks_fail: true,
    ..CALM
};

const BOTH: Rules = Rules {
    links_fail: true,
    ..DISK
};

/// All scenarios.
pub const SCENARIOS: [Scenario; 6] = [
    Scenario {
        name: "archive",
        what: "four blocks into an append archive, a checkpoint in the middle",
        rules: DISK,
        faults: 2,
        crashes: 1,
        build: |world, bench| archive(world, bench, "append", 10, 4),
    },
    Scenario {
        name: "full",
        what: "four blocks for the last two slots of an append archive",
        rules: Rules {
            slow_ns: SLOW_NS,
            eager: false,
            ..DISK
        },
        faults: 2,
        crashes: 1,
        build: |world, bench| archive(world, bench, "append", 26, 4),
    },
    Scenario {
        name: "ring",
        what: "four blocks into a ring that gives up its oldest segment",
        rules: DISK,
        faults: 2,
        crashes: 1,
        build: |world, bench| archive(world, bench, "ring", 38, 4),
    },
    Scenario {
        name: "recovery",
        what: "a power cut, and a fault and another power cut while the log's end is looked for",
        rules: Rules {
            order: Order::BothEnds,
            eager: false,
            ..DISK
        },
        faults: 1,
        crashes: 2,
        build: |world, bench| {
            archive(world, bench, "append", 10, 2)?;
            written(world, bench)
        },
    },
    Scenario {
        name: "one",
        what: "one block from a source to a target, and the acknowledgement back",
        rules: BOTH,
        faults: 2,
        crashes: 1,
        build: |world, bench| haul(world, bench, 1),
    },
    Scenario {
        name: "haul",
        what: "four blocks from a source to a target, and the acknowledgements back",
        rules: BOTH,
        faults: 2,
        crashes: 1,
        build: |world, bench| haul(world, bench, 4),
    },
];

impl Scenario {
    /// The same with other numbers of faults and power cuts.
    pub fn with(self, faults: u32, crashes: u32) -> Scenario {
        Scenario { faults, crashes, ..self }
    }

    /// The scenario of a name.
    pub fn named(name: &str) -> Option<Scenario> {
        SCENARIOS.into_iter().find(|scenario| scenario.name == name)
    }

    /// Its first state.
    pub fn begin(&self, bench: &mut Bench) -> Result<World, String> {
        let mut world = World::new(Vec::new());
        (self.build)(&mut world, bench).map_err(|why| format!("Scenario {} cannot begin: {why}.", self.name))?;
        for site in &mut world.sites {
            site.replies.clear();
        }
        world.faults_left = self.faults;
        world.crashes_left = self.crashes;
        world.calm_since_ns = world.now_ns;
        Ok(world)
    }
}

/// Faults and power cuts that are allowed, from few to all of a scenario: what a run cannot exhaust, it has exhausted with less.
pub fn levels(scenario: &Scenario) -> Vec<Scenario> {
    let level = |faults: u32, crashes: u32| Scenario {
        faults: faults.min(scenario.faults),
        crashes: crashes.min(scenario.crashes),
        ..*scenario
    };
    let mut levels = vec![level(0, 0), level(1, 0), level(0, 1), level(1, 1), level(u32::MAX, u32::MAX)];
    levels.dedup_by_key(|level| (level.faults, level.crashes));
    levels
}

/// Limits of a run that must be over soon, and of one that need not.
pub fn limits(deep: bool) -> Limits {
    Limits {
        states: if deep { 100_000_000 } else { 20_000_000 },
        time: Duration::from_secs(if deep { 3600 } else { 38 }),
    }
}

fn step(world: &mut World, bench: &mut Bench) -> Result<(), String> {
    let choices = world.choices(CALM, bench);
    let choice = choices.first().copied().ok_or("nothing can happen")?;
    world.happen(choice, bench)
}

fn run_until(
    world: &mut World,
    bench: &mut Bench,
    is_so: impl Fn(&World, &mut Bench) -> Result<bool, String>,
) -> Result<(), String> {
    for _ in 0..STEPS_MAX {
        if is_so(world, bench)? {
            return Ok(());
        }
        step(world, bench)?;
    }
    Err("it does not come to its beginning".into())
}

fn rest(world: &mut World, bench: &mut Bench) -> Result<(), String> {
    run_until(world, bench, |world, bench| {
        Ok(world.is_quiet() && world.missing(bench)?.is_none())
    })?;
    (0..world.sites.len()).try_for_each(|at| world.look(at, bench))
}

fn ask(world: &mut World, bench: &mut Bench, at: usize, method: &str, parameters: &Value) -> Result<Value, String> {
    world.sites[at].replies.clear();
    let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters });
    world.call(at, call.to_string(), bench)?;
    run_until(world, bench, |world, _| Ok(!world.sites[at].replies.is_empty()))?;
    let reply = world.sites[at].replies.pop().unwrap_or_default();
    let mut reply: Value = serde_json::from_slice(&reply).map_err(|why| format!("{method} is answered with no JSON: {why}"))?;
    match reply.get("error") {
        Some(error) => Err(format!("{method} is refused: {error} {}", reply["parameters"])),
        None => Ok(reply["parameters"].take()),
    }
}

fn site(world: &mut World, bench: &mut Bench, name: &'static str, mode: &str) -> Result<usize, String> {
    let at = world.sites.len();
    world.sites.push(Site::new(name, CREATION_BYTES, DISK_BYTES));
    world.start(at, bench)?;
    let archive = json!({ "name": name, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": mode });
    ask(world, bench, at, "Archive.Create", &archive)?;
    rest(world, bench)?;
    world.sites[at].memory = Pages::of(POISON, MEMORY_BYTES / PAGE);
    world.restarts_left += 1;
    world.happen(Choice::Restart(at), bench)?;
    rest(world, bench)?;
    Ok(at)
}

fn recorder(world: &mut World, bench: &mut Bench, at: usize) -> Result<(), String> {
    let name = world.sites[at].name;
    let recorder = json!({ "name": "camera", "archive": name, "camera": "camera", "listen": DOOR });
    ask(world, bench, at, "Recorder.Create", &recorder)?;
    world.sites[at].scripts.insert(DOOR.into(), Script::default());
    Ok(())
}

fn bring(world: &mut World, at: usize, pieces: u32) {
    if let Some(script) = world.sites[at].scripts.get_mut(DOOR) {
        script.pieces += pieces;
    }
}

/// One site whose log has reached `head`, and pieces that come.
fn archive(world: &mut World, bench: &mut Bench, mode: &str, head: u64, pieces: u32) -> Result<(), String> {
    let at = site(world, bench, "lobby", mode)?;
    recorder(world, bench, at)?;
    rest(world, bench)?;
    while world.ask(at, bench)?.head < head {
        bring(world, at, 1);
        rest(world, bench)?;
    }
    bring(world, at, pieces);
    Ok(())
}

/// All pieces have been written, and none is flushed.
fn written(world: &mut World, bench: &mut Bench) -> Result<(), String> {
    use super::site::Work;
    run_until(world, bench, |world, _| {
        let site = &world.sites[0];
        let flush = |flight: &super::site::Flight| matches!(flight.work, Work::Flush { .. });
        Ok(site.is_fed() && site.flights.iter().any(flush))
    })
}

/// A source and a target that are linked and caught up, and pieces that come.
fn haul(world: &mut World, bench: &mut Bench, pieces: u32) -> Result<(), String> {
    let from = site(world, bench, "lobby", "append")?;
    let to = site(world, bench, "vault", "append")?;
    recorder(world, bench, from)?;
    let key = |world: &World, at: usize| world.sites[at].key.to_string();
    let here = json!({ "name": "lobby", "key": key(world, from) });
    ask(world, bench, to, "Peer.Add", &here)?;
    let there = json!({ "name": "vault", "key": key(world, to), "routes": [{ "host": "vault", "port": 7440 }] });
    ask(world, bench, from, "Peer.Add", &there)?;
    let grant = ask(
        world,
        bench,
        to,
        "Grant.Create",
        &json!({ "peer": "lobby", "archive": "vault" }),
    )?;
    let job = json!({
        "name": "out", "from": "lobby", "peer": "vault", "archive": "vault", "mode": "always", "token": grant["token"],
    });
    ask(world, bench, from, "Job.Create", &job)?;
    bring(world, from, 1);
    rest(world, bench)?;
    bring(world, from, pieces);
    Ok(())
}
