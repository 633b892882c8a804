//! A disk at the target fails, hangs, and is taken away: each is named, nothing is lost, and the recorder goes on.

use image::Result;
use serde_json::json;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::{Pair, VAULT};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?.with_cache(&stage.sockets)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?;
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    pair.record(&mut dice, 10)?;
    pair.caught_up()?;
    report.saw("10 blocks are at the target");

    pair.target.cache()?.hang(true);
    pair.record(&mut dice, 10)?;
    pair.target.until_event("device-silent")?;
    report.saw("the disk hangs, and the target says so; the recorder went on");
    pair.target.cache()?.hang(false);
    pair.target.until_event("device-answers")?;
    pair.caught_up()?;
    report.saw("it answers again, and 20 blocks are there");

    pair.target.cache()?.fail_writes(true);
    pair.record(&mut dice, 10)?;
    pair.target.until("the archive to be read-only", |target| {
        Ok(target.call(&["archive", "info", VAULT])?["archive"]["state"] == "read-only")
    })?;
    report.saw("writes fail, and the archive takes no more");
    pair.target.stop()?;
    pair.target.cache()?.fail_writes(false);
    pair.target.boot(stage)?;
    pair.caught_up()?;
    report.saw("with a sound disk it goes on, and 30 blocks are there");

    pair.target.machine()?.monitor("device_del", json!({ "id": "dev1" }))?;
    pair.target.machine()?.event("DEVICE_DELETED")?;
    pair.record(&mut dice, 10)?;
    pair.target.until_event("device-removed")?;
    report.saw("the disk is taken away, and the target says so; the recorder went on");
    pair.target.stop()?;
    pair.target.boot(stage)?;
    pair.caught_up()?;
    report.saw("it is put back, and 40 blocks are there");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
