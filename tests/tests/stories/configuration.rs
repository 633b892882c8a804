//! The whole configuration as a document: exported, changed, checked, applied; refused as a whole; and taken over by a new appliance at its
//! first start, with the key and the volume of the old one.

use std::fs;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;

use crate::stage::{CAMERA, CARD, JOB, Stage, ask, events, programs, refused};
use crate::stream::{blocks, record};

fn export(at: &Appliance, file: &str, more: &[&str]) -> Result<String> {
    at.call(&[&["config", "export", "-o", file][..], more].concat())?;
    fs::read_to_string(file).map_err(|error| error.to_string())
}

#[test]
fn a_document_is_exported_changed_and_applied() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let door = |name: &str| format!("unix:{}", stage.folder.path().join(name).display());
    let recorder = [
        "recorder",
        "create",
        "door",
        "--archive",
        CARD,
        "--camera",
        "cam2",
        "--listen",
    ];
    stage.source.call(&[&recorder[..], &[door("door").as_str()]].concat())?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 5))?;
    stage.caught_up()?;
    let file = stage.folder.path().join("site.toml").display().to_string();
    let document = export(&stage.source, &file, &[])?;
    assert!(!document.contains("token ="), "{document}");
    let same = stage.source.call(&["config", "apply", &file, "--yes"])?;
    assert_eq!(
        (&same["applied"], &same["differences"][0]),
        (&false.into(), &serde_json::Value::Null)
    );

    // A camera of another name at the same door, the job on demand, the service off.
    let changed = document
        .replace("camera = \"cam2\"", "camera = \"cam3\"")
        .replace("mode = \"always\"", "mode = \"on-demand\"")
        .replace("version = 1\n", "version = 1\nhauling = false\n");
    fs::write(&file, &changed).map_err(|error| error.to_string())?;
    stage.source.call(&["config", "check", &file, "--offline"])?;
    let told = stage.source.call(&["config", "check", &file])?;
    assert_eq!(told["differences"].as_array().map(Vec::len), Some(3), "{told}");
    refused(&stage.source, &["config", "apply", &file], 2, "Nobody can be asked")?;
    assert_eq!(stage.job_field(JOB, "mode")?, "always");
    let applied = stage.source.call(&["config", "apply", &file, "--yes"])?;
    assert_eq!(applied["applied"], true, "{applied}");
    assert_eq!(stage.job_field(JOB, "mode")?, "on-demand");
    assert_eq!(stage.job_field(JOB, "state")?, "held");
    crate::stage::wait_until("the door to be open again", || {
        let recorders = stage.source.call(&["recorder", "list"])?["recorders"].clone();
        Ok(recorders[0]["camera"] == "cam3" && recorders[0]["why"] == "")
    })?;
    stage.source.kill();
    stage.source.start()?;
    assert_eq!(stage.job_field(JOB, "mode")?, "on-demand");
    // The token is still the one that the document did not hold.
    fs::write(&file, &document).map_err(|error| error.to_string())?;
    stage.source.call(&["config", "apply", &file, "--yes"])?;
    record(&stage.source, CARD, CAMERA, &blocks(1, 5))?;
    stage.caught_up()?;

    // All or nothing.
    let bad = document
        .replace("camera = \"cam2\"", "camera = \"cam4\"")
        .replace("flush_after_ms = 10000", "flush_after_ms = 1");
    fs::write(&file, bad).map_err(|error| error.to_string())?;
    refused(&stage.source, &["config", "apply", &file, "--yes"], 2, "out of range")?;
    assert_eq!(stage.source.call(&["recorder", "list"])?["recorders"][0]["camera"], "cam2");
    let lost = document.replace(
        "[[archive]]",
        "[[archive]]\nname = \"x\"\nuuid = \"00\"\nvolume = \"/x\"\n[[archive]]",
    );
    fs::write(&file, lost).map_err(|error| error.to_string())?;
    assert_eq!(ask(&stage.source, &["config", "check", &file, "--offline"])?.exit, 2);
    assert!(!events(&stage.source, "configured")?.is_empty());
    Ok(())
}

#[test]
fn a_new_appliance_takes_over_at_its_first_start() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 5))?;
    stage.caught_up()?;
    let file = stage.folder.path().join("site.toml").display().to_string();
    export(&stage.source, &file, &["--secrets"])?;
    stage.source.stop()?;
    let mut heir = Appliance::new("heir", stage.folder.path(), &programs()?, None)?;
    let state = heir.folder().join("state");
    fs::create_dir_all(&state).map_err(|error| error.to_string())?;
    let old = stage.source.folder().join("state");
    for name in ["blockhaul-state", "identity.key"] {
        fs::copy(old.join(name), state.join(name)).map_err(|error| format!("{name}: {error}"))?;
    }
    heir.add_option("--settings", &file);
    heir.start()?;
    let state = heir.call(&["job", "wait", JOB, "--for", "caught-up", "--timeout", "30s"])?;
    assert_eq!(state["job"]["state"], "caught-up", "{state}");
    // From now on its own settings count.
    heir.call(&["job", "disable", JOB])?;
    heir.stop()?;
    heir.start()?;
    assert_eq!(heir.call(&["job", "show", JOB])?["job"]["state"], "disabled");
    Ok(())
}
