//! Does it haul? Two appliances on a virtual network: a camera's recording goes from an NVMe drive to a virtio disk.

use image::Result;

use crate::dice::Dice;
use crate::disk::{Bus, Disk};
use crate::guest::{End, Guest};
use crate::pair::Pair;
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?.at(Bus::Nvme);
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?;
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    report.saw("both are up, paired, and a job hauls always");
    pair.record(&mut dice, 40)?;
    report.saw("40 blocks are durable at the source");
    pair.caught_up()?;
    report.saw("and at the target");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
