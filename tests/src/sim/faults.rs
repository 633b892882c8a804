//! Faults of one site: its disk, its power, its process, its clock. Those of the network are in `network.rs`.
//!
//! Invariant: after [`Play::mend`] nothing is wrong any more but what is on the disk, and a disk that is smaller than it says.

use drivers_sim::{Beyond, DiskModel, Effect, Fault as DiskFault, IoKind, SiteId};
use hal::IoError;
use serde_json::json;

use super::play::{Play, SECOND_NS, VOLUME};
use super::{named, network};
use crate::reader::{SECTOR, renamed, superblock_copies};

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Power is cut.
    PowerCut,
    /// Power is cut, and again while the appliance starts.
    PowerCuts,
    /// The process is killed.
    Kill,
    /// The process is asked to stop.
    Stop,
    /// The process stands still.
    Pause,
    /// A second daemon is given the same volume.
    SecondDaemon,
    /// The wall clock jumps, stops or drifts.
    Clock,
    /// The disk takes its time.
    SlowDisk,
    /// Operations of the disk do not complete for a while.
    HungDisk,
    /// A few reads fail.
    ReadErrors,
    /// Some sectors cannot be read until they are written.
    BadSectors,
    /// A few writes fail.
    WriteErrors,
    /// Writes fail for good.
    WritesDead,
    /// A few flushes fail.
    FlushErrors,
    /// Flushes fail for good.
    FlushesDead,
    /// A few reads bring something else.
    Misreads,
    /// Bits change by themselves.
    Rot,
    /// A few writes are lost.
    LostWrites,
    /// A few writes go somewhere else.
    MisdirectedWrites,
    /// A few writes arrive with a bit turned.
    AlteredWrites,
    /// Flushes do nothing for a while.
    LyingFlushes,
    /// The disk says yes to every write and keeps nothing.
    SilentlyReadOnly,
    /// The disk refuses writes.
    ReadOnly,
    /// The disk is smaller than it says.
    Counterfeit,
    /// The disk is taken out and put back.
    Gone,
    /// Another disk is in its place at a start.
    Swapped,
    /// A copy of the disk, byte for byte, is on the same machine for a while.
    Cloned,
    /// There is no room for the settings.
    StateFull,
    /// At a power cut, an earlier state of the disk comes back.
    Rollback,
    /// At a power cut, an earlier state of a part of the disk comes back.
    PartRollback,
    /// A fault between sites.
    Network(network::Fault),
}

impl Fault {
    /// As it is counted.
    pub fn words(self) -> &'static str {
        match self {
            Fault::PowerCut => "power cuts",
            Fault::PowerCuts => "power cuts in a row",
            Fault::Kill => "kills",
            Fault::Stop => "stops",
            Fault::Pause => "pauses",
            Fault::SecondDaemon => "second daemons",
            Fault::Clock => "clock faults",
            Fault::SlowDisk => "slow disks",
            Fault::HungDisk => "hung disks",
            Fault::ReadErrors => "read errors",
            Fault::BadSectors => "bad sectors",
            Fault::WriteErrors => "write errors",
            Fault::WritesDead => "dead writes",
            Fault::FlushErrors => "flush errors",
            Fault::FlushesDead => "dead flushes",
            Fault::Misreads => "misreads",
            Fault::Rot => "bit rot",
            Fault::LostWrites => "lost writes",
            Fault::MisdirectedWrites => "misdirected writes",
            Fault::AlteredWrites => "altered writes",
            Fault::LyingFlushes => "lying flushes",
            Fault::SilentlyReadOnly => "silently read-only",
            Fault::ReadOnly => "read-only",
            Fault::Counterfeit => "counterfeit capacity",
            Fault::Gone => "disks gone and back",
            Fault::Swapped => "disks swapped",
            Fault::Cloned => "disks cloned",
            Fault::StateFull => "state folders full",
            Fault::Rollback => "rollbacks",
            Fault::PartRollback => "rollbacks of a part",
            Fault::Network(fault) => fault.words(),
        }
    }

    /// The site is down or must be started again for it.
    fn needs_restart(self) -> bool {
        matches!(
            self,
            Fault::PowerCut | Fault::PowerCuts | Fault::Swapped | Fault::Rollback | Fault::PartRollback
        )
    }
}

/// What can strike one operation of a few.
const ERRORS: [IoError; 4] = [IoError::Media, IoError::Short, IoError::TimedOut, IoError::Full];

impl Play {
    /// Lets a fault happen at a site; `others` are all sites.
    pub fn strike(&mut self, fault: Fault, site: SiteId, others: &[SiteId]) -> Result<(), String> {
        self.tally.fault(fault.words());
        self.world.machines.say(&format!("fault: {}", fault.words()));
        let disk = self.disk(site);
        let snapshot = self.snapshots.get(&site).cloned();
        if fault.needs_restart() {
            self.power_cut(site)?;
        }
        match fault {
            Fault::PowerCut => {}
            Fault::PowerCuts => {
                for _ in 0..1 + self.draw(4) {
                    self.boot(site)?;
                    let span_ns = self.draw(SECOND_NS / 10);
                    self.pass(span_ns)?;
                    self.power_cut(site)?;
                }
            }
            Fault::Kill => self.world.kill(site),
            Fault::Stop => {
                self.world.machines.ask_stop(site);
                self.pass(15 * SECOND_NS)?;
                self.expect_stopped(site)?;
            }
            Fault::Pause => {
                self.world.machines.pause(site);
                let span_ns = self.draw(40 * SECOND_NS);
                self.pass(span_ns)?;
                self.world.machines.resume(site);
            }
            Fault::SecondDaemon => self.second_daemon(site)?,
            Fault::Clock => self.clock_fault(site),
            Fault::SlowDisk => {
                let factor = self.pick(&[10, 100, 1000]);
                self.world.machines.disk_mut(disk).latency.factor = factor;
                let span_ns = self.draw(10 * SECOND_NS);
                self.pass(span_ns)?;
                self.world.machines.disk_mut(disk).latency.factor = 1;
            }
            Fault::HungDisk => {
                self.world.machines.hang_disk(disk);
                let span_ns = self.draw(30 * SECOND_NS);
                self.pass(span_ns)?;
                named::hung(self, site)?;
                // Whatever hangs, people get an answer.
                if self.world.machines.site(site).is_running() {
                    self.ask(site, "Appliance.Status", json!({}))?;
                }
                self.world.machines.release_disk(disk);
            }
            Fault::Rot => {
                for _ in 0..1 + self.draw(4) {
                    let (at, mask) = (self.somewhere(site), 1 << self.draw(8));
                    self.world.machines.disk_mut(disk).flip(at, mask);
                }
            }
            Fault::ReadOnly => {
                self.world.machines.disk_mut(disk).read_only = true;
                let span_ns = self.draw(5 * SECOND_NS);
                self.pass(span_ns)?;
                if self.chance(50) {
                    self.world.machines.disk_mut(disk).read_only = false;
                }
            }
            Fault::Counterfeit => {
                let size = self.world.machines.disk(disk).model.size_bytes;
                let real_bytes = size / 4 * (1 + self.draw(3)) / 65536 * 65536;
                let beyond = self.pick(&[Beyond::Wraps, Beyond::Vanishes]);
                self.world.machines.disk_mut(disk).shrink(real_bytes, beyond);
            }
            Fault::Gone => {
                self.check_books(site)?;
                let since_ns = self.now_ns();
                self.world.machines.take_disk(disk);
                let span_ns = self.draw(5 * SECOND_NS);
                self.pass(span_ns)?;
                self.world.machines.return_disk(disk);
                self.pass(SECOND_NS)?;
                named::gone(self, site, since_ns)?;
                // A volume that came back is opened by a restart only.
                self.world.kill(site);
            }
            Fault::Swapped => self.swap(site)?,
            Fault::Cloned => self.clone_disk(site)?,
            Fault::StateFull => self.fill_state_folder(site)?,
            Fault::Rollback | Fault::PartRollback => {
                if let Some(snapshot) = snapshot {
                    let size = self.world.machines.disk(disk).model.size_bytes;
                    let part = match fault {
                        Fault::Rollback => 0..size,
                        _ => {
                            let from = self.draw(size / 65536);
                            from * 65536..(from + 1 + self.draw(size / 65536)) * 65536
                        }
                    };
                    self.world.machines.disk_mut(disk).roll_back(&snapshot, part);
                }
            }
            Fault::Network(fault) => self.strike_network(fault, site, others)?,
            _ => {
                let faults = self.disk_faults(fault, site);
                let disk = self.world.machines.disk_mut(disk);
                if fault == Fault::Misreads {
                    // Two of them in a row would be more than every read is tried for.
                    disk.faults
                        .retain(|other| other.on != IoKind::Read || other.times == u64::MAX);
                }
                disk.faults.extend(faults);
            }
        }
        if !self.world.machines.site(site).is_running() {
            let span_ns = self.draw(3 * SECOND_NS);
            self.pass(span_ns)?;
            self.boot(site)?;
        }
        Ok(())
    }

    /// Faults that wait for operations.
    fn disk_faults(&mut self, fault: Fault, site: SiteId) -> Vec<DiskFault> {
        let error = Effect::Error(self.pick(&ERRORS));
        let (skip, times) = (self.draw(12), 1 + self.draw(4));
        let few = |on, effect| {
            vec![DiskFault {
                skip,
                times,
                ..DiskFault::always(on, 0..u64::MAX, effect)
            }]
        };
        let for_good = |on, effect| vec![DiskFault::always(on, 0..u64::MAX, effect)];
        match fault {
            Fault::ReadErrors => few(IoKind::Read, error),
            Fault::BadSectors => {
                let at = self.somewhere(site) / 4096 * 4096;
                let end = at + 4096 * (1 + self.draw(40));
                vec![DiskFault::always(IoKind::Read, at..end, Effect::Error(IoError::Media))]
            }
            Fault::WriteErrors => few(IoKind::Write, error),
            Fault::WritesDead => {
                let error = self.pick(&[IoError::Media, IoError::Full]);
                for_good(IoKind::Write, Effect::Error(error))
            }
            Fault::FlushErrors => few(IoKind::Flush, error),
            Fault::FlushesDead => for_good(IoKind::Flush, Effect::Error(IoError::Media)),
            Fault::Misreads => {
                let to_bytes = self.somewhere(site) / 4096 * 4096;
                let effect = self.pick(&[Effect::Nothing, Effect::Flip, Effect::Astray { to_bytes }]);
                // Every read is tried three times.
                vec![DiskFault {
                    skip,
                    times: times.min(2),
                    ..DiskFault::always(IoKind::Read, 0..u64::MAX, effect)
                }]
            }
            Fault::LostWrites => few(IoKind::Write, Effect::Nothing),
            Fault::MisdirectedWrites => {
                let to_bytes = self.somewhere(site) / 4096 * 4096;
                few(IoKind::Write, Effect::Astray { to_bytes })
            }
            Fault::AlteredWrites => few(IoKind::Write, Effect::Flip),
            Fault::LyingFlushes => vec![DiskFault {
                skip,
                times: times * 5,
                ..DiskFault::always(IoKind::Flush, 0..u64::MAX, Effect::Nothing)
            }],
            Fault::SilentlyReadOnly => {
                let mut both = for_good(IoKind::Write, Effect::Nothing);
                both.extend(for_good(IoKind::Flush, Effect::Nothing));
                both
            }
            other => unreachable!("{other:?} is no fault of single operations"),
        }
    }

    /// An offset that matters: a superblock copy, a block near the end of the log, or any other.
    fn somewhere(&mut self, site: SiteId) -> u64 {
        let disk = self.disk(site);
        let size = self.world.machines.disk(disk).model.size_bytes;
        let (geometry, next) = {
            let ledger = &self.ledgers[&site];
            (ledger.geometry, ledger.next)
        };
        match self.draw(10) {
            0 => {
                let copy = self.pick(&superblock_copies(size));
                copy + self.draw(4096)
            }
            1..=3 => {
                let near = next.saturating_sub(self.draw(6));
                geometry.range(near, 1).start + self.draw(4096)
            }
            4..=6 => {
                let near = next.saturating_sub(self.draw(6));
                geometry.range(near, 1).start + self.draw(65536)
            }
            _ => {
                let slots = geometry.slots_range();
                slots.start + self.draw(slots.end - slots.start)
            }
        }
    }

    fn expect_stopped(&mut self, site: SiteId) -> Result<(), String> {
        if !self.world.machines.site(site).is_running() {
            return Ok(());
        }
        let name = self.world.machines.site(site).name.clone();
        Err(format!("{name} does not stop in 15 seconds"))
    }

    fn clock_fault(&mut self, site: SiteId) {
        const YEAR_NS: u64 = 31_557_600 * SECOND_NS;
        let by_ns = i64::try_from(self.draw(20 * YEAR_NS)).expect("20 years fit") - 10 * 31_557_600_000_000_000;
        let drift_ppm = self.pick(&[0, 0, -1_000_000, 500, 50_000, -50_000]);
        let quality = self.pick(&[
            hal::ClockQuality::Unset,
            hal::ClockQuality::Free,
            hal::ClockQuality::Synchronized,
        ]);
        let here = self.world.machines.site_mut(site);
        here.clock_error_ns = by_ns;
        here.clock_drift_ppm = drift_ppm;
        here.clock_quality = quality;
    }

    /// Another appliance on the same machine is given the volume: it must not get it.
    fn second_daemon(&mut self, site: SiteId) -> Result<(), String> {
        if !self.world.machines.site(site).is_running() {
            return Ok(());
        }
        let status = self.ask(site, "Appliance.Status", json!({}))?;
        let state = status["archives"][0]["state"].as_str().unwrap_or_default().to_string();
        if !matches!(state.as_str(), "ready" | "degraded" | "full" | "read-only") {
            return Ok(());
        }
        let disk = self.disk(site);
        let other = match self.intruder {
            Some(other) => other,
            None => {
                let other = self.world.machines.add_site("intruder", 2 << 20);
                self.intruder = Some(other);
                other
            }
        };
        self.world.machines.plug(other, VOLUME, disk);
        self.boot(other)?;
        let archive = json!({ "name": "mine", "volume": VOLUME, "block_bytes": 65536, "destroy": "SIM" });
        let made = self.ask(other, "Archive.Create", archive);
        self.world.kill(other);
        self.world.machines.unplug(other, VOLUME);
        match made {
            Ok(_) => Err("a second daemon was given a volume that the first one holds".into()),
            Err(_) => Ok(()),
        }
    }

    /// Another disk, blank or with another archive, is in the place of a site's own at a start: it must be refused and left alone.
    fn swap(&mut self, site: SiteId) -> Result<(), String> {
        let own = self.disk(site);
        let model = DiskModel {
            serial: "OTHER".into(),
            ..self.world.machines.disk(own).model.clone()
        };
        let other = self.world.machines.add_disk(site, "/dev/other", model);
        if self.chance(50) {
            // A clone of what it was before, under another identity.
            let snapshot = self.world.machines.disk(own).snapshot();
            let disk = self.world.machines.disk_mut(other);
            disk.restore(&snapshot);
            for at in superblock_copies(disk.model.size_bytes) {
                let copy = renamed(&disk.current().bytes(at, SECTOR), [0x5a; 16]);
                disk.overwrite(at, &copy);
            }
        }
        let before = self.world.machines.disk(other).snapshot();
        self.world.machines.plug(site, VOLUME, other);
        self.boot(site)?;
        self.pass(3 * SECOND_NS)?;
        let status = self.ask(site, "Appliance.Status", json!({}))?;
        let state = &status["archives"][0]["state"];
        if state != "foreign" && state != "offline" {
            return Err(format!("another disk was taken for its own: {}", status["archives"][0]));
        }
        self.world.power_cut(site);
        if self.world.machines.disk(other).snapshot() != before {
            return Err("another disk was written to".into());
        }
        self.world.machines.plug(site, VOLUME, own);
        Ok(())
    }

    /// A copy of the disk, byte for byte, is attached beside it, before a start or while the appliance runs: it is left alone.
    fn clone_disk(&mut self, site: SiteId) -> Result<(), String> {
        const CLONE: &str = "/dev/clone";
        let own = self.disk(site);
        let clone = self.world.machines.clone_disk(own, site, CLONE);
        let before = self.world.machines.disk(clone).snapshot();
        if self.chance(50) {
            self.world.kill(site);
            self.pass(SECOND_NS)?;
            self.boot(site)?;
        }
        let span_ns = self.draw(5 * SECOND_NS);
        self.pass(span_ns)?;
        if self.world.machines.site(site).is_running() {
            let archive = json!({ "name": "another", "volume": CLONE, "block_bytes": 65536 });
            if self.ask(site, "Archive.Create", archive).is_ok() {
                return Err("a copy of an archive was overwritten, and nobody had typed its name".into());
            }
        }
        if self.world.machines.disk(clone).snapshot() != before {
            return Err("a copy of a disk was written to".into());
        }
        self.world.machines.unplug(site, CLONE);
        Ok(())
    }

    /// The settings cannot be kept: a change is refused, and nothing of it is in effect.
    fn fill_state_folder(&mut self, site: SiteId) -> Result<(), String> {
        if !self.world.machines.site(site).is_running() {
            return Ok(());
        }
        self.world.machines.site_mut(site).state.failing_saves = 1;
        let name = self.world.machines.site(site).name.clone();
        let recorder =
            json!({ "name": "late", "archive": name, "camera": "late", "listen": "/run/late", "flush_after_ms": 1000 });
        let made = self.ask(site, "Recorder.Create", recorder);
        self.world.machines.site_mut(site).state.failing_saves = 0;
        let listed = self.ask(site, "Recorder.List", json!({}))?;
        let is_there = listed["recorders"]
            .as_array()
            .into_iter()
            .flatten()
            .any(|recorder| recorder["name"] == "late");
        match made {
            Ok(_) => Err("a change of the settings was granted, and the settings could not be kept".into()),
            Err(_) if is_there => Err("a change of the settings was refused, and is in effect".into()),
            Err(_) => Ok(()),
        }
    }

    /// The last fault of a site is over; its appliance is started anew, because some of what it found ends with a restart only.
    pub fn mend(&mut self, site: SiteId) -> Result<(), String> {
        named::reads(self, site)?;
        let disk = self.disk(site);
        if let Some(ledger) = self.ledgers.get_mut(&site) {
            ledger.note_unread(self.world.machines.disk(disk));
        }
        let here = self.world.machines.disk_mut(disk);
        here.faults.clear();
        here.read_only = false;
        here.latency.factor = 1;
        if self.chance(50) {
            self.power_cut(site)?;
        } else {
            self.world.kill(site);
        }
        self.pass(SECOND_NS)?;
        self.boot(site)
    }
}
