//! The daemon is killed and stands still beside the first process: it is started again, or the watchdog restarts the machine.

use image::Result;
use serde_json::json;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest};
use crate::pair::Pair;
use crate::report::Report;
use crate::scenario::Stage;

const MIB: u64 = 1024 * 1024;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let card = Disk::blank(&stage.folder, "CARD0", 64 * MIB)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?;
    let source = Guest::new(stage, "source", End::Second, vec![card])?;
    let target = Guest::new(stage, "target", End::First, vec![store])?.with_watchdog();
    let mut pair = Pair::boot(stage, source, target)?;
    if !pair.target.machine()?.has_said("watchdog i6300ESB") {
        return Err("The console does not name the watchdog.".to_owned());
    }
    report.saw("both are up, and the target has a watchdog");
    for end in ["target", "source"] {
        pair.record(&mut dice, 10)?;
        let guest = if end == "target" { &mut pair.target } else { &mut pair.source };
        guest.agent(&json!({ "do": "kill-daemon" }))?;
        guest
            .machine()?
            .expect("the daemon crashed (signal 9) and is started again")?;
        guest.machine()?.expect("ready")?;
        report.saw(&format!("the daemon of the {end} is killed and started again"));
    }
    pair.caught_up()?;
    report.saw("20 blocks are at the target");
    pair.target.agent(&json!({ "do": "stop-daemon" }))?;
    pair.record(&mut dice, 10)?;
    pair.target.machine()?.event("WATCHDOG")?;
    report.saw("the daemon of the target stands still, and the watchdog bites");
    pair.target.cut_power(&mut dice)?;
    pair.target.boot(stage)?;
    pair.caught_up()?;
    report.saw("the machine starts again, and 30 blocks are there");
    report.saw(&pair.judge(stage)?);
    Ok(())
}
