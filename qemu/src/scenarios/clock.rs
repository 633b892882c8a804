//! A camera without a clock: it begins in 1970, then its time is set, then it jumps back. No block is lost or out of order.

use std::time::{SystemTime, UNIX_EPOCH};

use image::Result;
use serde_json::json;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::Pair;
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;
const HOUR_S: u64 = 3600;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?;
    let mut source = Guest::new(stage, "source", End::Second, vec![card])?;
    source.clock = Some("1970-01-01T00:00:00".to_owned());
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    let clock = pair.source.call(&["status"])?["clock"].clone();
    if clock == "synchronized" {
        return Err(format!("In 1970 the source calls its clock {clock}."));
    }
    pair.record(&mut dice, 10)?;
    pair.caught_up()?;
    report.saw(&format!("in 1970, by a clock that is {clock}, 10 blocks are hauled"));

    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    pair.source.agent(&json!({ "do": "clock", "utc_s": now }))?;
    pair.record(&mut dice, 10)?;
    pair.caught_up()?;
    report.saw("its time is set, 10 blocks more are hauled");

    pair.source.agent(&json!({ "do": "clock", "utc_s": now - HOUR_S }))?;
    pair.target.agent(&json!({ "do": "clock", "utc_s": now + HOUR_S }))?;
    pair.record(&mut dice, 10)?;
    pair.caught_up()?;
    report.saw("it jumps back by an hour, and the target's forward: 10 blocks more are hauled");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
