//! Jobs as people use them most: by a schedule and over a kill of the daemon; late; slow; in bounds; two targets of which one is
//! dead. Both ends tell the same history.

use std::collections::BTreeSet;
use std::time::Instant;

use blockhaul_tests::Result;
use blockhaul_tests::client::Client;
use serde_json::Value;

use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, ask, refused, wait_until};
use crate::stream::{blocks, export, record, same};

/// Next track sequence of the camera at the target.
fn there(stage: &Stage) -> Result<u64> {
    let info = stage.target.call(&["archive", "info", VAULT])?;
    let tracks = info["tracks"].as_array().cloned().unwrap_or_default();
    let mine = tracks.iter().find(|track| track["camera"] == CAMERA);
    Ok(mine.and_then(|track| track["next"].as_u64()).unwrap_or(0))
}

/// Ids of the runs that ended so, as an end remembers them.
fn runs(at: &Client, result: &str) -> Result<BTreeSet<String>> {
    let history = at.call(&["job", "history"])?;
    let all = history["runs"].as_array().cloned().unwrap_or_default();
    let fitting = all.iter().filter(|run| run["result"] == result);
    Ok(fitting.filter_map(|run| run["run"].as_str().map(str::to_owned)).collect())
}

fn switch(stage: &Stage, options: &[&str]) -> Result<Value> {
    stage.source.call(&[&["job", "switch", JOB], options].concat())
}

#[test]
fn a_schedule_goes_on_after_a_kill_and_both_ends_tell_its_runs() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let mut recorded = blocks(0, 10);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    stage.caught_up()?;
    switch(&stage, &["--mode", "schedule", "--every", "2s"])?;
    for part in 1..4 {
        let more = blocks(part, 5);
        record(&stage.source, CARD, CAMERA, &more)?;
        recorded.extend(more);
        wait_until("the schedule to bring it over", || {
            Ok(there(&stage)? >= 10 + 5 * u64::from(part))
        })?;
        if part == 2 {
            stage.source.kill();
            stage.source.start()?;
        }
    }
    let (_, out) = export(&stage.target, VAULT, &stage.folder.path().join("out"))?;
    same("what the target gives out", &out, &recorded)?;
    wait_until("both ends to tell the same runs", || {
        let (here, there) = (runs(&stage.source, "completed")?, runs(&stage.target, "completed")?);
        Ok(!here.is_empty() && here == there)
    })?;
    // At a time of a named zone's clock, far away: it says when, and waits.
    switch(
        &stage,
        &["--mode", "schedule", "--cron", "0 2 29 2 *", "--tz", "Europe/Berlin"],
    )?;
    wait_until("the job to be idle", || Ok(stage.job_field(JOB, "state")? == "idle"))?;
    assert!(stage.job_field(JOB, "next_run_utc_ns")?.is_i64());
    refused(
        &stage.source,
        &["job", "switch", JOB, "--mode", "schedule", "--cron", "0 25 * * *"],
        2,
        "hour",
    )?;
    refused(
        &stage.source,
        &["job", "switch", JOB, "--mode", "always", "--every", "60s"],
        2,
        "schedule",
    )
}

#[test]
fn late_slow_frozen_and_in_bounds() -> Result<()> {
    let stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    switch(&stage, &["--delay", "6s"])?;
    let begun = Instant::now();
    record(&stage.source, CARD, CAMERA, &blocks(0, 6))?;
    wait_until("the job to hold", || Ok(stage.job_field(JOB, "state")? == "held"))?;
    wait_until("the delayed blocks", || Ok(there(&stage)? == 6))?;
    assert!(begun.elapsed().as_secs() >= 6, "they left after {:?}", begun.elapsed());
    switch(&stage, &["--delay", "24h"])?;
    record(&stage.source, CARD, CAMERA, &blocks(1, 4))?;
    wait_until("the job to hold", || Ok(stage.job_field(JOB, "state")? == "held"))?;
    stage.source.call(&["job", "release", JOB, "--now"])?;
    wait_until("what was released", || Ok(there(&stage)? == 10))?;
    // A block in two seconds.
    switch(&stage, &["--delay", "none", "--rate", "32KiB/s"])?;
    stage.caught_up()?;
    let begun = Instant::now();
    record(&stage.source, CARD, CAMERA, &blocks(2, 4))?;
    wait_until("the slow blocks", || Ok(there(&stage)? == 14))?;
    assert!(begun.elapsed().as_secs() >= 4, "four blocks took {:?}", begun.elapsed());
    switch(&stage, &["--rate", "none"])?;
    stage.source.call(&["job", "freeze", JOB])?;
    record(&stage.source, CARD, CAMERA, &blocks(3, 4))?;
    assert_eq!(stage.job_field(JOB, "state")?, "held");
    stage.source.call(&["job", "stop-synchronizing", JOB])?;
    stage.source.call(&["job", "thaw", JOB])?;
    wait_until("the run to end", || Ok(stage.job_field(JOB, "state")? == "idle"))?;
    assert_eq!(there(&stage)?, 18);
    record(&stage.source, CARD, CAMERA, &blocks(4, 6))?;
    let run = ask(
        &stage.source,
        &["job", "run", JOB, "--wait", "--timeout", "40s", "--blocks", "2"],
    )?;
    assert_eq!((run.exit, &run.said["result"]), (3, &Value::from("partial")), "{run:?}");
    assert_eq!(there(&stage)?, 20);
    assert_eq!(ask(&stage.source, &["job", "is-synchronizing", JOB])?.exit, 10);
    stage.source.call(&["job", "synchronize", JOB])?;
    assert_eq!(ask(&stage.source, &["job", "is-synchronizing", JOB])?.exit, 0);
    stage.caught_up()?;
    assert_eq!(there(&stage)?, 24);
    Ok(())
}

#[test]
fn a_dead_target_holds_nobody_up() -> Result<()> {
    let stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let key = "ab".repeat(32);
    // Nobody listens at the port that reserves itself.
    stage
        .source
        .call(&["peer", "add", "nobody", "--route", "127.0.0.1:1", "--key", &key])?;
    stage.job("lost", "nobody/vault", CAMERA, &"5a".repeat(32))?;
    let recorded = blocks(0, 40);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    stage.caught_up()?;
    assert_eq!(there(&stage)?, 40);
    let why = stage.job_stops("lost", "waiting")?;
    assert!(why.contains("nobody"), "{why}");
    assert_eq!(stage.job_field("lost", "backlog_blocks")?, 40);
    Ok(())
}
