//! An archive moves to another volume while its camera goes on: hauled over, recorders and jobs moved, the old one let go. The daemon
//! is killed in the middle of every step, at several moments, and the step is said again. Nothing is missing, neither in the new
//! archive nor at the store, which the moved job goes on to feed.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::free_address;
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, create, create_file, refused, wait_until};
use crate::stream::{blocks, same};

const NEW: &str = "new";
const OWN: &str = "card-into-new";
/// When the daemon is killed, counted from the beginning of a command.
const KILLED_AFTER_MS: [u64; 4] = [0, 4, 12, 40];

fn is_ready(stage: &Stage) -> Result<()> {
    wait_until("both archives to be open", || {
        let state = |name| archive_field(&stage.source, name, "state").map(|state| state == "ready");
        Ok(state(CARD)? && state(NEW)?)
    })
}

/// Says a step and kills the daemon, again and again, and then says it once more.
fn step(stage: &mut Stage, words: &[&str]) -> Result<Value> {
    for after_ms in KILLED_AFTER_MS {
        let mut command = stage.source.command(words);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        thread::sleep(Duration::from_millis(after_ms));
        stage.source.kill();
        let _ = child.wait();
        stage.source.start()?;
        is_ready(stage)?;
    }
    stage.source.call(words)
}

/// The camera sends bytes to its recorder.
fn feed(stage: &Stage, door: &Path, bytes: &[u8]) -> Result<()> {
    wait_until("the recorder's door", || Ok(UnixStream::connect(door).is_ok()))?;
    let recorded = || -> Result<u64> {
        let all = stage.source.call(&["recorder", "list"])?;
        Ok(all["recorders"][0]["bytes"].as_u64().unwrap_or_default())
    };
    let before = recorded()?;
    // Whoever looked whether the door is there may still have it.
    let mut door = UnixStream::connect(door).map_err(|error| error.to_string())?;
    door.write_all(bytes).map_err(|error| error.to_string())?;
    drop(door);
    wait_until("what was sent to be recorded", || {
        Ok(recorded()? == before + bytes.len() as u64)
    })
}

fn export(stage: &Stage, archive: &str, origin: &str) -> Result<Vec<u8>> {
    let at = if archive == VAULT { &stage.target } else { &stage.source };
    let file = stage.folder.path().join("out");
    let shown = file.display().to_string();
    let words = [
        "export",
        "--archive",
        archive,
        "--camera",
        CAMERA,
        "--origin",
        origin,
        "--force",
        "-o",
        &shown,
    ];
    let ended = ask(at, &words)?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    fs::read(&file).map_err(|error| error.to_string())
}

#[test]
fn an_archive_moves_and_every_step_may_be_said_again() -> Result<()> {
    let mut stage = Stage::set()?;
    create_file(&stage.source, CARD, ("24MiB", "append"))?;
    create_file(&stage.target, VAULT, ("64MiB", "append"))?;
    stage.haul()?;
    let folder = TempDir::with_prefix("bh-").map_err(|error| error.to_string())?;
    let door = folder.path().join("door");
    let listen = format!("unix:{}", door.display());
    let recorder = [
        "recorder",
        "create",
        "gate",
        "--archive",
        CARD,
        "--camera",
        CAMERA,
        "--listen",
        &listen,
    ];
    stage.source.call(&recorder)?;
    let first = blocks(0, 120);
    feed(&stage, &door, &first)?;

    let migrate = ["archive", "migrate", CARD, "--to", NEW];
    let cutover = ["archive", "cutover", CARD, "--to", NEW];
    refused(&stage.source, &migrate, 10, NEW)?;
    create(
        &stage.source,
        NEW,
        &stage.source.folder().join("new-volume"),
        &["--size", "48MiB"],
    )?;
    refused(&stage.source, &cutover, 12, "no job hauls")?;
    refused(&stage.source, &migrate, 12, "listens nowhere")?;
    stage.source.stop()?;
    let address = free_address()?.to_string();
    stage.source.add_option("--listen", &address);
    stage.source.start()?;
    is_ready(&stage)?;

    let tried = stage.source.call(&[&migrate[..], &["--dry-run"]].concat())?;
    assert_eq!((&tried["blocks"], &tried["done"]), (&120.into(), &false.into()), "{tried}");
    let made = step(&mut stage, &migrate)?;
    assert_eq!((&made["job"], &made["done"]), (&OWN.into(), &true.into()), "{made}");
    stage
        .source
        .call(&["job", "wait", OWN, "--for", "caught-up", "--timeout", "40s"])?;
    let second = blocks(1, 30);
    feed(&stage, &door, &second)?;

    let tried = stage.source.call(&[&cutover[..], &["--dry-run"]].concat())?;
    assert_eq!(
        (&tried["recorders"][0], &tried["jobs"][0]),
        (&"gate".into(), &JOB.into()),
        "{tried}"
    );
    assert_eq!(stage.job_field(JOB, "from")?, CARD, "a dry run moves nothing");
    step(&mut stage, &cutover)?;
    let again = stage.source.call(&cutover)?;
    assert_eq!(
        (
            again["recorders"].as_array().map(Vec::len),
            again["jobs"].as_array().map(Vec::len)
        ),
        (Some(0), Some(0)),
        "{again}"
    );
    assert_eq!(stage.job_field(JOB, "from")?, NEW);
    let third = blocks(2, 20);
    feed(&stage, &door, &third)?;
    stage
        .source
        .call(&["job", "wait", OWN, "--for", "caught-up", "--timeout", "40s"])?;
    let left = stage.source.call(&migrate)?;
    assert_eq!(left["blocks"], 0, "{left}");
    stage.caught_up()?;

    let old = archive_field(&stage.source, CARD, "uuid")?
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let new = archive_field(&stage.source, NEW, "uuid")?
        .as_str()
        .unwrap_or_default()
        .to_owned();
    for archive in [NEW, VAULT] {
        same(archive, &export(&stage, archive, &old)?, &[&first[..], &second].concat())?;
        same(archive, &export(&stage, archive, &new)?, &third)?;
    }
    for words in [["job", "disable", OWN], ["job", "delete", OWN]] {
        stage.source.call(&words)?;
        stage.source.kill();
        stage.source.start()?;
    }
    is_ready(&stage)?;
    assert_eq!(ask(&stage.source, &["archive", "verify", NEW])?.exit, 0);
    Ok(())
}
