//! What is explored: each scenario is a world at the place where it becomes interesting, brought there by the shortest way.
//!
//! The smallest archive of the product has 32 slots of 64 KiB in segments of 4 log sequences (`limits::SLOTS_MIN`), and the
//! smallest block memory is 1 MiB. So the archives here are filled until two slots before a checkpoint, or before the end, and
//! what follows is explored.

use serde_json::{Value, json};

use super::bench::Bench;
use super::choice::{Choice, Order, PROMPT_NS, Rules, SLOW_NS};
use super::pages::{BYTES as PAGE, POISON, Pages};
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
    /// What is explored, from little to much: faults, power cuts, and whether reads of batches fail too.
    levels: &'static [Level],
    build: fn(&mut World, &mut Bench) -> Result<(), String>,
}

/// Faults, power cuts, and whether reads of batches fail too.
pub type Level = (u32, u32, bool);

/// Nothing goes wrong in a prologue.
const CALM: Rules = Rules {
    order: Order::Rising,
    disks_fail: false,
    batches_fail: true,
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

/// One fault or one power cut.
const ONE: &[Level] = &[(0, 0, true), (1, 0, true), (0, 1, true)];
/// Two faults, or one power cut.
const TWO: &[Level] = &[(0, 0, true), (1, 0, true), (0, 1, true), (2, 0, true)];
/// What takes hours: of every scenario, all that may go wrong together.
const DEEP: [Level; 3] = [(2, 0, true), (1, 1, true), (2, 1, true)];

/// All scenarios.
pub const SCENARIOS: [Scenario; 8] = [
    Scenario {
        name: "full",
        what: "four blocks for the last two slots of an append archive",
        rules: DISK,
        faults: 0,
        crashes: 0,
        levels: &[(0, 0, true), (1, 0, true), (0, 1, true), (2, 0, true), (1, 1, false)],
        build: |world, bench| archive(world, bench, "append", 26, 4),
    },
    Scenario {
        name: "slow",
        what: "the same, with every order of reads, and everything up to 50 ms late",
        rules: Rules {
            slow_ns: SLOW_NS,
            eager: false,
            ..DISK
        },
        faults: 0,
        crashes: 0,
        levels: ONE,
        build: |world, bench| archive(world, bench, "append", 26, 4),
    },
    Scenario {
        name: "archive",
        what: "two blocks into an append archive, a checkpoint before the second",
        rules: DISK,
        faults: 0,
        crashes: 0,
        levels: TWO,
        build: |world, bench| archive(world, bench, "append", 11, 2),
    },
    Scenario {
        name: "ring",
        what: "two blocks into a ring that gives up its oldest segment",
        rules: DISK,
        faults: 0,
        crashes: 0,
        levels: TWO,
        build: |world, bench| archive(world, bench, "ring", 39, 2),
    },
    Scenario {
        name: "recovery",
        what: "a power cut, and a fault and another power cut while the log's end is looked for",
        rules: Rules {
            order: Order::BothEnds,
            eager: false,
            ..DISK
        },
        faults: 0,
        crashes: 0,
        levels: ONE,
        build: |world, bench| {
            archive(world, bench, "append", 10, 2)?;
            written(world, bench)
        },
    },
    Scenario {
        name: "one",
        what: "one block from a source to a target, and the acknowledgement back",
        rules: BOTH,
        faults: 0,
        crashes: 0,
        levels: &[
            (0, 0, true),
            (1, 0, true),
            (0, 1, true),
            (2, 0, true),
            (1, 1, true),
            (2, 1, false),
        ],
        build: |world, bench| haul(world, bench, 1),
    },
    Scenario {
        name: "two",
        what: "two blocks that a source has, to a target, and the acknowledgements back",
        rules: BOTH,
        faults: 0,
        crashes: 0,
        levels: ONE,
        build: |world, bench| backlog(world, bench, 2),
    },
    Scenario {
        name: "haul",
        what: "four blocks that a source has, to a target, and the acknowledgements back",
        rules: BOTH,
        faults: 0,
        crashes: 0,
        levels: &[(0, 0, true)],
        build: |world, bench| backlog(world, bench, 4),
    },
];

impl Scenario {
    /// The same at a level.
    pub fn with(self, (faults, crashes, batches_fail): Level) -> Scenario {
        let rules = Rules {
            batches_fail,
            ..self.rules
        };
        Scenario {
            rules,
            faults,
            crashes,
            ..self
        }
    }

    /// The levels at which it is explored, from little to much; with `deep` those that take hours too.
    pub fn levels(self, deep: bool) -> impl Iterator<Item = Scenario> {
        let more = DEEP.into_iter().filter(move |level| deep && !self.levels.contains(level));
        self.levels.iter().copied().chain(more).map(move |level| self.with(level))
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

/// A source and a target that know each other, and what a job between them is to be.
fn pair(world: &mut World, bench: &mut Bench) -> Result<(usize, Value), String> {
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
    Ok((from, job))
}

/// A source and a target that are linked and caught up, and pieces that come.
fn haul(world: &mut World, bench: &mut Bench, pieces: u32) -> Result<(), String> {
    let (from, job) = pair(world, bench)?;
    ask(world, bench, from, "Job.Create", &job)?;
    bring(world, from, 1);
    rest(world, bench)?;
    bring(world, from, pieces);
    Ok(())
}

/// A source that has recorded pieces, a target that has none, and a job that begins.
fn backlog(world: &mut World, bench: &mut Bench, pieces: u32) -> Result<(), String> {
    let (from, job) = pair(world, bench)?;
    for _ in 0..pieces {
        bring(world, from, 1);
        rest(world, bench)?;
    }
    ask(world, bench, from, "Job.Create", &job)?;
    Ok(())
}
