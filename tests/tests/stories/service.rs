//! The replication service off and on as a whole, over a restart; and the ways to stop: drained with everything over, given up when
//! the time is over, at once with nothing lost.

use blockhaul_tests::Result;

use crate::stage::{CAMERA, CARD, JOB, Stage, refused, wait_until};
use crate::stream::{blocks, record};

#[test]
fn off_is_off_over_a_restart_and_nothing_is_lost() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 5))?;
    stage.caught_up()?;
    let before = stage.target.taken("vault")?;
    stage.source.call(&["service", "off"])?;
    assert_eq!(stage.job_field(JOB, "state")?, "held");
    // Recorders go on.
    record(&stage.source, CARD, CAMERA, &blocks(1, 5))?;
    stage.source.kill();
    stage.source.start()?;
    assert_eq!(stage.source.call(&["service", "status"])?["on"], false);
    assert_eq!(stage.source.call(&["status", "--once"])?["hauling"], false);
    assert_eq!(stage.target.taken("vault")?, before);
    stage.source.call(&["service", "on"])?;
    stage.caught_up()?;
    assert!(stage.target.taken("vault")? > before);
    // At the other end the source is told why.
    stage.target.call(&["service", "off"])?;
    record(&stage.source, CARD, CAMERA, &blocks(2, 5))?;
    wait_until("the job to say why it waits", || {
        stage.source.call(&["job", "kick", JOB])?;
        let why = stage.job_field(JOB, "why")?;
        Ok(why.as_str().is_some_and(|why| why.contains("service is off")))
    })?;
    stage.target.call(&["service", "on"])?;
    stage.caught_up()
}

#[test]
fn a_drained_stop_takes_everything_over_or_goes_on() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    let socket = stage.folder.path().join("door");
    let listen = format!("unix:{}", socket.display());
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
    stage.source.call(&[&recorder[..], &[listen.as_str()]].concat())?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 5))?;
    stage.caught_up()?;
    stage.network.cut();
    record(&stage.source, CARD, CAMERA, &blocks(1, 5))?;
    refused(&stage.source, &["stop", "--drain", "nobody"], 10, "no job nobody")?;
    refused(
        &stage.source,
        &["stop", "--drain", JOB, "--timeout", "2s"],
        124,
        "blocks left",
    )?;
    let recorders = stage.source.call(&["recorder", "list"])?;
    assert_eq!(recorders["recorders"][0]["why"], "", "{recorders}");
    stage.network.mend();
    stage.source.call(&["stop", "--drain", "all", "--timeout", "30s"])?;
    stage.source.stop()?;
    stage.source.start()?;
    stage.caught_up()?;
    assert_eq!(
        stage.job_field(JOB, "blocks")?,
        0,
        "something was left for the start after a drained stop"
    );
    // At once, and what was acknowledged is there.
    let taken = stage.source.taken(CARD)?;
    stage.source.call(&["stop", "--now"])?;
    stage.source.stop()?;
    stage.source.start()?;
    wait_until("everything acknowledged to be there", || {
        Ok(stage.source.taken(CARD)? == taken)
    })
}
