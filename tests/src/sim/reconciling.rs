//! Full runs in histories of several appliances: asked for at any time, and at the end judged by the disks of both ends.
//!
//! Invariant: after full runs without faults the target has whole what the source has whole, and another full run sends nothing.

use std::collections::BTreeSet;

use drivers_sim::SiteId;
use serde_json::json;

use super::play::{Play, SECOND_NS};
use crate::reader::{Content, Track, block};

/// Full runs after which nothing is left to be sent, whatever the shape: a chain needs one for each of its links, and one more.
pub const PASSES_MAX: u64 = 5;

impl Play {
    /// Asks for a full run. An appliance that has no time for it now is not asked again.
    pub fn run_full(&mut self, from: SiteId, job: &str) -> Result<(), String> {
        match self.ask(from, "Job.Run", json!({ "name": job, "full": true })) {
            Ok(_) => self.tally.fault("full runs"),
            Err(why) if why.contains("refuses Job.Run") || why.contains("does not answer Job.Run") => {}
            Err(why) => return Err(why),
        }
        Ok(())
    }

    /// Bits turn over in blocks of tracks.
    pub fn rot_blocks(&mut self, site: SiteId) {
        let ledger = &self.ledgers[&site];
        let kept = ledger.kept.range(ledger.given());
        let pieces: Vec<u64> = kept
            .filter(|(_, entry)| entry.says.piece.is_some())
            .map(|(at, _)| *at)
            .collect();
        let (geometry, disk) = (ledger.geometry, self.disk(site));
        for _ in 0..self.draw(6).min(pieces.len() as u64) {
            let sequence = self.pick(&pieces);
            let range = geometry.range(sequence, self.ledgers[&site].kept[&sequence].says.bytes);
            let at = range.start + self.draw(range.end - range.start);
            let mask = 1 << self.draw(8);
            self.world.machines.disk_mut(disk).flip(at, mask);
        }
        self.tally.fault("blocks rotten before a full run");
    }

    /// One end stops in the middle of whatever it does, and starts again.
    pub fn interrupt(&mut self, site: SiteId) -> Result<(), String> {
        let span_ns = self.draw(3 * SECOND_NS);
        self.pass(span_ns)?;
        if self.chance(50) {
            self.power_cut(site)?;
        } else {
            self.world.kill(site);
        }
        self.boot(site)?;
        self.pass(SECOND_NS)?;
        self.tally.fault("full runs interrupted");
        Ok(())
    }

    /// Blocks that the newest full run of a job has sent; none if an interruption has taken it away.
    pub fn sent_by_full(&mut self, from: SiteId, job: &str) -> Result<Option<u64>, String> {
        let status = self.ask(from, "Job.Show", json!({ "name": job }))?;
        let full = &status["job"]["full"];
        match (full["done"].as_bool(), full["sent"].as_u64()) {
            (Some(true), Some(sent)) => Ok(Some(sent)),
            (None, None) => Ok(None),
            _ => Err(format!("a job is caught up and its full run is not done: {status}")),
        }
    }

    /// What the source has whole is whole at the target, but for what a ring there has given up.
    pub fn judge_reconciled(&self, from: SiteId, to: SiteId) -> Result<(), String> {
        let (source, target) = (&self.ledgers[&from], &self.ledgers[&to]);
        let there = self.whole(to);
        let floor = |track: &Track| {
            let kept = target.kept.range(target.oldest()..);
            let numbers = kept.filter_map(|(_, entry)| match &entry.says.piece {
                Some((of, number, ..)) if of == track && !entry.says.is_fill => Some(*number),
                Some(_) | None => None,
            });
            numbers.min().unwrap_or(u64::MAX)
        };
        for (track, number) in self.whole(from) {
            if track.origin == target.geometry.archive || there.contains(&(track.clone(), number)) {
                continue;
            }
            if target.oldest() > 0 && number < floor(&track) {
                continue;
            }
            return Err(format!(
                "{} has {number} of {} whole, {} has not, and a full run has compared them",
                source.name, track.camera, target.name
            ));
        }
        Ok(())
    }

    /// Numbers of tracks that a site's disk has whole, of what its archive still gives.
    fn whole(&self, site: SiteId) -> BTreeSet<(Track, u64)> {
        let disk = self.world.machines.disk(self.disk(site));
        let ledger = &self.ledgers[&site];
        let kept = ledger.kept.range(ledger.given());
        let is_whole = |sequence: u64| {
            ledger.on_image(sequence, disk.current()).is_ok() && !disk.cannot_read(ledger.geometry.range(sequence, 65536))
        };
        let whole = kept.filter(|(sequence, _)| is_whole(**sequence));
        whole
            .filter_map(|(sequence, _)| {
                let there = block(disk.current(), &ledger.geometry, sequence % ledger.geometry.slots).ok()?;
                match there.content {
                    Content::Piece(piece) => Some((piece.track, piece.sequence)),
                    Content::Records { .. } | Content::Checkpoint { .. } => None,
                }
            })
            .collect()
    }
}
