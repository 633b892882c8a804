//! A camera records without end, hauling never stops, and either end is killed (`kill -9`) at random instants, fifty times.
//!
//! The oracle is a journal outside of both: which parts of the stream `blockhaul record` reported durable, and how far the target said it was.
//! What was reported is there for good, once and in order. Of a part that was cut off by a kill any beginning may be there, and nothing else.

use std::io::Write;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;
use blockhaul_tests::client::Client;
use serde_json::Value;

use crate::dice::Dice;
use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, PATIENCE, Stage, VAULT, ask, create};
use crate::stream::{LINE_BYTES, export, line, parse, same};
use crate::volume::{Loop, blank};

const ROUNDS: u32 = 50;
const VOLUME_BYTES: u64 = 256 << 20;
const STORY_MAX: Duration = Duration::from_secs(200);

/// A part of the stream: one call of `blockhaul record`.
#[derive(Clone, Copy, Debug)]
struct Part {
    lines: u32,
    /// It was reported durable, all of it.
    durable: bool,
}

type Journal = Arc<Mutex<Vec<Part>>>;

#[test]
fn fifty_kills_of_either_end_lose_nothing_that_was_acknowledged() -> Result<()> {
    let begun = Instant::now();
    let mut dice = Dice::new("kill");
    let mut stage = Stage::set()?;
    let images = ["source.img", "target.img"].map(|name| stage.folder.path().join(name));
    for image in &images {
        blank(image, VOLUME_BYTES)?;
    }
    let devices = [Loop::attach(&images[0])?, Loop::attach(&images[1])?];
    create(&stage.source, CARD, &devices[0].device, &["--mode", "ring"])?;
    create(&stage.target, VAULT, &devices[1].device, &[])?;
    stage.haul()?;

    let (journal, over) = (Journal::default(), Arc::new(AtomicBool::new(false)));
    let feeder = {
        let (source, journal, over) = ((*stage.source).clone(), Arc::clone(&journal), Arc::clone(&over));
        let mut sizes = Dice::new("kill, sizes");
        thread::spawn(move || feed(&source, &journal, &over, &mut sizes))
    };
    let rounds = kill_rounds(&mut stage, &mut dice, begun);
    over.store(true, Ordering::SeqCst);
    feeder.join().map_err(|_| "the feeder panicked")??;
    rounds.map_err(|why| format!("{why}\n{}", stage.last_words()))?;

    stage.caught_up()?;
    let (source_ended, at_source) = export(&stage.source, CARD, &stage.folder.path().join("source"))?;
    let (target_ended, at_target) = export(&stage.target, VAULT, &stage.folder.path().join("target"))?;
    assert_eq!(
        (source_ended.exit, target_ended.exit),
        (0, 0),
        "{source_ended:?} {target_ended:?}"
    );
    same("the target against the source", &at_target, &at_source)?;
    let journal = journal.lock().unwrap_or_else(PoisonError::into_inner).clone();
    judge(&journal, &at_target)?;
    for (at, archive) in [(&stage.source, CARD), (&stage.target, VAULT)] {
        let verified = ask(at, &["archive", "verify", archive])?;
        assert_eq!(verified.exit, 0, "{archive}: {verified:?}");
    }
    let next = stage.target.taken(VAULT)?;
    stage.target.stop()?;
    let found = reader::sequences(&reader::read(&images[1])?);
    assert_eq!(found, (0..next).collect::<Vec<u64>>(), "every block once and in order");
    let durable = journal.iter().filter(|part| part.durable).count();
    println!(
        "kill: {ROUNDS} kills, {} parts, {durable} of them reported durable, {next} blocks",
        journal.len()
    );
    assert!(durable > 20, "too few parts were reported durable to mean anything");
    drop(devices);
    Ok(())
}

fn kill_rounds(stage: &mut Stage, dice: &mut Dice, begun: Instant) -> Result<()> {
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        if begun.elapsed() > STORY_MAX {
            return Err(format!("only {round} rounds in {} s", STORY_MAX.as_secs()));
        }
        thread::sleep(Duration::from_millis(dice.within(20..400)));
        acknowledged = acknowledged.max(taken_when_ready(&stage.target, VAULT)?);
        // The last look and the kill are apart by a random time: something may be acknowledged in between.
        thread::sleep(Duration::from_micros(dice.within(0..30_000)));
        let victims = dice.within(0..5);
        if victims != 0 {
            stage.source.kill();
        }
        if victims == 0 || victims > 2 {
            stage.target.kill();
        }
        thread::sleep(Duration::from_millis(dice.within(0..50)));
        if victims == 0 || victims > 2 {
            revive(&mut stage.target)?;
            let next = taken_when_ready(&stage.target, VAULT)?;
            if next < acknowledged {
                return Err(format!(
                    "round {round}: the target acknowledged {acknowledged} blocks and now has {next}"
                ));
            }
        }
        if victims != 0 {
            // Looked at while the source is dead: afterwards it records and hauls more at once.
            let hauled = taken_when_ready(&stage.target, VAULT)?;
            revive(&mut stage.source)?;
            let has = taken_when_ready(&stage.source, CARD)?;
            if has < hauled {
                return Err(format!(
                    "round {round}: the target has {hauled} blocks and the source only {has}"
                ));
            }
        }
        // Waits grow with each failure; the story is about the kills, not about the waits.
        stage.source.call(&["job", "kick", JOB])?;
    }
    Ok(())
}

/// Starts a daemon that was killed. If it does not answer, what its threads do says why.
fn revive(at: &mut Appliance) -> Result<()> {
    at.start().map_err(|why| format!("{why}\n{}", at.threads()))
}

/// Blocks that an archive has, once it has found the end of its log.
fn taken_when_ready(at: &Client, archive: &str) -> Result<u64> {
    let begun = Instant::now();
    loop {
        let info = at.call(&["archive", "info", archive])?;
        match info["archive"]["state"].as_str() {
            Some("ready") => return at.taken(archive),
            Some("indexing") if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(10)),
            _ => return Err(format!("after a kill {archive} is not ready: {info}")),
        }
    }
}

/// The camera: part after part, each of some blocks, whether the source is up or not.
fn feed(source: &Client, journal: &Journal, over: &AtomicBool, dice: &mut Dice) -> Result<()> {
    let mut number = 0;
    while !over.load(Ordering::SeqCst) {
        if source.call(&["identity"]).is_err() {
            thread::sleep(Duration::from_millis(10));
            continue;
        }
        let lines = dice.within(100..2_500) as u32;
        let mut command = source.command(&["record", "--archive", CARD, "--camera", CAMERA]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = child.map_err(|error| error.to_string())?;
        if let Some(mut pipe) = child.stdin.take() {
            let all: Vec<u8> = (0..lines).flat_map(|at| line(number, at)).collect();
            for piece in all.chunks(10 << 10) {
                if pipe.write_all(piece).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let durable = output.status.success() && said["bytes"] == lines as usize * LINE_BYTES;
        if output.status.success() && !durable {
            return Err(format!("part {number} of {lines} lines is durable, and `record` says {said}"));
        }
        journal
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Part { lines, durable });
        number += 1;
    }
    Ok(())
}

/// Compares what an archive gave with the journal.
fn judge(journal: &[Part], bytes: &[u8]) -> Result<()> {
    let mut found = vec![0_u32; journal.len()];
    let mut last = 0;
    for (at, bytes) in bytes.chunks(LINE_BYTES).enumerate() {
        let (part, line) = parse(bytes).ok_or_else(|| format!("line {at} was never recorded"))?;
        let seen = found
            .get_mut(part as usize)
            .ok_or_else(|| format!("part {part} was never recorded"))?;
        if part < last || line != *seen {
            return Err(format!(
                "part {part} has line {line} where line {seen} belongs, after part {last}"
            ));
        }
        *seen += 1;
        last = part;
    }
    for (number, (part, found)) in journal.iter().zip(found).enumerate() {
        if found > part.lines || (part.durable && found != part.lines) {
            return Err(format!("part {number}, {part:?}, came back with {found} lines"));
        }
    }
    Ok(())
}
