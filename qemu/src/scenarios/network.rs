//! The wire: carrier lost and back in the middle of hauling, then delay, loss and disorder of what goes over it.

use image::Result;
use serde_json::{Value, json};

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
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?.at(Bus::Nvme);
    let source = Guest::new(stage, "source", End::Second, vec![card])?;
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    pair.record(&mut dice, 10)?;
    pair.caught_up()?;
    report.saw("10 blocks are at the target");

    carrier(&mut pair, false)?;
    pair.source.until_event("nic-down")?;
    report.saw("the carrier is lost, and the source says so");
    pair.record(&mut dice, 20)?;
    report.saw("20 blocks more are durable at the source meanwhile");
    carrier(&mut pair, true)?;
    pair.source.until_event("nic-up")?;
    pair.caught_up()?;
    report.saw("the carrier is back, and 30 blocks are at the target");

    let spoil = json!({
        "do": "netem", "nic": "eth1", "delay_us": 30_000, "jitter_us": 20_000, "loss_percent": 2, "reorder_percent": 25,
    });
    pair.source.agent(&spoil)?;
    pair.target.agent(&spoil)?;
    report.saw("packets are late by 10 to 50 ms each way, 2 % are lost, 25 % overtake others");
    pair.record(&mut dice, 20)?;
    pair.caught_up()?;
    report.saw("50 blocks are at the target");
    report.saw(&pair.judge(stage)?);
    Ok(())
}

/// The plug of the source's wire.
fn carrier(pair: &mut Pair, up: bool) -> Result<Value> {
    pair.source
        .machine()?
        .monitor("set_link", json!({ "name": "nic1", "up": up }))
}
