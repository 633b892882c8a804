//! Programs that record over the control socket come and go: each gives its place back, also one that is killed.

use std::process::Stdio;

use blockhaul_tests::Result;

use crate::stage::{CARD, Stage, wait_until};
use crate::stream::{blocks, record};

/// Programs that may be connected at once (`docs/limits.md`).
const CLIENTS_MAX: usize = 64;

#[test]
fn more_programs_than_may_be_connected_at_once_record_one_after_the_other() -> Result<()> {
    let stage = Stage::with_files(("32MiB", "append"), ("8MiB", "append"))?;
    let bytes = blocks(0, 1);
    for number in 0..=CLIENTS_MAX {
        record(&stage.source, CARD, &format!("cam{number}"), &bytes[..1_000])?;
    }
    Ok(())
}

#[test]
fn programs_that_are_killed_give_their_places_back() -> Result<()> {
    let stage = Stage::with_files(("32MiB", "append"), ("8MiB", "append"))?;
    let mut killed = Vec::new();
    for number in 0..CLIENTS_MAX - 2 {
        let mut command = stage
            .source
            .command(&["record", "--archive", CARD, "--camera", &format!("cam{number}")]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        killed.push(child.map_err(|error| error.to_string())?);
    }
    for mut child in killed {
        child.kill().map_err(|error| error.to_string())?;
        child.wait().map_err(|error| error.to_string())?;
    }
    let bytes = blocks(0, 1);
    wait_until("a place for one more", || {
        Ok(record(&stage.source, CARD, "late", &bytes[..1_000]).is_ok())
    })?;
    for number in 0..=CLIENTS_MAX {
        record(&stage.source, CARD, &format!("again{number}"), &bytes[..1_000])?;
    }
    Ok(())
}
