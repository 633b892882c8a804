//! Fail the Nth I/O: scripted scenarios, run again and again, each time with another operation of the disk failing, once or for ever.
//!
//! What must hold then: nothing panics and every call is answered; a fault that stays is an event, a state or a refusal with a
//! sentence; a read that fails once and can be repeated is survived; and after a power cut, with the fault gone, everything
//! acknowledged is there and the archive goes on. Times are virtual and bounded.

use std::time::{Duration, Instant};

use drivers_sim::{Echo, Effect, Fault, IoKind, SiteId};
use hal::IoError;
use serde_json::json;

use super::cuts::truth;
use super::hauling::{arrive, caught_up, sink, source};
use super::judge::{Judge, MAKE_MEMORY_BYTES};
use super::take::{ARCHIVE, BLOCK_BYTES, SECOND_NS, Take, VOLUME};

const SEED: u64 = 2;
const SLOTS: u64 = 32;
/// Struck for ever, and countable.
const FOR_EVER: u64 = u64::MAX - 1;
/// No scenario has so many operations of a kind.
const NEVER: u64 = 10_000;

/// What fails, and how.
pub const KINDS: [(IoKind, &str, &[IoError]); 3] = [
    (
        IoKind::Read,
        "read",
        &[
            IoError::Media,
            IoError::Short,
            IoError::Gone,
            IoError::Exhausted,
            IoError::TimedOut,
        ],
    ),
    (
        IoKind::Write,
        "write",
        &[
            IoError::Media,
            IoError::Full,
            IoError::Short,
            IoError::Gone,
            IoError::ReadOnly,
        ],
    ),
    (
        IoKind::Flush,
        "flush",
        &[IoError::Media, IoError::Full, IoError::Gone, IoError::Exhausted],
    ),
];

/// A scenario: what leads up to it, and what is done while the fault waits.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Name on the command line.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    mode: &'static str,
    prepare: fn(&mut Take) -> Result<(), String>,
    act: fn(&mut Take) -> Result<(), String>,
}

/// All scenarios.
pub const SCENARIOS: [Scenario; 7] = [
    Scenario {
        name: "create",
        what: "an archive is made",
        mode: "append",
        prepare: |_| Ok(()),
        act: |take| {
            let call = json!({ "name": ARCHIVE, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "append" });
            take.ask("Archive.Create", &call)?;
            take.ready()
        },
    },
    Scenario {
        name: "append",
        what: "an archive is opened, and takes blocks and checkpoints",
        mode: "append",
        prepare: |take| {
            take.create("append")?;
            take.cameras(2)?;
            take.burst(2, 1)?;
            take.world.power_cut(take.site);
            Ok(())
        },
        act: |take| {
            take.start();
            take.ready()?;
            take.burst(2, 1)?;
            take.blocks(0, 4)
        },
    },
    Scenario {
        name: "ring",
        what: "a ring goes round, over its oldest blocks",
        mode: "ring",
        prepare: |take| {
            take.create("ring")?;
            take.cameras(3)?;
            take.blocks(0, 26)
        },
        act: |take| {
            take.burst(3, 1)?;
            take.burst(3, 1)?;
            take.blocks(1, 2)
        },
    },
    Scenario {
        name: "recovery",
        what: "an archive with a torn tail is opened, twice, and takes a block",
        mode: "ring",
        prepare: |take| {
            take.create("ring")?;
            take.cameras(6)?;
            take.burst(6, 1)?;
            for camera in 0..6 {
                take.feed(camera, 1);
            }
            take.pass(2_500_000);
            take.world.power_cut(take.site);
            Ok(())
        },
        act: |take| {
            take.start();
            take.ready()?;
            take.restart()?;
            take.blocks(0, 1)
        },
    },
    Scenario {
        name: "verify",
        what: "every block is read back",
        mode: "append",
        prepare: |take| {
            take.create("append")?;
            take.cameras(2)?;
            take.blocks(0, 5)
        },
        act: |take| {
            let verified = take.ask("Archive.Verify", &json!({ "name": ARCHIVE }))?;
            if verified["damaged_count"] == 0 {
                return Ok(());
            }
            Err(format!("verify names {} damaged blocks", verified["damaged_count"]))
        },
    },
    Scenario {
        name: "haul-target",
        what: "blocks come over a link",
        mode: "append",
        prepare: |take| {
            take.create("append")?;
            source(take)?;
            take.pass(5 * SECOND_NS);
            Ok(())
        },
        act: |take| {
            arrive(take, SiteId(1), 3)?;
            caught_up(take, SiteId(1))?;
            whole(take)
        },
    },
    Scenario {
        name: "haul-source",
        what: "blocks go over a link",
        mode: "ring",
        prepare: |take| {
            take.create("ring")?;
            take.cameras(2)?;
            sink(take)?;
            take.pass(5 * SECOND_NS);
            Ok(())
        },
        act: |take| {
            take.burst(2, 1)?;
            take.blocks(0, 3)?;
            caught_up(take, take.site)?;
            whole(take)
        },
    },
];

fn whole(take: &mut Take) -> Result<(), String> {
    let status = take.archive()?;
    if status["state"] == "ready" && status["quarantined"] == 0 {
        Ok(())
    } else {
        Err(format!("the archive is not whole: {status}"))
    }
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Place of the kind.
    pub kind: usize,
    /// How it fails.
    pub error: IoError,
    /// 1 for the first operation of its kind.
    pub nth: u64,
    /// Every one from there on.
    pub sticky: bool,
}

/// How a run went on with a fault in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Everything was done.
    Done,
    /// Not everything, and that was told.
    Told,
}

/// What came of a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// Operations of each kind.
    pub operations: [u64; 3],
    /// Runs in which the fault struck.
    pub runs: u64,
    /// Of them, those in which everything was done nevertheless.
    pub survived: u64,
    /// Time.
    pub took: Duration,
}

/// Runs every case of a scenario. The error is the first case in which something does not hold, with the line that replays it.
pub fn scenario(scenario: &Scenario, step: u64, say: &dyn Fn(u64)) -> Result<Row, String> {
    let begun = Instant::now();
    let mut row = Row::default();
    let prepared = prepared(scenario, Echo::Off)?;
    for (kind, (_, _, errors)) in KINDS.iter().enumerate() {
        for error in *errors {
            for sticky in [false, true] {
                for nth in (1..NEVER).step_by(usize::try_from(step).unwrap_or(1)) {
                    let case = Case {
                        kind,
                        error: *error,
                        nth,
                        sticky,
                    };
                    AT.set(Some((scenario.name, case)));
                    let outcome = play(scenario, &case, prepared.clone());
                    AT.set(None);
                    match outcome
                        .map_err(|why| format!("{}: {why}\n{}", words(scenario.name, &case), replay(scenario.name, &case)))?
                    {
                        None => break,
                        Some(outcome) => {
                            row.runs += 1;
                            row.survived += u64::from(outcome == Outcome::Done);
                            row.operations[kind] = row.operations[kind].max(nth);
                        }
                    }
                    say(row.runs);
                }
            }
        }
    }
    row.took = begun.elapsed();
    Ok(row)
}

/// Runs one case, with everything that happens on standard error.
pub fn one(scenario: &Scenario, case: &Case) -> Result<&'static str, String> {
    let mut prepared = prepared(scenario, Echo::Off)?;
    prepared.world.machines.trace.echo = Echo::Stderr;
    Ok(match play(scenario, case, prepared)? {
        None => "The scenario has fewer operations: nothing was struck.",
        Some(Outcome::Done) => "Everything was done nevertheless, and everything holds.",
        Some(Outcome::Told) => "Not everything could be done, that is told, and everything holds.",
    })
}

fn prepared(scenario: &Scenario, echo: Echo) -> Result<Take, String> {
    let mut take = Take::new(SEED, SLOTS, MAKE_MEMORY_BYTES, echo);
    take.start();
    (scenario.prepare)(&mut take).map_err(|why| format!("Scenario {} cannot be prepared: {why}", scenario.name))?;
    Ok(take)
}

/// None if there is no such operation; else what came of it.
fn play(scenario: &Scenario, case: &Case, mut take: Take) -> Result<Option<Outcome>, String> {
    let kind = KINDS[case.kind].0;
    let fault = Fault {
        skip: case.nth - 1,
        times: if case.sticky { FOR_EVER } else { 1 },
        ..Fault::always(kind, 0..u64::MAX, Effect::Error(case.error))
    };
    let warned = take.warnings().len();
    let disk = take.disk;
    take.world.machines.disk_mut(disk).faults.push(fault);
    let done = (scenario.act)(&mut take);
    let faults = std::mem::take(&mut take.world.machines.disk_mut(disk).faults);
    if faults.iter().any(|fault| fault.times == 1 || fault.times == FOR_EVER) {
        return match done {
            Ok(()) => Ok(None),
            Err(why) => Err(format!("nothing was struck, and yet: {why}")),
        };
    }
    let status = take.archive().map_err(|why| format!("after the fault, {why}"))?;
    let state = status["state"].as_str().unwrap_or("none").to_string();
    let warnings = take.warnings().split_off(warned);
    let told = !warnings.is_empty() || !["ready", "none"].contains(&state.as_str());
    let refused = done.as_ref().is_err_and(|why| why.contains("is refused: "));
    if let Err(why) = &done
        && !told
        && !refused
    {
        return Err(format!("no event, no state, no refusal tells of it, and yet {why}"));
    }
    let repeatable = kind == IoKind::Read && case.error != IoError::Gone && scenario.name != "create";
    if let Err(why) = &done
        && repeatable
        && !case.sticky
    {
        return Err(format!(
            "a read that failed once was not survived: {why} (events {warnings:?})"
        ));
    }
    let truth = truth(&take)?;
    if take.world.machines.site(take.site).is_running() {
        take.world.machines.say("the fault is gone; power is cut");
        take.world.power_cut(take.site);
    }
    take.start();
    let judge = Judge {
        slots: SLOTS,
        mode: scenario.mode,
        breaks: warnings.iter().any(|code| code.starts_with("block-")),
        echo: Echo::Off,
    };
    judge
        .resume(&mut take, &truth)
        .map_err(|why| format!("after a restart without faults, {why} (events before: {warnings:?}, state {state})"))?;
    match scenario.name {
        "haul-target" => caught_up(&mut take, SiteId(1))?,
        "haul-source" => caught_up(&mut take, SiteId(0))?,
        _ => {}
    }
    Ok(Some(match done {
        Ok(()) => Outcome::Done,
        Err(_) => Outcome::Told,
    }))
}

thread_local! {
    /// What this thread runs, for last words.
    static AT: std::cell::Cell<Option<(&'static str, Case)>> = const { std::cell::Cell::new(None) };
}

/// The line that replays what this thread is at, if it is at something.
pub(super) fn last_words() -> Option<String> {
    AT.get().map(|(scenario, case)| replay(scenario, &case))
}

fn words(scenario: &str, case: &Case) -> String {
    let often = if case.sticky { "and all after it fail" } else { "fails" };
    format!(
        "Scenario {scenario}, {} {} {often} ({})",
        KINDS[case.kind].1, case.nth, case.error
    )
}

fn replay(scenario: &str, case: &Case) -> String {
    let sticky = if case.sticky { " --sticky" } else { "" };
    let error = KINDS[case.kind]
        .2
        .iter()
        .position(|error| *error == case.error)
        .unwrap_or_default();
    let kind = KINDS[case.kind].1;
    format!(
        "Replay with: cargo crash-states io --scenario {scenario} --kind {kind} --error {error} --nth {}{sticky}",
        case.nth
    )
}
