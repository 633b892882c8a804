//! A target without room: it says so, the blocks wait at the source, nothing is lost or overwritten.

use image::Result;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::{self, Pair, VAULT};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?;
    let store = Disk::blank(&stage.folder, "STORE0", 8 * MIB)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?;
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    pair.record(&mut dice, 90)?;
    report.saw("90 blocks are durable at the source; the target has room for fewer than 64");
    pair.source.until_event("target-full")?;
    let state = pair.target.call(&["archive", "info", VAULT])?["archive"]["state"].clone();
    if state != "full" {
        return Err(format!("The archive is {state}, and it must be full."));
    }
    report.saw("the source says that the target is full, and the target says the same");
    pair::verify(&pair.target, VAULT)?;
    let waiting = pair.source.call(&["status"])?["jobs"][0]["backlog_blocks"]
        .as_u64()
        .unwrap_or(0);
    pair.source.stop()?;
    pair.target.stop()?;
    let (source, target) = (pair.blocks_at_source(stage)?, pair.blocks_at_target(stage)?);
    if !source.starts_with(&target) || source.len() - target.len() != waiting as usize {
        return Err(format!(
            "{waiting} blocks wait, and the disks hold {} and {}.",
            source.len(),
            target.len()
        ));
    }
    pair::gapless(&source)?;
    report.saw(&format!(
        "the target has the first {} of 90, each once; {waiting} wait at the source",
        target.len()
    ));
    Ok(())
}
