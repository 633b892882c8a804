//! What the real daemon and the real command say when something is wrong: the exit code that the manual promises, a sentence that names the
//! thing, a next step; and nothing changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;

use crate::reader;
use crate::stage::{
    CAMERA, CARD, JOB, PATIENCE, Stage, VAULT, archive_field, ask, create_file, folder, programs, refused, wait_until,
};
use crate::stream::{blocks, record};
use crate::volume::{flip, slot};

#[test]
fn every_exit_code_is_the_promised_one() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let source = (*stage.source).clone();
    record(&source, CARD, CAMERA, &blocks(0, 10))?;
    stage.caught_up()?;

    refused(&source, &["archive", "info", "No Name"], 2, "No Name")?;
    refused(&source, &["job", "wait", JOB, "--for", "ever"], 2, "ever")?;
    refused(&source, &["peer", "add", "new", "--key", "12"], 2, "64")?;
    refused(&source, &["archive", "info", "nowhere"], 10, "nowhere")?;
    refused(&source, &["archive", "verify", "nowhere"], 10, "nowhere")?;
    refused(&source, &["job", "show", "nothing"], 10, "nothing")?;
    refused(&source, &["job", "run", "nothing"], 10, "nothing")?;
    refused(&source, &["peer", "remove", "nobody"], 10, "nobody")?;
    refused(&source, &["recorder", "remove", "none"], 10, "none")?;
    refused(&source, &["grant", "revoke", "none"], 10, "none")?;
    refused(
        &source,
        &["export", "--archive", CARD, "--camera", "cam9", "-o", "never"],
        10,
        "cam9",
    )?;
    assert!(
        !Path::new("never").exists() && !Path::new("never.part").exists(),
        "an export of nothing left a file"
    );
    refused(&source, &["job", "delete", JOB], 11, JOB)?;
    refused(&source, &["peer", "remove", "store"], 11, "store")?;
    let socket = source.socket().with_file_name("door").display().to_string();
    let recorder = [
        "recorder",
        "create",
        "door",
        "--camera",
        "cam2",
        "--listen",
        &format!("unix:{socket}"),
        "--archive",
    ];
    refused(&source, &[&recorder[..], &["nowhere"]].concat(), 10, "nowhere")?;
    let something = stage.folder.path().join("something");
    fs::write(&something, blocks(1, 200)).map_err(|error| error.to_string())?;
    let something = something.display().to_string();
    refused(
        &source,
        &["archive", "create", "new", "--volume", &something, "--block-size", "64KiB"],
        12,
        &something,
    )?;

    stage.network.cut();
    record(&source, CARD, CAMERA, &blocks(2, 2))?;
    let begun = Instant::now();
    refused(
        &source,
        &["job", "wait", JOB, "--for", "caught-up", "--timeout", "1s"],
        124,
        "over",
    )?;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "a timeout of 1 s took {:?}",
        begun.elapsed()
    );
    stage.network.mend();
    stage.caught_up()?;

    stage.target.stop()?;
    refused(&stage.target, &["status"], 13, "daemon")?;
    let image = stage.target.folder().join("volume");
    let block = reader::read(&image)?[4];
    flip(&image, slot(block.log_sequence) + 5_000)?;
    stage.target.start()?;
    wait_until("the vault to be open", || {
        Ok(archive_field(&stage.target, VAULT, "state")? != "indexing")
    })?;
    let verified = ask(&stage.target, &["archive", "verify", VAULT])?;
    assert_eq!(
        (verified.exit, &verified.said["damaged"][0]["log_sequence"]),
        (14, &block.log_sequence.into())
    );
    Ok(())
}

/// Runs the daemon, which must end by itself with 1 and say that.
fn does_not_start(state: &Path, socket: &Path, words: &[&str]) -> Result<()> {
    let mut daemon = Command::new(programs()?.daemon);
    daemon
        .arg("--state")
        .arg(state)
        .arg("--socket")
        .arg(socket)
        .stdin(Stdio::null());
    let daemon = daemon.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut daemon = daemon.map_err(|error| error.to_string())?;
    let begun = Instant::now();
    while daemon.try_wait().map_err(|error| error.to_string())?.is_none() {
        if begun.elapsed() > PATIENCE {
            let _ = daemon.kill();
            let _ = daemon.wait();
            return Err(format!("a daemon runs with {} and {}", state.display(), socket.display()));
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = daemon.wait_with_output().map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    if output.status.code() == Some(1) && words.iter().all(|word| said.contains(word)) && !said.contains("panicked") {
        return Ok(());
    }
    Err(format!("{} with {words:?} was expected: {} {said}", 1, output.status))
}

#[test]
fn a_folder_or_socket_of_somebody_else_is_left_alone() -> Result<()> {
    let folder = folder()?;
    let mut live = Appliance::new("live", folder.path(), &programs()?, None)?;
    live.start()?;
    let socket = live.socket().with_file_name("second");
    let foreign = folder.path().join("foreign");
    let make = |path: &Path| fs::create_dir_all(path).map_err(|error| error.to_string());
    make(&foreign)?;
    fs::write(foreign.join("diary"), "Dear diary").map_err(|error| error.to_string())?;
    does_not_start(&foreign, &socket, &["foreign", "not blockhaul's"])?;
    assert_eq!(
        fs::read_dir(&foreign).map_err(|error| error.to_string())?.count(),
        1,
        "something was added"
    );
    let open = folder.path().join("open");
    make(&open)?;
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).map_err(|error| error.to_string())?;
    does_not_start(&open, &socket, &["open", "writable"])?;
    does_not_start(&live.folder().join("state"), &socket, &["in use by another blockhauld"])?;
    let socket_in_use = live.socket().display().to_string();
    does_not_start(&folder.path().join("fresh"), live.socket(), &[&socket_in_use])?;
    live.call(&["identity"])
        .map_err(|why| format!("the live daemon lost its socket: {why}"))?;
    let file = folder.path().join("file");
    fs::write(&file, "mine").map_err(|error| error.to_string())?;
    does_not_start(&folder.path().join("fresh"), &file, &["file"])?;
    assert_eq!(
        fs::read(&file).ok().as_deref(),
        Some(&b"mine"[..]),
        "a file was taken for an old socket"
    );
    Ok(())
}

#[test]
fn settings_with_an_unknown_key_are_not_used() -> Result<()> {
    let folder = folder()?;
    let mut appliance = Appliance::new("camera", folder.path(), &programs()?, None)?;
    appliance.start()?;
    create_file(&appliance, CARD, ("16MiB", "ring"))?;
    appliance.stop()?;
    let settings = appliance.folder().join("state/settings.toml");
    let good = fs::read_to_string(&settings).map_err(|error| error.to_string())?;
    let bad = format!("colour = \"blue\"\n{good}");
    fs::write(&settings, &bad).map_err(|error| error.to_string())?;
    let socket = appliance.socket().to_path_buf();
    does_not_start(&appliance.folder().join("state"), &socket, &["settings", "colour"])?;
    assert_eq!(fs::read_to_string(&settings).ok(), Some(bad), "the settings were changed");
    fs::write(&settings, &good).map_err(|error| error.to_string())?;
    appliance.start()?;
    appliance.call(&["archive", "info", CARD]).map(drop)
}
