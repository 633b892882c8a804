//! A rule on an event starts a real program of the folder of programs, with the event on its standard input; rules that cannot work are
//! refused when they are made, and a test says what a rule would do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use blockhaul_tests::Result;
use serde_json::Value;

use crate::stage::{CAMERA, CARD, JOB, Stage, events, refused, wait_until};
use crate::stream::{blocks, record};

fn program(folder: &Path, name: &str, text: &str, mode: u32) -> Result<()> {
    let path = folder.join(name);
    let made = fs::write(&path, text).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
    made.map_err(|error| error.to_string())
}

#[test]
fn a_program_is_started_with_the_event() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let folder = stage.folder.path().join("programs");
    fs::create_dir(&folder).map_err(|error| error.to_string())?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
    let out = stage.folder.path().join("told");
    program(&folder, "tell", &format!("#!/bin/sh\ncat > {}\n", out.display()), 0o755)?;
    program(&folder, "open-to-all", "#!/bin/sh\n", 0o777)?;
    stage.source.stop()?;
    stage.source.add_option("--programs", &folder.display().to_string());
    stage.source.start()?;

    let create = |name: &str, on: &str, step: &str| ["macro", "create", name, "--on", on, "--do", step].map(str::to_owned);
    let refuse = |line: [String; 7], exit: i32, word: &str| {
        let line: Vec<&str> = line.iter().map(String::as_str).collect();
        refused(&stage.source, &line, exit, word)
    };
    refuse(create("a", "sunset", "kick haul"), 2, "no such event")?;
    refuse(create("a", "macro-failed", "kick haul"), 12, "macros themselves")?;
    refuse(create("a", "stalled", "kick nobody"), 10, "nobody")?;
    refuse(create("a", "stalled", "start none"), 10, "not in the folder")?;
    refuse(create("a", "stalled", "start open-to-all"), 10, "not in the folder")?;
    stage.source.call(&create("night", "configured", "start tell within 5s"))?;
    stage.source.call(&create("later", "configured", "wait 1h"))?;
    refused(
        &stage.source,
        &["macro", "create", "night", "--on", "stalled", "--do", "kick haul"],
        12,
        "already",
    )?;

    stage.source.call(&["job", "disable", JOB])?;
    wait_until("the program to be told", || {
        let told = fs::read(&out).unwrap_or_default();
        let event: Value = serde_json::from_slice(&told).unwrap_or_default();
        Ok(event["sentence"].as_str().is_some_and(|told| told.contains("was disabled")))
    })?;
    wait_until("the macro to end", || Ok(!events(&stage.source, "macro-ended")?.is_empty()))?;
    let event = events(&stage.source, "configured")?.pop().unwrap_or_default();
    let number = event["number"].to_string();
    let told = stage.source.call(&["macro", "test", "night", "--event", &number])?;
    assert_eq!(told["begins"], true, "{told}");
    assert!(
        told["steps"][0]["would"]
            .as_str()
            .is_some_and(|would| would.contains("start tell")),
        "{told}"
    );

    // What is under way at a crash is told, not resumed; the rules are kept.
    stage.source.kill();
    stage.source.start()?;
    assert!(!events(&stage.source, "macro-cut")?.is_empty());
    assert_eq!(
        stage.source.call(&["macro", "list"])?["macros"].as_array().map(Vec::len),
        Some(2)
    );
    stage.source.call(&["macro", "remove", "later"])?;
    stage.source.call(&["macro", "disable", "night"])?;
    stage.source.call(&["job", "enable", JOB])?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 3))?;
    stage.caught_up()
}
