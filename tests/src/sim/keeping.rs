//! Retention of archives in histories, and what it promises: nothing that is guarded is freed, no slot is written before it is
//! durable that its block is freed, and the guaranteed minimum stays.
//!
//! Nothing here asks the product anything.

use std::collections::BTreeMap;

use drivers_sim::SiteId;
use serde_json::json;

use super::play::Play;
use crate::reader::{Announced, Track, copies_that_free};

const BLOCK_BYTES: u64 = 64 << 10;

/// What the retention of an archive promises.
#[derive(Clone, Debug, Default)]
pub struct Keeps {
    /// Whoever must have what is freed.
    targets: Vec<SiteId>,
    /// A ring gives up nothing that it would not free.
    protects: bool,
    /// Of each track so many numbers stay.
    least: u64,
    /// Below that log sequence everything was judged.
    judged: u64,
}

/// Draws a retention and sets it.
pub fn set(play: &mut Play, site: SiteId, archive: &str, targets: Vec<SiteId>) -> Result<(), String> {
    if play.chance(50) {
        // Known to the appliance from its next start on.
        let disk = play.disk(site);
        play.world.machines.disk_mut(disk).model.discard_bytes = 4096;
        play.world.machines.disk_mut(disk).model.discards_to_garbage = play.chance(50);
    }
    let mut retention = json!({});
    let mut keeps = Keeps {
        targets,
        ..Keeps::default()
    };
    if play.chance(70) {
        retention["remove_after_success"] = true.into();
    }
    if play.chance(40) {
        retention["protect"] = true.into();
        keeps.protects = true;
    }
    if play.chance(50) {
        retention["max_bytes"] = ((8 + play.draw(60)) * BLOCK_BYTES).into();
    }
    if play.chance(20) {
        retention["max_age_ms"] = (5_000 + play.draw(60_000)).into();
    }
    if play.chance(30) {
        keeps.least = 1 + play.draw(6);
        retention["min_bytes"] = (keeps.least * BLOCK_BYTES).into();
    }
    play.ask(site, "Retention.Set", json!({ "archive": archive, "retention": retention }))?;
    play.keeps.insert(site, keeps);
    Ok(())
}

impl Play {
    /// An archive writes down that everything below a log sequence is freed.
    pub fn judge_freed(&mut self, site: SiteId, archive: [u8; 16], below: u64) -> Result<(), String> {
        let Some(ledger) = self
            .ledgers
            .get_mut(&site)
            .filter(|ledger| ledger.geometry.archive == archive)
        else {
            return Ok(());
        };
        let oldest = ledger.oldest();
        if below > ledger.claimed {
            return Err(format!(
                "{}: blocks below {below} are freed that are not durable",
                ledger.name
            ));
        }
        ledger.frees(below);
        let from = oldest.max(self.keeps.get(&site).map_or(0, |keeps| keeps.judged));
        self.judge_gone(site, from, below)
    }

    /// A ring that protects has written on: what it gave up must be what it might have freed.
    pub fn judge_given_up(&mut self, site: SiteId) -> Result<(), String> {
        let oldest = self.ledgers[&site].oldest();
        match self.keeps.get(&site) {
            Some(keeps) if keeps.protects && oldest > keeps.judged => self.judge_gone(site, keeps.judged, oldest),
            Some(_) | None => Ok(()),
        }
    }

    /// Nothing that is gone was guarded, or within the minimum.
    fn judge_gone(&mut self, site: SiteId, from: u64, below: u64) -> Result<(), String> {
        let Some(keeps) = self.keeps.get_mut(&site) else {
            return Err(format!("{} frees, and nobody asked for it", self.ledgers[&site].name));
        };
        keeps.judged = keeps.judged.max(below);
        let (keeps, ledger) = (keeps.clone(), &self.ledgers[&site]);
        let mut last: BTreeMap<&Track, u64> = BTreeMap::new();
        for entry in ledger.kept.range(from..below.max(from)).map(|(_, entry)| entry) {
            if let Some((track, number, ..)) = &entry.says.piece {
                let most = last.entry(track).or_default();
                *most = number.max(most).to_owned();
            }
        }
        for (track, number) in last {
            let tip = ledger.tips.get(track).copied().unwrap_or(0);
            if tip < number + 1 + keeps.least && ledger.tails_lost == 0 {
                return Err(format!(
                    "{} frees {number} of {} of {tip}, and {} must stay",
                    ledger.name, track.camera, keeps.least
                ));
            }
            for target in &keeps.targets {
                let target = &self.ledgers[target];
                let there = target.tips.get(track).copied().unwrap_or(0);
                let is_missing = track.origin != target.geometry.archive && there <= number;
                // What a target once had and lost through its disk was told to the source.
                if is_missing && target.tails_lost == 0 && target.tracks_forgotten == 0 {
                    return Err(format!(
                        "{} frees {number} of {}, and {} has only those below {there}",
                        ledger.name, track.camera, target.name
                    ));
                }
            }
        }
        Ok(())
    }

    /// A block goes into a slot of an append archive only when it is durable that the one before it is freed.
    pub fn judge_place(&mut self, site: SiteId, says: &Announced) -> Result<(), String> {
        let Some(ledger) = self
            .ledgers
            .get(&site)
            .filter(|ledger| ledger.geometry.archive == says.archive && !ledger.geometry.ring)
        else {
            return Ok(());
        };
        let Some(before) = says.log_sequence.checked_sub(ledger.geometry.slots) else {
            return Ok(());
        };
        let disk = self.world.machines.disk(self.disk(site));
        let copies = copies_that_free(disk.durable(), disk.model.size_bytes, before);
        if copies < 2 && !disk.lies() && disk.wounds.is_empty() {
            return Err(format!(
                "{}: block {} is written where block {before} is, and {copies} durable superblock copies say that that is freed",
                ledger.name, says.log_sequence
            ));
        }
        Ok(())
    }
}
