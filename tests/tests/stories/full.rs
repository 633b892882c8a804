//! The target's archive is full. The job says so and what to do, the camera goes on recording at the source, and what the target has
//! stays there, also over a restart.

use blockhaul_tests::Result;

use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, wait_until};
use crate::stream::{blocks, export, record, same};

#[test]
fn a_full_target_stops_the_job_and_nothing_else() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("8MiB", "append"))?;
    let mut recorded = blocks(0, 100);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    let why = stage.job_stops(JOB, "target-full")?;
    assert!(why.contains(VAULT), "{why:?} does not name the archive");
    assert_eq!(archive_field(&stage.target, VAULT, "state")?, "full");

    let more = blocks(1, 50);
    record(&stage.source, CARD, CAMERA, &more)?;
    recorded.extend(&more);
    let (ended, bytes) = export(&stage.source, CARD, &stage.folder.path().join("source"))?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same("the source", &bytes, &recorded)?;

    let next = stage.target.taken(VAULT)?;
    assert!(next > 50, "only {next} blocks fit");
    stage.target.stop()?;
    stage.target.start()?;
    wait_until("the vault to be full again", || {
        Ok(archive_field(&stage.target, VAULT, "state")? == "full")
    })?;
    assert_eq!(stage.target.taken(VAULT)?, next);
    stage.source.call(&["job", "kick", JOB])?;
    stage.job_stops(JOB, "target-full")?;
    let verified = ask(&stage.target, &["archive", "verify", VAULT])?;
    assert_eq!(verified.exit, 0, "{verified:?}");
    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("target"))?;
    assert_eq!(ended.said["blocks"], next, "{ended:?}");
    same("the target", &bytes, &recorded[..bytes.len()])
}
