//! A world with appliances in it, the books of each, and what was seen so far: what both kinds of histories are played on.
//!
//! Not the plot (`archive.rs`, `hauling.rs`) and not the judgement at the end. Invariant: every notice of an appliance reaches the
//! books before anything else happens.

use std::collections::{BTreeMap, BTreeSet};

use drivers_sim::{Cause, DiskId, Echo, SiteId, Snapshot, World};
use hal::Role;
use serde_json::{Value, json};

use super::keeping::Keeps;
use super::ledger::{Entry, Ledger};
use super::product::{Notice, Product};
use super::tally::{Report, Tally};
use crate::reader::{Track, geometry};

/// A second of virtual time.
pub const SECOND_NS: u64 = 1_000_000_000;
/// A call is answered in this time, faults or not.
const PATIENCE_NS: u64 = 30 * SECOND_NS;
/// Blocks that may be numbered and not written yet.
pub const NUMBERED_MAX: u64 = 32;
/// Path of the volume of every site.
pub const VOLUME: &str = "/dev/sim0";

/// Everything that a history is played on.
pub struct Play {
    /// The machines and the appliances.
    pub world: World<Product>,
    /// The books of each site's archive.
    pub ledgers: BTreeMap<SiteId, Ledger>,
    /// What the retention of each archive promises.
    pub keeps: BTreeMap<SiteId, Keeps>,
    /// Codes and subjects that each site said.
    pub said: BTreeSet<(SiteId, String, String)>,
    /// When each site last said each code.
    pub said_at_ns: BTreeMap<(SiteId, String), u64>,
    /// Earlier states of disks, for rollbacks.
    pub snapshots: BTreeMap<SiteId, Snapshot>,
    /// A second daemon that was given a volume before.
    pub intruder: Option<SiteId>,
    /// Counts.
    pub tally: Tally,
}

/// A number that names something in a list.
pub fn place(number: u64) -> usize {
    usize::try_from(number).expect("usize has 64 bits")
}

impl Play {
    /// An empty world of a seed.
    pub fn new(seed: u64, echo: Echo) -> Play {
        let mut world = World::new(seed);
        world.machines.trace.echo = echo;
        Play {
            world,
            ledgers: BTreeMap::new(),
            keeps: BTreeMap::new(),
            said: BTreeSet::new(),
            said_at_ns: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            intruder: None,
            tally: Tally::default(),
        }
    }

    /// Virtual time.
    pub fn now_ns(&self) -> u64 {
        self.world.machines.now_ns()
    }

    /// A number below `bound`.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.world.machines.random.below(bound)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.world.machines.random.chance(percent)
    }

    /// One of some things.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[place(self.draw(things.len() as u64))]
    }

    /// Switches a site on and starts the product there.
    pub fn boot(&mut self, site: SiteId) -> Result<(), String> {
        let disk = self.world.machines.disk_at(site, VOLUME);
        if let Some(disk) = disk {
            // Whoever saw them is gone; a new process tries again.
            self.world.machines.disk_mut(disk).failed_reads.clear();
        }
        if let Some((disk, ledger)) = disk.zip(self.ledgers.get_mut(&site)) {
            ledger.starts(self.world.machines.disk(disk));
        }
        self.world.boot(site, |board, _, ops| Product::start(board, ops));
        self.read_notices()
    }

    /// The disk of a site.
    pub fn disk(&self, site: SiteId) -> DiskId {
        self.world.machines.disk_at(site, VOLUME).expect("every site has a volume")
    }

    /// Lets time pass.
    pub fn pass(&mut self, span_ns: u64) -> Result<(), String> {
        let limit_ns = self.now_ns() + span_ns;
        while self.world.step(limit_ns) {
            self.read_notices()?;
        }
        Ok(())
    }

    /// Calls a method of an appliance and returns the parameters of its last reply.
    pub fn ask(&mut self, site: SiteId, method: &str, parameters: Value) -> Result<Value, String> {
        let call =
            json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters, "more": method == "Archive.Verify" });
        let caller = self.world.machines.connect_and_call(site, Role::Admin, &call.to_string());
        let name = self.world.machines.site(site).name.clone();
        let mut limit_ns = self.now_ns() + PATIENCE_NS;
        loop {
            while let Some(reply) = self.world.machines.take_reply(caller) {
                let mut reply: Value =
                    serde_json::from_slice(&reply).map_err(|error| format!("{name} answers {method} with no JSON: {error}"))?;
                if reply["continues"] == true {
                    limit_ns = self.now_ns() + PATIENCE_NS;
                    continue;
                }
                self.world.machines.leave(caller);
                return match reply.get("error") {
                    Some(error) => Err(format!("{name} refuses {method}: {error} {}", reply["parameters"])),
                    None => Ok(reply["parameters"].take()),
                };
            }
            if self.world.machines.is_gone(caller) || self.now_ns() >= limit_ns {
                return Err(format!("{name} does not answer {method}"));
            }
            // A reply is read without an event at any site: not more time than that is to pass meanwhile.
            let soon_ns = self.now_ns() + 1_000_000;
            self.world.step(soon_ns);
            self.read_notices()?;
        }
    }

    /// Makes an archive and opens its books.
    pub fn create_archive(&mut self, site: SiteId, archive: Value) -> Result<(), String> {
        self.ask(site, "Archive.Create", archive)?;
        let disk = self.disk(site);
        let name = self.world.machines.site(site).name.clone();
        let geometry = geometry(self.world.machines.disk(disk).current()).map_err(|why| format!("{name}: {why}"))?;
        self.ledgers.insert(site, Ledger::new(&name, geometry));
        Ok(())
    }

    /// In some histories an archive reads itself over and over in the background.
    pub fn perhaps_scrub(&mut self, site: SiteId, archive: &str) -> Result<(), String> {
        if self.chance(30) {
            let rate_bytes = self.pick(&[64 << 10, 1 << 20, 16 << 20]);
            let pause_ms = 30_000 + self.draw(300_000);
            let scrub = json!({ "name": archive, "rate_bytes": rate_bytes, "pause_ms": pause_ms });
            self.ask(site, "Archive.Scrub", scrub)?;
            self.tally.fault("reading in the background");
        }
        Ok(())
    }

    /// Lets the books know what the appliances did.
    pub fn read_notices(&mut self) -> Result<(), String> {
        let sites = self.world.machines.sites();
        for site in (0..sites).map(SiteId) {
            let Some(brain) = self.world.brain_mut(site).filter(|brain| !brain.notices.is_empty()) else {
                continue;
            };
            for notice in std::mem::take(&mut brain.notices) {
                self.read_notice(site, notice)?;
            }
        }
        Ok(())
    }

    fn read_notice(&mut self, site: SiteId, notice: Notice) -> Result<(), String> {
        match notice {
            Notice::Says { code, subject } => {
                *self.tally.codes.entry(code.clone()).or_default() += 1;
                self.said_at_ns.insert((site, code.clone()), self.now_ns());
                self.said.insert((site, code, subject));
            }
            Notice::Acknowledges(track, next) => {
                let ledger = &self.ledgers[&site];
                let tip = ledger.tips.get(&track).copied().unwrap_or(0);
                if next > tip {
                    return Err(format!(
                        "{} acknowledges {} below {next}, and {tip} is not durable there",
                        ledger.name, track.camera
                    ));
                }
            }
            Notice::Fills(track, number) => {
                *self.tally.struck.entry("blocks filled in later").or_default() += 1;
                let ledger = &self.ledgers[&site];
                let is_there = |entry: &Entry| {
                    let piece = entry.says.piece.as_ref();
                    entry.says.is_fill && piece.is_some_and(|(of, there, ..)| *of == track && *there == number)
                };
                if !ledger.kept.values().any(is_there) {
                    return Err(format!(
                        "{} acknowledges {number} of {} as filled in, and it is not durable there",
                        ledger.name, track.camera
                    ));
                }
            }
            Notice::StatesGap(track, from, to) => self.judge_gap(site, &track, from, to)?,
            Notice::Frees { archive, below } => self.judge_freed(site, archive, below)?,
            Notice::Writes(says, payload) => {
                self.judge_place(site, &says)?;
                if let Some(ledger) = self
                    .ledgers
                    .get_mut(&site)
                    .filter(|ledger| ledger.geometry.archive == says.archive)
                {
                    ledger.writes(says, payload)?;
                    self.judge_given_up(site)?;
                }
            }
            Notice::Claims {
                archive,
                below,
                recovered,
            } => {
                let disk = self.world.machines.disk_at(site, VOLUME);
                if let Some(ledger) = self
                    .ledgers
                    .get_mut(&site)
                    .filter(|ledger| ledger.geometry.archive == archive)
                    && let Some(disk) = disk
                {
                    let disk = self.world.machines.disk(disk);
                    let lost = ledger.tails_lost;
                    ledger.claims(below, recovered, disk)?;
                    if ledger.tails_lost > lost {
                        self.tally.excuse("end of the log lost where the disk broke its word");
                    }
                }
            }
        }
        Ok(())
    }

    /// A source states a gap only for what it has lost: overwritten by its ring, damaged on its disk, or missing there too.
    fn judge_gap(&mut self, site: SiteId, track: &Track, from: u64, to: u64) -> Result<(), String> {
        let disk = self.world.machines.disk(self.disk(site));
        let ledger = &self.ledgers[&site];
        // What is numbered and not written yet pushes the oldest block on already.
        let oldest = ledger.geometry.oldest(ledger.next + NUMBERED_MAX);
        for number in from..to {
            let Some(sequence) = ledger.place_of(track, number) else {
                if ledger.lost.contains(&(track.clone(), number)) {
                    continue;
                }
                return Err(format!(
                    "{} states {number} of {} as missing, and never had it",
                    ledger.name, track.camera
                ));
            };
            // What was filled in later comes later.
            let says = &ledger.kept[&sequence].says;
            let is_gap = says.piece.is_none() || says.is_fill;
            let range = ledger.geometry.range(sequence, 65536);
            let excused = is_gap || sequence < oldest || ledger.is_wounded(sequence, &disk.wounds) || disk.cannot_read(range);
            if !excused {
                return Err(format!(
                    "{} states {number} of {} as missing, and has it in log sequence {sequence}",
                    ledger.name, track.camera
                ));
            }
        }
        self.tally.excuse("gaps that a source stated for a cause");
        Ok(())
    }

    /// If every volatile byte of a site were lost now, what it has claimed would still be there.
    pub fn check_books(&mut self, site: SiteId) -> Result<(), String> {
        let disk = self.disk(site);
        let (disk, ledger) = (self.world.machines.disk(disk), &self.ledgers[&site]);
        if disk.lies() {
            return Ok(());
        }
        ledger.check(disk.durable(), &disk.wounds).map(|_| ())
    }

    /// Cuts the power of a site, at an instant when the books agree with its disk.
    pub fn power_cut(&mut self, site: SiteId) -> Result<(), String> {
        self.check_books(site)?;
        self.world.power_cut(site);
        Ok(())
    }

    /// What came of it.
    pub fn report(self) -> Report {
        Report {
            trace_hash: self.world.machines.trace_hash(),
            blocks: self.ledgers.values().map(|ledger| ledger.kept.len() as u64).sum(),
            span_ns: self.now_ns(),
            tally: self.tally,
        }
    }

    /// The durable bytes of every disk that is as large as it says.
    pub fn volumes(&self) -> Vec<Vec<u8>> {
        let disks = self.ledgers.keys().map(|site| self.world.machines.disk(self.disk(*site)));
        let whole = disks.filter(|disk| disk.wounds.iter().all(|wound| wound.cause != Cause::Counterfeit));
        whole
            .map(|disk| disk.durable().bytes(0, place(disk.model.size_bytes)))
            .collect()
    }

    /// Counts what the faults of all disks struck.
    pub fn count_struck(&mut self) {
        let sites = self.world.machines.sites();
        let disks: Vec<DiskId> = (0..sites)
            .filter_map(|site| self.world.machines.disk_at(SiteId(site), VOLUME))
            .collect();
        for disk in disks {
            for struck in &self.world.machines.disk(disk).struck {
                *self.tally.struck.entry(struck.words()).or_default() += struck.times;
            }
        }
    }
}
