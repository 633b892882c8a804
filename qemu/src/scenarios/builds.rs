//! Do two builds understand each other? One hauls to the other; then they change places, and each goes on with what the other wrote.

use image::Result;
use image::tree::read;

use crate::BOARD;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::other;
use crate::pair::Pair;
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let other = other::bake(&stage.tree, BOARD)?;
    if read(&other.image.initramfs())? == read(&stage.image.initramfs())? {
        return Err(format!("{} is the same build as this one.", other.what));
    }
    report.saw(&format!("the other build: {}", other.what));
    let other_stage = stage.with(&other.image);
    let card = Disk::blank(&stage.folder, "CARD0", 16 * MIB)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?;
    let target = Guest::new(&other_stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    pair.record(&mut dice, 20)?;
    pair.caught_up()?;
    report.saw("20 blocks went from this build to the other");
    pair.source.stop()?;
    pair.target.stop()?;
    pair.source.change_image(&other_stage)?;
    pair.target.change_image(stage)?;
    pair.target.boot(stage)?;
    pair.source.boot(&other_stage)?;
    report.saw("each started again with the other build");
    pair.record(&mut dice, 20)?;
    pair.caught_up()?;
    report.saw("20 more went from the other build to this one");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
