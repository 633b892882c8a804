//! The plug is pulled in the middle of hauling, now at one end, now at the other, at moments that nobody chose. Every disk, that
//! with the settings too, has a write cache that loses what was not flushed.

use std::thread;
use std::time::Duration;

use image::Result;

use crate::cache::Cut;
use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::{self, CAMERA, CARD, Pair, VAULT};
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;
const ROUNDS: usize = 4;
const BLOCKS: usize = 48;
/// So long a power cut waits for several writes that it can destroy, and once more for one.
const PATIENCE: Duration = Duration::from_secs(3);

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?.with_cache(&stage.sockets)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?.with_cache(&stage.sockets)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?.with_cached_state(stage)?;
    let target = Guest::new(stage, "target", End::First, vec![store])?.with_cached_state(stage)?;
    let mut pair = Pair::boot(stage, source, target)?;
    report.saw("both are up, paired, and a job hauls always");
    let mut lost = 0;
    for round in 1..=ROUNDS {
        let (cut, told) = record_and_cut(&mut pair, stage, round, &mut dice)?;
        lost += cut.lost + cut.torn;
        report.saw(&told);
    }
    if lost == 0 {
        return Err("The caches kept everything at every power cut, so this has shown nothing.".to_owned());
    }
    pair.caught_up()?;
    report.saw(&format!(
        "{lost} writes were lost or torn, and everything durable is at the target"
    ));
    report.saw(&pair.judge(stage)?);
    Ok(())
}

/// Cuts the power at one end while recordings are written there and hauled, and sees that everything is there that was durable.
fn record_and_cut(pair: &mut Pair, stage: &Stage<'_>, round: usize, dice: &mut Dice) -> Result<(Cut, String)> {
    let bytes = pair::bytes(dice, BLOCKS);
    let (at_target, pause_ms) = (dice.below(2) == 0, dice.below(900));
    // The first cut keeps nothing of what was not flushed, so that each run has lost something.
    let mercy = if round == 1 { 0 } else { dice.below(5) };
    let writes = 1 + dice.below(4) as usize;
    let camera = pair.source.client().clone();
    let recorder = {
        let bytes = bytes.clone();
        thread::spawn(move || pair::record_as(&camera, CAMERA, &bytes))
    };
    thread::sleep(Duration::from_millis(pause_ms));
    let (guest, archive, end) = match at_target {
        true => (&mut pair.target, VAULT, "target"),
        false => (&mut pair.source, CARD, "source"),
    };
    // What was durable a moment ago must be there afterwards.
    let durable = guest.client().taken(archive)?;
    let cut = guest.cut_power_while_writing(writes, PATIENCE, mercy, dice)?;
    guest.boot(stage)?;
    let found = guest.client().taken(archive)?;
    if found < durable {
        return Err(format!(
            "{durable} blocks were durable at the {end}, and {found} are there after the power cut."
        ));
    }
    let recorded = recorder.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()));
    if at_target {
        recorded?;
        pair.recorded.extend(bytes);
    } else {
        // The end of the recording went with the power: what is there must be its beginning.
        let there = pair::export(&pair.source, CARD, &stage.folder.join("after-cut"))?;
        pair.recorded.extend(bytes);
        if !pair.recorded.starts_with(&there) || recorded.is_ok() && there != pair.recorded {
            return Err(format!(
                "After the power cut the source has {} bytes that are not the beginning of what was recorded.",
                there.len()
            ));
        }
        pair.recorded = there;
    }
    let told = format!(
        "round {round}: power cut at the {end} with {durable} blocks durable; of {} writes in its caches {} were lost, {} torn, {} kept; \
         {found} blocks are there",
        cut.lost + cut.torn + cut.whole,
        cut.lost,
        cut.torn,
        cut.whole
    );
    Ok((cut, told))
}
