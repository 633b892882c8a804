//! The plug is pulled in the middle of hauling, now at one end, now at the other, at moments that nobody chose. Every disk, that
//! with the settings too, has a write cache that loses what was not flushed.

use std::thread;
use std::time::Duration;

use image::Result;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::{CARD, Pair, VAULT};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;
const ROUNDS: usize = 4;
const BLOCKS: usize = 24;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?.with_cache(&stage.sockets)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?.with_cache(&stage.sockets)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?.with_cached_state(stage)?;
    let target = Guest::new(stage, "target", End::First, vec![store])?.with_cached_state(stage)?;
    let mut pair = Pair::boot(stage, source, target)?;
    report.saw("both are up, paired, and a job hauls always");
    for round in 1..=ROUNDS {
        pair.record(&mut dice, BLOCKS)?;
        let pause_ms = dice.below(600);
        thread::sleep(Duration::from_millis(pause_ms));
        let at_target = dice.below(2) == 0;
        let (guest, archive, end) = match at_target {
            true => (&mut pair.target, VAULT, "target"),
            false => (&mut pair.source, CARD, "source"),
        };
        // What was durable a moment ago must be there afterwards.
        let durable = guest.client().taken(archive)?;
        let cut = guest.cut_power(&mut dice)?;
        guest.boot(stage)?;
        let found = guest.client().taken(archive)?;
        if found < durable {
            return Err(format!(
                "{durable} blocks were durable at the {end}, and {found} are there after the power cut."
            ));
        }
        report.saw(&format!(
            "round {round}: power cut at the {end} with {durable} blocks durable; of its cache {} writes kept, {} torn, {} lost; {found} \
             blocks are there",
            cut.whole, cut.torn, cut.lost
        ));
    }
    pair.caught_up()?;
    report.saw("everything is at the target");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
