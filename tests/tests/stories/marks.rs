//! A mark is made at the camera and comes to the store. The store restores everything up to it into a new archive, is killed on the way and goes on;
//! then a header of the new archive goes bad, and comparing finds exactly that block.

use std::path::Path;
use std::thread;
use std::time::Duration;

use blockhaul_tests::Result;
use serde_json::Value;

use crate::reader;
use crate::stage::{CAMERA, CARD, Stage, VAULT, archive_field, ask, create, refused, wait_until};
use crate::stream::{blocks, export, record, same};
use crate::volume::{flip, slot};

const BEFORE: usize = 300;
const BEHIND: usize = 10;
const MARK: &str = "before-update";
const NEW: &str = "rescued";

fn mark(stage: &Stage) -> Result<Value> {
    let all = stage.target.call(&["mark", "list", "--archive", VAULT])?;
    let found = all["marks"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|mark| mark["name"] == MARK);
    Ok(found.cloned().unwrap_or(Value::Null))
}

fn restore(stage: &Stage) -> Result<Value> {
    let ended = ask(&stage.target, &["mark", "restore", MARK, "--archive", VAULT, "--into", NEW])?;
    if ended.exit == 0 {
        Ok(ended.said)
    } else {
        Err(format!("{ended:?}"))
    }
}

fn compare(stage: &Stage, exit: i32) -> Result<Value> {
    let ended = ask(&stage.target, &["archive", "compare", NEW, "--with", VAULT])?;
    if ended.exit == exit {
        Ok(ended.said)
    } else {
        Err(format!("{ended:?}"))
    }
}

fn new_archive(stage: &Stage, volume: &Path) -> Result<()> {
    create(&stage.target, NEW, volume, &["--size", "40MiB", "--mode", "append"])
}

#[test]
fn restored_from_a_replica_up_to_a_mark_and_compared() -> Result<()> {
    let mut stage = Stage::with_files(("40MiB", "append"), ("40MiB", "append"))?;
    let recorded = blocks(0, BEFORE);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    let made = stage.source.call(&["mark", "create", MARK, "--archive", CARD])?;
    assert_eq!(
        (&made["mark"]["blocks"], &made["mark"]["awaited"]),
        (&BEFORE.into(), &0.into()),
        "{made}"
    );
    refused(&stage.source, &["mark", "create", MARK, "--archive", CARD], 12, MARK)?;
    record(&stage.source, CARD, CAMERA, &blocks(1, BEHIND))?;
    let waited = stage
        .target
        .call(&["mark", "wait", MARK, "--archive", VAULT, "--timeout", "40s"])?;
    assert_eq!(waited["mark"]["mark"], made["mark"]["mark"], "the same mark: {waited}");
    stage.caught_up()?;
    assert_eq!(mark(&stage)?["made_in"], archive_field(&stage.source, CARD, "uuid")?);

    let volume = stage.target.folder().join("rescued");
    refused(
        &stage.target,
        &["mark", "restore", MARK, "--archive", VAULT, "--into", NEW],
        10,
        NEW,
    )?;
    new_archive(&stage, &volume)?;
    let dry = ask(
        &stage.target,
        &["mark", "restore", MARK, "--archive", VAULT, "--into", NEW, "--dry-run"],
    )?;
    assert_eq!(
        (dry.exit, &dry.said["blocks"], &dry.said["bytes"]),
        (0, &BEFORE.into(), &recorded.len().into()),
        "{dry:?}"
    );
    assert_eq!(archive_field(&stage.target, NEW, "tracks")?, 0, "a dry run leaves nothing");

    // Killed in the middle; what had become durable by then is not copied again.
    let mut first = stage
        .target
        .command(&["mark", "restore", MARK, "--archive", VAULT, "--into", NEW]);
    let mut first = first.spawn().map_err(|error| error.to_string())?;
    let taken = |stage: &Stage| stage.target.taken(NEW);
    wait_until("some blocks of the restoration", || Ok(taken(&stage)? > 5))?;
    stage.target.kill();
    let _ = first.wait();
    stage.target.start()?;
    wait_until("the archives to be ready", || {
        Ok(archive_field(&stage.target, NEW, "state")? == "ready" && archive_field(&stage.target, VAULT, "state")? == "ready")
    })?;
    let before = taken(&stage)?;
    let restored = restore(&stage)?;
    assert_eq!(restored["before"], before, "{restored}");
    assert_eq!(restored["blocks"], BEFORE as u64 - before, "{restored}");
    assert_eq!(restored["missing"], 0, "{restored}");
    let (ended, bytes) = export(&stage.target, NEW, &stage.folder.path().join("out"))?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same("what the mark names", &bytes, &recorded)?;
    assert_eq!(ask(&stage.target, &["archive", "verify", NEW])?.exit, 0);
    let again = restore(&stage)?;
    assert_eq!((&again["before"], &again["blocks"]), (&BEFORE.into(), &0.into()), "{again}");
    let marks = stage.target.call(&["mark", "list", "--archive", NEW])?;
    assert_eq!(
        marks["marks"][0]["mark"], made["mark"]["mark"],
        "the new archive has the mark too"
    );

    let compared = compare(&stage, 3)?;
    assert_eq!(
        (&compared["same"], &compared["only_there"]),
        (&BEFORE.into(), &BEHIND.into()),
        "{compared}"
    );
    assert_eq!(
        (&compared["only_here"], &compared["differing"]),
        (&0.into(), &0.into()),
        "{compared}"
    );

    // A header goes bad.
    stage.target.stop()?;
    let there = reader::read(&volume)?;
    let seventh = there
        .iter()
        .find(|block| block.track_sequence == 7)
        .ok_or("block 7 is not there")?;
    flip(&volume, slot(seventh.log_sequence) + 300)?;
    stage.target.start()?;
    wait_until("the archive to be ready", || {
        Ok(archive_field(&stage.target, NEW, "state")? == "ready")
    })?;
    thread::sleep(Duration::from_millis(100));
    let compared = compare(&stage, 3)?;
    let found: Vec<_> = compared["differences"].as_array().into_iter().flatten().collect();
    let ranges: Vec<_> = found
        .iter()
        .map(|one| (one["from"].as_u64(), one["to"].as_u64(), &one["what"]))
        .collect();
    let only_there = Value::from("only-there");
    let end = BEFORE as u64;
    let wanted = [
        (Some(7), Some(8), &only_there),
        (Some(end), Some(end + BEHIND as u64), &only_there),
    ];
    assert_eq!(ranges, wanted, "{compared}");
    Ok(())
}

#[test]
fn tags_and_times_of_one_camera() -> Result<()> {
    let stage = Stage::with_files(("10MiB", "append"), ("10MiB", "append"))?;
    let at = &stage.source;
    record(at, CARD, CAMERA, &blocks(0, 20))?;
    let tagged = [
        "tag",
        "set",
        "--archive",
        CARD,
        "--camera",
        CAMERA,
        "--blocks",
        "5..15",
        "court",
    ];
    let dry = at.call(&[&tagged[..], &["--dry-run"]].concat())?;
    assert_eq!((&dry["blocks"], &dry["changed"]), (&10.into(), &10.into()), "{dry}");
    let list = || at.call(&["tag", "list", "--archive", CARD]);
    assert_eq!(list()?["tags"].as_array().map(Vec::len), Some(0));
    at.call(&tagged)?;
    at.call(&[
        "tag",
        "unset",
        "--archive",
        CARD,
        "--camera",
        CAMERA,
        "--blocks",
        "8..10",
        "court",
    ])?;
    let ranges = |all: &Value| -> Vec<_> {
        let tags = all["tags"].as_array().into_iter().flatten();
        tags.map(|tag| (tag["from"].as_u64(), tag["to"].as_u64())).collect()
    };
    assert_eq!(ranges(&list()?), [(Some(5), Some(8)), (Some(10), Some(15))]);
    let all = [
        "tag",
        "set",
        "--archive",
        CARD,
        "--camera",
        CAMERA,
        "--from",
        "1h ago",
        "--to",
        "now",
        "today",
    ];
    assert_eq!(at.call(&all)?["changed"], 20);
    refused(
        at,
        &["tag", "set", "--archive", CARD, "--camera", "nobody", "x"],
        10,
        "nobody",
    )?;

    let exists = |from: &str, to: &str| {
        ask(
            at,
            &["exists", "--archive", CARD, "--camera", CAMERA, "--from", from, "--to", to],
        )
    };
    let partly = exists("1h ago", "now")?;
    assert_eq!((partly.exit, &partly.said["answer"]), (3, &"partly".into()), "{partly:?}");
    assert_eq!(partly.said["missing"][0]["what"], "not-recorded", "{partly:?}");
    let no = exists("2h ago", "1h ago")?;
    assert_eq!((no.exit, &no.said["answer"]), (10, &"no".into()), "{no:?}");

    let days = at.call(&["stats", "--per-day", "--archive", CARD])?;
    let counted = |field: &str| -> u64 {
        let days = days["days"].as_array().into_iter().flatten();
        days.filter_map(|day| day[field].as_u64()).sum()
    };
    assert_eq!(
        (counted("recorded_blocks"), counted("hauled_blocks"), counted("lost_blocks")),
        (20, 0, 0),
        "{days}"
    );
    stage.caught_up()?;
    let days = stage.target.call(&["stats", "--per-day"])?;
    let hauled = days["days"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|day| day["hauled_blocks"].as_u64());
    assert_eq!((days["archive"].as_str(), hauled.sum::<u64>()), (Some(VAULT), 20), "{days}");
    Ok(())
}

#[test]
fn an_archive_is_read_for_damage_in_the_background() -> Result<()> {
    let mut stage = Stage::with_files(("10MiB", "append"), ("10MiB", "append"))?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 20))?;
    stage
        .source
        .call(&["archive", "scrub", CARD, "--rate", "100MiB/s", "--pause", "1h"])?;
    let scrub = |stage: &Stage| Ok::<_, String>(stage.source.call(&["archive", "info", CARD])?["scrub"].clone());
    wait_until("the end of the pass", || Ok(scrub(&stage)?["ended_utc_ns"] != 0))?;
    let before = scrub(&stage)?;
    assert_eq!(
        (&before["ended_damaged"], &before["began_utc_ns"]),
        (&0.into(), &0.into()),
        "{before}"
    );
    stage.source.kill();
    stage.source.start()?;
    wait_until("the archive to be ready", || {
        Ok(archive_field(&stage.source, CARD, "state")? == "ready")
    })?;
    assert_eq!(scrub(&stage)?, before, "what was found is kept");
    let days = stage.source.call(&["stats", "--per-day", "--archive", CARD])?;
    let verified = days["days"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|day| day["verified_blocks"].as_u64());
    assert_eq!(verified.sum::<u64>(), 20, "{days}");
    refused(&stage.source, &["archive", "scrub", CARD, "--rate", "1KiB/s"], 2, "64 KiB")?;
    stage.source.call(&["archive", "scrub", CARD, "--off"])?;
    assert_eq!(scrub(&stage)?["rate_bytes"], Value::Null);
    Ok(())
}
