//! The source records on a USB stick: it is pulled in the middle of hauling and put back. What had been hauled is at the target once,
//! what had not comes later.

use image::Result;
use serde_json::json;

use crate::dice::Dice;
use crate::disk::{Bus, Disk};
use crate::guest::{End, Guest};
use crate::pair::{CARD, Pair};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let stick = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?.at(Bus::Usb);
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?;
    let source = Guest::new(stage, "source", End::Second, vec![stick])?;
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    pair.record(&mut dice, 40)?;
    pair.source.machine()?.monitor("device_del", json!({ "id": "dev1" }))?;
    pair.source.until_event("device-removed")?;
    pair.source.until("the archive to be offline", |source| {
        Ok(source.call(&["archive", "info", CARD])?["archive"]["state"] == "offline")
    })?;
    report.saw("40 blocks are on the stick, it is pulled while they are hauled, and the source says so");
    pair.source.stop()?;
    pair.source.boot(stage)?;
    pair.caught_up()?;
    report.saw("it is put back, and 40 blocks are at the target");
    pair.record(&mut dice, 10)?;
    pair.caught_up()?;
    report.saw("10 more are recorded on it and hauled");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
