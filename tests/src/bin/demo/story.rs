//! The story: what is done to the appliances, in which order, and what must be true at the end.
//!
//! The rule of honesty: only what `blockhaul record` has reported durable counts as recorded, and all of that must come
//! back. Both parts of the recording are durable before the source is killed or stopped.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;
use blockhaul_tests::programs::{Profile, Programs, target_folder};
use serde_json::Value;

use crate::Options;
use crate::feed::Feed;
use crate::progress::Progress;
use crate::report::{Report, rate, seconds};
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT};

/// Slowest pace of the camera, in bytes a second, and longest time for the whole stream at a faster one.
const PACE_BYTES_MIN: u64 = 14_000_000;
const STREAM_SECONDS_MAX: u64 = 20;
/// How long the connection stays cut.
const CUT: Duration = Duration::from_millis(1500);
/// How long a killed daemon stays down.
const DOWN: Duration = Duration::from_millis(700);
/// Longest wait for hauling to go on after a fault.
const PATIENCE: Duration = Duration::from_secs(60);
const PACKET_BYTES: u64 = 188;

/// Plays it all. An error says what is not as promised.
pub fn tell(options: &Options) -> Result<()> {
    println!("Building blockhauld and blockhaul ...");
    let programs = Programs::build(Profile::Release)?;
    let mut report = Report::begin();
    let begun = Instant::now();
    let mut stage = Stage::set(options, &programs)?;
    let paired = "daemons, archives, keys, grant and job are there";
    report.add(
        begun,
        "two appliances set up and paired",
        format!("{paired} after {}", seconds(begun.elapsed())),
    );
    println!(
        "Camera {CAMERA} gives {}: {} bytes.",
        stage.original.what, stage.original.bytes
    );
    let played = play(&mut stage, &mut report);
    println!("\n{report}");
    played.map_err(|why| with_last_words(&stage, &why))?;
    println!(
        "Every byte that was recorded is in the target's archive: {} bytes, identical.",
        stage.original.bytes
    );
    if options.input.is_none() {
        let kept = target_folder()?.join("demo.ts");
        fs::rename(exported(&stage), &kept).map_err(|error| format!("{}: {error}", kept.display()))?;
        println!("Watch what came back with any player: {}", kept.display());
    }
    Ok(())
}

fn play(stage: &mut Stage, report: &mut Report) -> Result<()> {
    let total = stage.original.bytes;
    let first = total / 3 * 2 / PACKET_BYTES * PACKET_BYTES;
    let pace = PACE_BYTES_MIN.max(total / STREAM_SECONDS_MAX);
    let fed = Arc::new(AtomicU64::new(0));
    let (source_client, target_client) = ((*stage.source).clone(), (*stage.target).clone());
    let progress = Progress::show(source_client, target_client, Arc::clone(&fed), total);
    let begun = Instant::now();

    progress.say("Recording and hauling.");
    let feed = Feed::start(&stage.source, &stage.original, 0..first, pace, &fed)?;
    wait_hauled(stage, 1)?;

    feed.wait_until(first / 4);
    progress.say(&format!("Cutting the connection for {}; the recorder goes on.", seconds(CUT)));
    let cut = Instant::now();
    stage.network.cut();
    thread::sleep(CUT);
    let before = stage.target.taken(VAULT)?;
    stage.network.mend();
    let again = hauls_again(stage, before)?;
    report.add(
        cut,
        format!("connection cut for {}", seconds(CUT)),
        format!("hauling again {again} after it was mended"),
    );

    feed.wait_until(first / 8 * 5);
    progress.say("Killing the target's daemon (kill -9); the recorder goes on.");
    let (killed, before) = (Instant::now(), stage.target.taken(VAULT)?);
    stage.target.kill();
    thread::sleep(DOWN);
    stage.target.start()?;
    let again = hauls_again(stage, before)?;
    report.add(killed, "target killed (kill -9)", back(&again));

    // Something must be left to haul when the source dies, so the end of this part is recorded without a connection.
    feed.wait_until(first / 8 * 7);
    stage.network.cut();
    feed.finish()?;
    let before = stage.target.taken(VAULT)?;
    let left = stage.source.taken(CARD)?.saturating_sub(before);
    if left == 0 {
        return Err("nothing was left to haul when the source was to be killed; the demo proved less than it says.".into());
    }
    progress.say(&format!(
        "Killing the source's daemon (kill -9) with {left} blocks not hauled yet."
    ));
    let killed = Instant::now();
    stage.source.kill();
    thread::sleep(DOWN);
    stage.network.mend();
    stage.source.start()?;
    let again = hauls_again(stage, before)?;
    let what = format!("source killed (kill -9), {left} blocks not hauled");
    report.add(killed, what, back(&again));

    progress.say("Recording the rest.");
    Feed::start(&stage.source, &stage.original, first..total, pace, &fed)?.finish()?;
    let recorded = begun.elapsed();
    let blocks = stage.source.taken(CARD)?;
    let how = format!(
        "{blocks} blocks, {} MB, camera's pace {} MB/s, 0 dropped",
        total / 1_000_000,
        pace / 1_000_000
    );
    report.add(begun, "recorded", how);
    let timeout = format!("{}s", PATIENCE.as_secs());
    stage
        .source
        .call(&["job", "wait", JOB, "--for", "caught-up", "--timeout", &timeout])?;
    let hauled = format!(
        "caught up {} after the last byte",
        seconds(begun.elapsed().saturating_sub(recorded))
    );
    report.add(
        begun,
        "hauled",
        format!("{} with all faults, {hauled}", rate(total, begun.elapsed())),
    );
    drop(progress);

    println!("Stopping both, opening both archives again and verifying them from the media.");
    for appliance in [&mut stage.source, &mut stage.target] {
        appliance.stop()?;
        appliance.start()?;
    }
    verify(report, &stage.source, CARD, blocks)?;
    verify(report, &stage.target, VAULT, blocks)?;
    export(stage, report)
}

/// How a killed daemon came back.
fn back(again: &str) -> String {
    format!("down for {}, hauling again {again} after it was back", seconds(DOWN))
}

/// Reads everything back from the volume and checks it.
fn verify(report: &mut Report, appliance: &Appliance, archive: &str, blocks: u64) -> Result<()> {
    let begun = Instant::now();
    let verified = appliance.call(&["archive", "verify", archive])?;
    let number = |member: &str| verified.get(member).and_then(Value::as_u64);
    match (number("good"), number("damaged_count")) {
        (Some(good), Some(0)) if good >= blocks => {
            let how = format!("{good} blocks good, 0 damaged, in {}", seconds(begun.elapsed()));
            report.add(begun, format!("{archive} at {} verified", appliance.name()), how);
            Ok(())
        }
        _ => Err(format!(
            "{archive} should hold {blocks} good blocks, and verify says: {verified}"
        )),
    }
}

fn export(stage: &Stage, report: &mut Report) -> Result<()> {
    let begun = Instant::now();
    let file = exported(stage);
    let shown = file.display().to_string();
    stage
        .target
        .call(&["export", "--archive", VAULT, "--camera", CAMERA, "-o", &shown])?;
    stage.original.compare(&file)?;
    let how = format!("identical, {}", rate(stage.original.bytes, begun.elapsed()));
    report.add(begun, "exported from the target and compared", how);
    Ok(())
}

fn exported(stage: &Stage) -> std::path::PathBuf {
    stage.folder.path().join("exported")
}

/// Waits until the target has more blocks than before the fault was over, and says how long that took.
fn hauls_again(stage: &mut Stage, before: u64) -> Result<String> {
    let begun = Instant::now();
    wait_hauled(stage, before + 1)?;
    Ok(seconds(begun.elapsed()))
}

fn wait_hauled(stage: &mut Stage, blocks: u64) -> Result<()> {
    let begun = Instant::now();
    loop {
        let hauled = stage.target.taken(VAULT);
        if matches!(hauled, Ok(hauled) if hauled >= blocks) {
            return Ok(());
        }
        for appliance in [&mut stage.source, &mut stage.target] {
            if let Some(status) = appliance.exited() {
                return Err(format!("the daemon of {} ended by itself ({status}).", appliance.name()));
            }
        }
        if begun.elapsed() > PATIENCE {
            let job = stage.source.call(&["job", "show", JOB]);
            let job = job.map_or_else(|why| why, |shown| shown.to_string());
            return Err(format!(
                "no block reached the target within {} s. The job: {job}",
                PATIENCE.as_secs()
            ));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// What went wrong, and what the daemons said last.
fn with_last_words(stage: &Stage, why: &str) -> String {
    let said = |appliance: &Appliance| format!("\n--- {} said last:\n{}", appliance.name(), appliance.last_words());
    format!("{why}{}{}", said(&stage.source), said(&stage.target))
}
