//! What was hauled is removed at the source: not while one of two jobs that guard it is switched off, and as soon as that one is
//! released. Then the log goes round an append archive, over a crash too, and nothing is missing at the target.

use blockhaul_tests::Result;
use serde_json::Value;

use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, create, events, refused, wait_until};
use crate::stream::{blocks, export, record, same};

const SECOND: &str = "second";

fn shown(stage: &Stage) -> Result<Value> {
    stage.source.call(&["retention", "show", CARD])
}

/// What the job that is switched off holds.
fn held(stage: &Stage) -> Result<Value> {
    let shown = shown(stage)?;
    let guards = shown["guards"].as_array().cloned().unwrap_or_default();
    let second = guards.into_iter().find(|guard| guard["job"] == SECOND);
    second.ok_or(format!("job {SECOND} guards nothing: {shown}"))
}

#[test]
fn removal_waits_for_a_job_that_is_switched_off() -> Result<()> {
    let mut stage = Stage::with_files(("8MiB", "append"), ("64MiB", "append"))?;
    let volume = stage.target.folder().join("second-volume");
    create(&stage.target, SECOND, &volume, &["--size", "64MiB"])?;
    let grant = ["grant", "create", "--peer", "camera", "--archive", SECOND];
    let token = stage.target.text(&grant, "token")?;
    stage.job(SECOND, &format!("store/{SECOND}"), CAMERA, &token)?;
    stage.source.call(&["job", "disable", SECOND])?;

    let set = ["retention", "set", CARD, "--remove-after-success", "on"];
    stage.source.call(&set)?;
    refused(&stage.source, &["retention", "set", CARD, "--guards", "nobody"], 12, "nobody")?;
    let mut recorded = blocks(0, 20);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    stage.caught_up()?;
    std::thread::sleep(std::time::Duration::from_secs(3));
    let guard = held(&stage)?;
    assert_eq!(
        (&guard["blocks"], &guard["state"]),
        (&20.into(), &"disabled".into()),
        "{guard}"
    );
    let kept = shown(&stage)?;
    assert_eq!((&kept["freed_blocks"], &kept["oldest"]), (&0.into(), &0.into()), "{kept}");
    let screen = ask(&stage.source, &["status", "--once"])?;
    assert_eq!(screen.said["guards"].as_array().map(Vec::len), Some(2), "{screen:?}");

    let only = ["retention", "set", CARD, "--guards", JOB, "--dry-run"];
    let tried = stage.source.call(&only)?;
    assert!(tried["blocks"].as_u64() > Some(0), "{tried}");
    assert_eq!(archive_field(&stage.source, CARD, "oldest")?, 0, "a dry run frees nothing");
    let tried = stage.source.call(&["job", "release", SECOND, "--dry-run"])?;
    assert_eq!(
        (&tried["done"], &tried["guard"]["blocks"]),
        (&false.into(), &20.into()),
        "{tried}"
    );
    stage.source.call(&["job", "release", SECOND])?;
    refused(&stage.source, &["job", "release", SECOND], 11, SECOND)?;
    wait_until("the first blocks to be freed", || {
        Ok(archive_field(&stage.source, CARD, "oldest")?.as_u64() > Some(0))
    })?;
    assert_eq!(events(&stage.source, "guard-released")?.len(), 1);
    let gaps = stage.source.call(&["gaps", "--archive", CARD, "--camera", CAMERA])?;
    assert_eq!(gaps["gaps"][0]["what"], "expired", "{gaps}");

    for round in 1..10 {
        let more = blocks(round, 15);
        record(&stage.source, CARD, CAMERA, &more)?;
        recorded.extend(&more);
        stage.caught_up()?;
        if round == 5 {
            stage.source.kill();
            stage.source.start()?;
            stage.caught_up()?;
        }
        wait_until("room for more", || {
            let head = archive_field(&stage.source, CARD, "head")?.as_u64();
            let oldest = archive_field(&stage.source, CARD, "oldest")?.as_u64();
            Ok(head.zip(oldest).is_some_and(|(head, oldest)| head - oldest < 30))
        })?;
    }
    let slots = archive_field(&stage.source, CARD, "slots")?.as_u64();
    assert!(
        archive_field(&stage.source, CARD, "head")?.as_u64() > slots,
        "the log went round"
    );
    assert!(!events(&stage.source, "freed")?.is_empty());
    for (at, archive) in [(&stage.source, CARD), (&stage.target, VAULT)] {
        assert_eq!(ask(at, &["archive", "verify", archive])?.exit, 0);
    }
    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("out"))?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same("the target", &bytes, &recorded)?;

    let first = stage.source.call(&["gaps", "--archive", CARD, "--camera", CAMERA])?["gaps"][0]["to"].as_u64();
    stage.source.stop()?;
    let left = reader::sequences(&reader::read(&stage.source.folder().join("volume"))?);
    let first = first.ok_or("nothing was freed")?;
    assert!(
        left.first().is_some_and(|left| *left >= first),
        "what was freed does not come back"
    );
    assert_eq!(left, (left[0]..155).collect::<Vec<u64>>(), "what the source still has");
    Ok(())
}
