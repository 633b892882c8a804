//! One disk, card or file: its bytes as they read now, its bytes as they are durable, and what lies between.
//!
//! Not the operations of an appliance on it; those are in `volume.rs`. Invariant: what reads now is what is durable plus
//! the journal of completed writes, except where a failed or lying flush has broken that, as real ones do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use hal::{Access, DeviceFacts, FlushClass, IoError, Tag, VolumeFacts, VolumeId};

use crate::memory::Lent;
use crate::mood::{Mood, TEAR_BYTES};
use crate::wound::{Cause, Wounds};
use crate::{DiskLatency, DiskModel, Effect, FailedReads, Fault, Image, IoKind, Logged, Random, SiteId, Struck};

/// What discarded bytes hold on a disk that does not clear them.
const GARBAGE_BYTE: u8 = 0xd5;

/// Which disk of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DiskId(pub usize);

/// The bytes of a disk at one time, to be restored later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(Image);

impl Snapshot {
    /// These bytes.
    pub(crate) fn of(image: &Image) -> Self {
        Self(image.clone())
    }
}

/// A completed write that no flush has covered.
#[derive(Clone, Debug)]
struct Written {
    number: u64,
    at_bytes: u64,
    bytes: Arc<[u8]>,
    /// Why it is not where it should be, or not what it should be.
    wrong: Option<Cause>,
    /// Nothing of it reached its place. It stands here because only what is written after it heals that place.
    lost: bool,
    /// A flush that covers it was said to be done.
    promised: bool,
}

/// How a disk that is smaller than it says treats what lies behind its real end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// Offsets begin again at 0.
    Wraps,
    /// Writes are forgotten, reads bring zeros.
    Vanishes,
}

/// An operation that has not completed.
#[derive(Clone, Debug)]
pub(crate) struct Flying {
    pub site: SiteId,
    pub run: u64,
    pub volume: VolumeId,
    pub tag: Tag,
    pub kind: IoKind,
    pub at_bytes: u64,
    pub length_bytes: u64,
    /// Virtual time at which it was submitted.
    pub since_ns: u64,
    /// Memory of a read or write; none once its process is dead.
    pub lent: Option<Lent>,
    /// Content of a write whose process is dead.
    pub left_behind: Option<Arc<[u8]>>,
    /// Number of completed writes when a flush was submitted.
    pub covers: u64,
    /// The insertion of the disk it was meant for.
    pub insertion: u32,
}

/// Who has a disk open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pub site: SiteId,
    pub run: u64,
    pub volume: VolumeId,
    pub access: Access,
}

/// A disk, with its switches.
#[derive(Clone, Debug)]
pub struct Disk {
    /// What it is. Changing the size shrinks or grows it.
    pub model: DiskModel,
    /// How long things take.
    pub latency: DiskLatency,
    /// Faults that wait for operations.
    pub faults: Vec<Fault>,
    /// Writes are refused.
    pub read_only: bool,
    /// Somebody outside holds it, by this name; empty if nobody does.
    pub held_by: String,
    /// Its real size and what happens behind it, if it is smaller than it says.
    pub counterfeit: Option<(u64, Beyond)>,
    /// Where it does not hold what it said, and why.
    pub wounds: Wounds,
    /// What its faults struck.
    pub struck: Vec<Struck>,
    /// By place and length in bytes: reads that fail there, one after another.
    pub failed_reads: BTreeMap<(u64, u64), FailedReads>,
    pub(crate) name: String,
    pub(crate) present: bool,
    pub(crate) insertion: u32,
    pub(crate) hung: bool,
    pub(crate) flying: BTreeMap<u64, Flying>,
    pub(crate) waiting: Vec<u64>,
    pub(crate) holders: Vec<Holder>,
    pub(crate) log: Option<Vec<Logged>>,
    current: Image,
    durable: Image,
    /// What failed flushes have lost and still reads back.
    phantoms: Vec<Range<u64>>,
    journal: Vec<Written>,
    completed: u64,
}

impl Disk {
    pub(crate) fn new(name: String, model: DiskModel) -> Self {
        Self {
            model,
            latency: DiskLatency::default(),
            faults: Vec::new(),
            read_only: false,
            held_by: String::new(),
            counterfeit: None,
            wounds: Wounds::default(),
            struck: Vec::new(),
            failed_reads: BTreeMap::new(),
            name,
            present: true,
            insertion: 0,
            hung: false,
            flying: BTreeMap::new(),
            waiting: Vec::new(),
            holders: Vec::new(),
            log: None,
            current: Image::default(),
            durable: Image::default(),
            phantoms: Vec::new(),
            journal: Vec::new(),
            completed: 0,
        }
    }

    /// The bytes as a read would bring them now.
    pub fn current(&self) -> &Image {
        &self.current
    }

    /// The bytes that would survive a power cut in any case.
    pub fn durable(&self) -> &Image {
        &self.durable
    }

    /// Since when the disk has owed the oldest read or write to a process that lives.
    pub fn owes_since_ns(&self) -> Option<u64> {
        let transfers = self.flying.values().filter(|flying| flying.lent.is_some());
        transfers.map(|flying| flying.since_ns).min()
    }

    /// Reads of a part of a range fail, now and later.
    pub fn cannot_read(&self, range_bytes: Range<u64>) -> bool {
        let bad = |fault: &Fault| {
            fault.on == IoKind::Read
                && matches!(fault.effect, Effect::Error(_))
                && fault.range_bytes.start < range_bytes.end
                && range_bytes.start < fault.range_bytes.end
        };
        self.faults.iter().any(bad)
    }

    /// A flush said that something is durable, and it is not yet.
    pub fn lies(&self) -> bool {
        self.journal.iter().any(|written| written.promised)
    }

    /// Completed writes that no flush has covered.
    pub fn unflushed(&self) -> usize {
        self.journal.len()
    }

    /// Puts bytes on the disk behind everybody's back, durably: foreign content, decay.
    pub fn overwrite(&mut self, at_bytes: u64, bytes: &[u8]) {
        self.wounds.add(range(at_bytes, bytes.len()), Cause::Rot);
        self.current.write(at_bytes, bytes);
        self.durable.write(at_bytes, bytes);
    }

    /// The disk is smaller than it says from now on: what was behind its real end is gone.
    pub fn shrink(&mut self, real_bytes: u64, beyond: Beyond) {
        self.counterfeit = Some((real_bytes, beyond));
        self.wounds.add(real_bytes..u64::MAX, Cause::Counterfeit);
    }

    /// Turns the bits of `mask` in one byte of the medium. A write to it that no flush has covered still reads back.
    pub fn flip(&mut self, at_bytes: u64, mask: u8) {
        self.wounds.add(at_bytes..at_bytes + 1, Cause::Rot);
        let turned = self.durable.bytes(at_bytes, 1)[0] ^ mask;
        self.durable.write(at_bytes, &[turned]);
        let covers = |written: &Written| !written.lost && range(written.at_bytes, written.bytes.len()).contains(&at_bytes);
        if !self.journal.iter().any(covers) {
            self.current.write(at_bytes, &[turned]);
        }
    }

    /// What reads now.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.current.clone())
    }

    /// Goes back to an earlier time, durably.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.roll_back(snapshot, 0..u64::MAX);
    }

    /// Lets a range go back to an earlier time, durably, and forgets what no flush has covered.
    pub fn roll_back(&mut self, snapshot: &Snapshot, range_bytes: Range<u64>) {
        for chunk in self.current.differing(&snapshot.0) {
            let chunk = chunk.start.max(range_bytes.start)..chunk.end.min(range_bytes.end);
            if chunk.start < chunk.end {
                self.current.copy(&snapshot.0, chunk.clone());
                self.wounds.add(chunk, Cause::Rollback);
            }
        }
        self.durable = self.current.clone();
        self.journal.clear();
    }

    /// Lets a completed write take effect.
    pub(crate) fn write(&mut self, at_bytes: u64, bytes: Arc<[u8]>) {
        self.put(at_bytes, bytes, None, false);
    }

    /// Lets a completed write take effect that is not what it should be, or not where.
    pub(crate) fn write_wrongly(&mut self, at_bytes: u64, bytes: Arc<[u8]>, cause: Cause) {
        self.wounds.add(range(at_bytes, bytes.len()), cause);
        self.put(at_bytes, bytes, Some(cause), false);
    }

    /// Lets a write complete of which nothing reaches its place.
    pub(crate) fn lose_write(&mut self, at_bytes: u64, bytes: Arc<[u8]>, cause: Cause) {
        self.wounds.add(range(at_bytes, bytes.len()), cause);
        self.put(at_bytes, bytes, Some(cause), true);
    }

    fn put(&mut self, at_bytes: u64, bytes: Arc<[u8]>, wrong: Option<Cause>, lost: bool) {
        if !lost {
            self.current.write(at_bytes, &bytes);
        }
        self.completed += 1;
        let written = Written {
            number: self.completed,
            at_bytes,
            bytes,
            wrong,
            lost,
            promised: false,
        };
        if self.model.flush == FlushClass::WriteThrough {
            self.make_durable(&written);
        } else {
            self.journal.push(written);
        }
    }

    fn make_durable(&mut self, written: &Written) {
        let covered = range(written.at_bytes, written.bytes.len());
        if !written.lost {
            self.durable.write(written.at_bytes, &written.bytes);
            self.phantoms
                .retain(|lost| lost.start < covered.start || covered.end < lost.end);
        }
        match written.wrong {
            None => self.heal(&covered),
            Some(cause) => self.wounds.add(covered, cause),
        }
    }

    /// An honest write is durable. Behind the real end of a counterfeit disk nothing is.
    fn heal(&mut self, covered: &Range<u64>) {
        let end = self.counterfeit.map_or(u64::MAX, |(real_bytes, _)| real_bytes);
        if covered.start < end {
            self.wounds.heal(&(covered.start..covered.end.min(end)));
        }
    }

    /// Who was told of failed flushes is dead or has closed, and has not written again what they lost.
    pub(crate) fn forget_failed_flushes(&mut self) {
        for lost in std::mem::take(&mut self.phantoms) {
            self.wounds.add(lost, Cause::FailedFlush);
        }
    }

    /// A flush says that it was done, and was not.
    pub(crate) fn lie(&mut self, covers: u64) {
        for written in self.journal.iter_mut().take_while(|written| written.number <= covers) {
            written.promised = !written.lost;
        }
    }

    /// Lets some seeded sectors of a write take effect.
    pub(crate) fn write_torn(&mut self, at_bytes: u64, bytes: &[u8], random: &mut Random) {
        for (sector, bytes) in (0u64..).zip(bytes.chunks(TEAR_BYTES)) {
            if random.chance(50) {
                self.write(at_bytes + sector * 512, bytes.into());
            }
        }
    }

    pub(crate) fn clear(&mut self, at_bytes: u64, length_bytes: u64) {
        let length = usize::try_from(length_bytes).expect("usize has 64 bits");
        // Flash translations give zeros, ones, or what somebody else has written.
        let byte = if self.model.discards_to_garbage { GARBAGE_BYTE } else { 0 };
        self.write(at_bytes, vec![byte; length].into());
    }

    /// Completed writes so far: what a flush submitted now covers.
    pub(crate) fn completed(&self) -> u64 {
        self.completed
    }

    /// Makes durable what had completed when the flush was submitted.
    pub(crate) fn flush(&mut self, covers: u64) {
        let rest = self
            .journal
            .split_off(self.journal.partition_point(|write| write.number <= covers));
        for write in std::mem::replace(&mut self.journal, rest) {
            self.make_durable(&write);
        }
    }

    /// A flush that failed: each write it covers is durable now, or is forgotten and only seems to be there.
    pub(crate) fn fail_flush(&mut self, covers: u64, random: &mut Random) {
        let rest = self
            .journal
            .split_off(self.journal.partition_point(|write| write.number <= covers));
        for write in std::mem::replace(&mut self.journal, rest) {
            if write.lost || random.chance(50) {
                self.make_durable(&write);
                continue;
            }
            let lost = range(write.at_bytes, write.bytes.len());
            if write.promised {
                self.wounds.add(lost.clone(), Cause::LyingFlush);
            }
            self.phantoms.push(lost);
        }
    }

    /// Power is gone: of the journal, and of `in_flight`, any part survives.
    pub(crate) fn lose_power(&mut self, in_flight: Vec<(u64, Arc<[u8]>)>, random: &mut Random) {
        let mood = Mood::draw(random);
        let in_flight = in_flight.into_iter().map(|(at_bytes, bytes)| Written {
            number: 0,
            at_bytes,
            bytes,
            wrong: None,
            lost: false,
            promised: false,
        });
        for write in std::mem::take(&mut self.journal).into_iter().chain(in_flight) {
            if write.lost {
                self.make_durable(&write);
                continue;
            }
            if write.promised {
                self.wounds.add(range(write.at_bytes, write.bytes.len()), Cause::LyingFlush);
            }
            for (from, to) in mood.survivors(write.bytes.len(), random) {
                let at_bytes = write.at_bytes + u64::try_from(from).expect("lengths fit in 64 bits");
                self.durable.write(at_bytes, &write.bytes[from..to]);
                match write.wrong {
                    None => self.heal(&range(at_bytes, to - from)),
                    Some(cause) => self.wounds.add(range(at_bytes, to - from), cause),
                }
            }
        }
        self.phantoms.clear();
        self.current = self.durable.clone();
        if let Some(log) = &mut self.log {
            let image = self.durable.clone();
            log.push(Logged::PowerLost { image });
        }
    }

    pub(crate) fn volume_facts(&self, same_as: u64) -> VolumeFacts {
        VolumeFacts {
            form: self.model.form,
            size_bytes: self.model.size_bytes,
            logical_sector_bytes: self.model.logical_sector_bytes,
            physical_sector_bytes: 4096,
            alignment_bytes: self.model.alignment_bytes,
            flush: self.model.flush,
            fua: false,
            discard_bytes: self.model.discard_bytes,
            removable: self.model.removable,
            erase_bytes: self.model.erase_bytes,
            starts_at_bytes: 0,
            serial: self.model.serial.clone(),
            same_as,
        }
    }

    pub(crate) fn device_facts(&self, path: &str) -> DeviceFacts {
        DeviceFacts {
            path: path.into(),
            form: self.model.form,
            model: "simulated".into(),
            serial: self.model.serial.clone(),
            size_bytes: self.model.size_bytes,
            logical_sector_bytes: self.model.logical_sector_bytes,
            physical_sector_bytes: 4096,
            flush: self.model.flush,
            fua: false,
            discard_bytes: self.model.discard_bytes,
            removable: self.model.removable,
            read_only: self.read_only,
            held_by: self.held_by.clone(),
            health: String::new(),
        }
    }

    /// Whether an open is refused, and why.
    pub(crate) fn refusal(&self, access: Access) -> Option<IoError> {
        let held = match access {
            Access::Exclusive | Access::ExclusiveToRead => !self.holders.is_empty() || !self.flying.is_empty(),
            Access::ReadOnly => self.holders.iter().any(|holder| holder.access == Access::Exclusive),
        };
        match access {
            _ if !self.present => Some(IoError::NotFound),
            _ if held || (access != Access::ReadOnly && !self.held_by.is_empty()) => Some(IoError::Busy),
            Access::Exclusive if self.read_only => Some(IoError::ReadOnly),
            Access::Exclusive | Access::ExclusiveToRead | Access::ReadOnly => None,
        }
    }
}

fn range(at_bytes: u64, length: usize) -> Range<u64> {
    at_bytes..at_bytes + u64::try_from(length).expect("lengths fit in 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> Disk {
        Disk::new("d".into(), DiskModel::disk(1 << 20, "S1"))
    }

    fn block(value: u8) -> Arc<[u8]> {
        vec![value; 4096].into()
    }

    #[test]
    fn flushed_writes_survive_and_others_may_not() {
        let (mut kept, mut lost, mut torn) = (0, 0, 0);
        for seed in 0..400 {
            let mut disk = disk();
            disk.write(0, block(1));
            disk.flush(disk.completed());
            disk.write(4096, block(2));
            disk.lose_power(vec![(8192, block(3))], &mut Random::new(seed));
            assert_eq!(disk.current().bytes(0, 4096), vec![1; 4096]);
            for (at, value) in [(4096, 2), (8192, 3)] {
                let bytes = disk.current().bytes(at, 4096);
                match bytes.iter().filter(|byte| **byte == value).count() {
                    4096 => kept += 1,
                    0 => lost += 1,
                    some => {
                        assert!(some.is_multiple_of(TEAR_BYTES), "torn inside a sector");
                        torn += 1;
                    }
                }
            }
            assert_eq!(disk.unflushed(), 0);
        }
        assert!(kept > 100 && lost > 100 && torn > 100, "{kept} {lost} {torn}");
    }

    #[test]
    fn a_flush_covers_what_had_completed_when_it_was_submitted() {
        let mut disk = disk();
        disk.write(0, block(1));
        let covers = disk.completed();
        disk.write(4096, block(2));
        disk.flush(covers);
        assert_eq!(disk.durable().bytes(0, 1), [1]);
        assert_eq!(disk.durable().bytes(4096, 1), [0]);
        assert_eq!(disk.unflushed(), 1);
    }

    #[test]
    fn a_failed_flush_cannot_be_retried() {
        let lost = (0..100).filter(|seed| {
            let mut disk = disk();
            disk.write(0, block(1));
            disk.fail_flush(disk.completed(), &mut Random::new(*seed));
            disk.flush(disk.completed());
            assert_eq!(disk.current().bytes(0, 1), [1], "it still reads back");
            disk.durable().bytes(0, 1) == [0]
        });
        assert!((20..80).contains(&lost.count()));
    }

    #[test]
    fn what_is_behind_the_real_end_stays_lost_whatever_was_on_its_way() {
        let mut disk = disk();
        disk.write(8192, block(1));
        disk.shrink(12288 - 512, Beyond::Vanishes);
        disk.flush(disk.completed());
        assert_eq!(disk.wounds.touching(8192..11776).count(), 0);
        assert_eq!(disk.wounds.touching(11776..12288).count(), 1);
    }

    #[test]
    fn an_older_write_does_not_heal_what_a_lost_one_left() {
        let mut disk = disk();
        disk.write(0, block(1));
        disk.lose_write(0, block(2), Cause::LostWrite);
        disk.flush(disk.completed());
        assert_eq!(disk.durable().bytes(0, 1), [1]);
        assert_eq!(disk.wounds.touching(0..4096).count(), 1);
        disk.write(0, block(3));
        disk.flush(disk.completed());
        assert!(disk.wounds.is_empty());
    }

    #[test]
    fn a_snapshot_brings_the_past_back() {
        let mut disk = disk();
        disk.write(0, block(1));
        let past = disk.snapshot();
        disk.write(0, block(2));
        disk.restore(&past);
        disk.flip(1, 0x80);
        assert_eq!(disk.durable().bytes(0, 2), [1, 0x81]);
    }
}
