//! An archive on a volume: opening, appending, reading.
//!
//! `opening` finds the end of the log, `log` appends and makes durable, `walk` reads in log order, `seek` finds where to start
//! reading, `verify` and `export` are walks for people. Formats are in `format/`; who appends and reads what is decided in
//! `recorder/` and `haul/`.
//!
//! Invariants (`reliability.md`, 3.1): I1 nothing is reported durable before a flush that was submitted after its write had
//! completed; I2 slot = log sequence modulo slot count; I4 the durable sequence in a header was durable when it was built; P-2 a
//! slot is written only after its old content was looked at in this opening.

pub mod boundary;
pub mod catalog;
pub mod contents;
pub mod creation;
mod freeing;
mod geometry;
mod interlock;
mod leaving;
mod log;
pub mod marks;
mod opening;
mod presence;
pub mod seek;
mod shown;
mod supers;
mod suspects;
pub mod tagged;
pub mod taking;
mod verified;
pub mod walk;

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use hal::{Access, Instant, IoError, Moment, Op, Span, Uuid, VolumeFacts, VolumeId};

pub use catalog::{Catalog, TrackId};
pub use log::{Accepted, Log, NotAccepted, Owner, Settled, SettledWhat};
pub use opening::Opening;
pub use shown::state_word;

use crate::Name;
use crate::context::{Context, Ready};
use crate::control::types::{Mode, VolumeState};
use crate::format::checkpoint::Entry;
use crate::format::header::{Epoch, Header, header_hash};
use crate::format::{FormatError, SECTOR_BYTES, Superblock, TrackKey, header};
use crate::journal::Code;
use crate::limits::{self, QUARANTINE_MAX};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};
use freeing::Freeing;
use supers::SuperWriter;

/// What an op of an archive is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// Opening the volume.
    Open,
    /// The flush before the first read: nothing is decided on data that may not be durable.
    Settle,
    /// Reading a superblock copy.
    SuperRead(usize),
    /// Writing a superblock copy.
    SuperWrite,
    /// The flush behind a pair of copies.
    SuperFlush,
    /// Recovery: a header, by its place in the batch.
    Scan(u32),
    /// Recovery: a whole block.
    ScanBlock,
    /// The old header of a slot that will get this log sequence.
    Interlock(u64),
    /// Writing a block.
    Write(u64),
    /// The flush behind a group.
    Flush,
    /// Reading back the header of a block that a card was given.
    ReadBack(u64),
    /// Discarding a freed segment.
    Discard,
    /// Whether the device still gives this superblock copy.
    Presence(usize),
    /// Reading a checkpoint again that a reader could not use.
    Suspect(u64),
    /// Letting go of the volume.
    Close,
}

/// What an archive can do now.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Finding the end of the log.
    Opening(Opening),
    /// Takes and gives blocks.
    Ready,
    /// Gives blocks.
    ReadOnly {
        /// A sentence.
        why: String,
    },
    /// Neither.
    Offline {
        /// State to show: offline or foreign.
        state: VolumeState,
        /// A sentence.
        why: String,
        /// What to do.
        action: String,
    },
}

/// One archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Archive {
    /// Place in the appliance's table.
    pub index: usize,
    /// Name here.
    pub name: Name,
    /// Identity that is expected on the volume.
    pub uuid: Uuid,
    /// Path of the volume.
    pub path: String,
    /// How the volume is opened.
    access: Access,
    /// What it can do now.
    pub phase: Phase,
    /// As found when it was opened.
    pub facts: Option<VolumeFacts>,
    /// Tracks, gaps, newest index entries.
    pub catalog: Catalog,
    /// The end of the log.
    pub log: Log,
    /// Newest generation that is on the volume.
    pub superblock: Superblock,
    /// Log sequences whose blocks cannot be read or fail their check.
    pub quarantine: BTreeSet<u64>,
    /// How many there are, remembered or not.
    pub quarantined: u64,
    /// Blocks that recovery threw away at the end.
    pub tail_discarded: u64,
    /// It was not closed in order, and its newest blocks from here on were not read since.
    pub look_over: Option<u64>,
    /// What has become durable or failed, for the appliance to pass on.
    pub settled: VecDeque<Settled>,
    volume: VolumeId,
    pub(crate) freeing: Freeing,
    sectors: Span,
    super_writer: Option<SuperWriter>,
    marked_at: Instant,
    /// Nothing is appended any more.
    closing: bool,
    suspect: Option<suspects::Suspect>,
    /// When it was last seen to be full.
    full_at: Option<Instant>,
    stale_copies: bool,
    single_copy: bool,
    /// Failed reads that opening may still repeat.
    retries_left: u32,
    /// Own tracks that may have lost their last blocks, and how many; stated as gaps when the archive is open.
    lost_ends: Vec<(TrackKey, u64)>,
    /// Since when its device has owed an answer, once that is too long.
    silent_since: Option<Instant>,
    /// It is not configured any more.
    pub removed: bool,
    /// State when it was last asked for changes.
    shown: Option<VolumeState>,
}

impl Archive {
    /// Header, place and checksum of a block that lies in `block`; the digest too if `proof`.
    pub fn check_block(&self, log_sequence: u64, block: &[u8], proof: bool) -> Result<Header, FormatError> {
        let header = self.check_header(log_sequence, block)?;
        let length = header.placement.payload_bytes as usize;
        let payload = &block[SECTOR_BYTES as usize..][..length];
        if crate::format::crc32c(payload) != header.placement.payload_crc {
            return Err(FormatError::Checksum);
        }
        if proof && blake3::hash(payload) != header.payload_digest.0 {
            return Err(FormatError::Checksum);
        }
        Ok(header)
    }

    /// Header and place of a block. A header of another archive, place or epoch is not ours (`reliability.md`, 3.3, read rule).
    pub fn check_header(&self, log_sequence: u64, sector: &[u8]) -> Result<Header, FormatError> {
        let header = header::decode(sector)?;
        let placement = &header.placement;
        let here = placement.archive == self.uuid
            && placement.log_sequence == log_sequence
            && placement.slot == log_sequence % self.superblock.slots
            && placement.epoch_start <= log_sequence;
        if !here {
            return Err(FormatError::NotOurs);
        }
        if placement.payload_bytes > limits::payload_capacity_bytes(self.superblock.block_bytes) {
            return Err(FormatError::Field);
        }
        match self.epoch_of(log_sequence) {
            Some(epoch) if epoch != placement.epoch && !has(Bug::NoEpochRule) => Err(FormatError::NotOurs),
            Some(_) | None => Ok(header),
        }
    }

    /// The opening in which a log sequence was written, as far as the superblock remembers.
    fn epoch_of(&self, log_sequence: u64) -> Option<Epoch> {
        self.superblock
            .history
            .iter()
            .rev()
            .find(|(_, start)| *start <= log_sequence)
            .map(|(epoch, _)| *epoch)
    }

    /// Byte offset of the slot of a log sequence.
    pub fn slot_offset_bytes(&self, log_sequence: u64) -> u64 {
        let superblock = &self.superblock;
        superblock.slots_at_bytes + log_sequence % superblock.slots * u64::from(superblock.block_bytes)
    }

    /// Oldest log sequence that may be read. In a ring, whole segments are given up ahead of the writes that reach them.
    pub fn oldest(&self) -> u64 {
        oldest_of(&self.superblock, self.log.next).max(self.freeing.below())
    }

    /// Bytes of payload that fit a block.
    pub fn payload_capacity_bytes(&self) -> u32 {
        limits::payload_capacity_bytes(self.superblock.block_bytes)
    }

    /// Whether the volume is a card, or behaves like one.
    pub fn is_on_card(&self) -> bool {
        self.facts.as_ref().is_some_and(VolumeFacts::is_card)
    }

    /// The open volume.
    pub fn volume(&self) -> VolumeId {
        self.volume
    }

    /// Whether blocks can be read.
    pub fn gives(&self) -> bool {
        matches!(self.phase, Phase::Ready | Phase::ReadOnly { .. })
    }

    /// Whether it is being opened, and its device answers.
    pub fn is_opening(&self) -> bool {
        matches!(self.phase, Phase::Opening(_)) && self.silent_since.is_none()
    }

    /// Whether it is configured to be read, and never written.
    pub fn is_only_read(&self) -> bool {
        self.access == Access::ExclusiveToRead
    }

    /// Whether blocks can be appended, room aside.
    pub fn takes(&self) -> bool {
        matches!(self.phase, Phase::Ready)
    }

    /// Notes a block that cannot be read or fails its check. One event each.
    pub fn quarantine(&mut self, log_sequence: u64, error: BlockError, context: &mut Context) {
        if self.quarantine.contains(&log_sequence) {
            return;
        }
        self.quarantined += 1;
        if self.quarantine.len() >= QUARANTINE_MAX {
            return;
        }
        self.quarantine.insert(log_sequence);
        let (code, why) = match error {
            BlockError::Io(error) => (Code::BlockUnreadable, error.to_string()),
            BlockError::Format(error) => (Code::BlockCorrupt, error.to_string()),
        };
        let slot = log_sequence % self.superblock.slots;
        context.say(
            code,
            &self.name.clone(),
            format!(
                "Block {log_sequence} (slot {slot}) of archive {} is damaged: {why}. It is never passed on.",
                self.name
            ),
        );
    }

    /// The device is no longer there: nothing it fails to give is damage.
    pub fn device_gone(&mut self, context: &mut Context) {
        if self.gives() {
            let action = "Put the device back, then restart the daemon; nothing that was acknowledged is lost.";
            let why = format!("the device of {} is gone or gives nothing", self.path);
            self.become_offline(VolumeState::Offline, Code::ArchiveOffline, why, action, context);
        }
    }

    /// Since when the device has owed an answer for too long; none if it answers.
    pub fn note_silence(&mut self, since: Option<Instant>, context: &mut Context) {
        let before = core::mem::replace(&mut self.silent_since, since);
        let (code, sentence) = match (before, since) {
            (None, Some(since)) => {
                let seconds = context.now.at.since(since).as_secs();
                let sentence = format!(
                    "The device of archive {} ({}) has not answered for {seconds} s.",
                    self.name, self.path
                );
                (Code::DeviceSilent, sentence)
            }
            (Some(before), None) => {
                let seconds = context.now.at.since(before).as_secs();
                let sentence = format!("The device of archive {} answers again after {seconds} s.", self.name);
                (Code::DeviceAnswers, sentence)
            }
            (None, None) | (Some(_), Some(_)) => return,
        };
        context.say(code, &self.name.clone(), sentence);
        context.wake(Ready::Archive(self.index));
    }

    /// From now on blocks are given and none taken.
    fn become_read_only(&mut self, code: Code, why: String, context: &mut Context) {
        context.say(code, &self.name.clone(), format!("Archive {} is read-only: {why}", self.name));
        self.phase = Phase::ReadOnly { why };
        self.fail_all(context);
        context.wake(Ready::Archive(self.index));
    }

    /// Lets go of the volume, after what is in flight on it.
    fn become_offline(&mut self, state: VolumeState, code: Code, why: String, action: &str, context: &mut Context) {
        context.say(
            code,
            &self.name.clone(),
            format!("Archive {} is {}: {why}", self.name, state_word(state)),
        );
        self.phase = Phase::Offline {
            state,
            why,
            action: action.to_string(),
        };
        self.fail_all(context);
        // A volume that could not be opened is not the machine's to close.
        if self.facts.is_some() {
            self.close(context);
        }
        context.wake(Ready::Archive(self.index));
    }

    /// An op of this archive has finished.
    pub fn on_done(&mut self, task: Task, result: Result<(), IoError>, context: &mut Context) {
        match task {
            Task::Open => unreachable!("answered by Opened"),
            Task::Settle | Task::SuperRead(_) | Task::Scan(_) | Task::ScanBlock => self.on_opening(task, result, context),
            Task::SuperWrite | Task::SuperFlush => {
                let Some(mut writer) = self.super_writer.take() else { return };
                if !self.takes() && !matches!(self.phase, Phase::Opening(_)) {
                    return;
                }
                let written = if task == Task::SuperWrite {
                    writer.on_write(self.index, self.volume, result, context)
                } else {
                    writer.on_flush(self.index, self.volume, self.sectors, result, context)
                };
                match written {
                    None => self.super_writer = Some(writer),
                    Some(Ok(superblock)) => {
                        self.superblock = superblock;
                        self.on_superblock(context);
                    }
                    Some(Err(error)) => {
                        let why = format!("its superblock cannot be written ({error})");
                        self.become_read_only(Code::ArchiveReadOnly, why, context);
                        self.ask_device(0, context);
                    }
                }
            }
            Task::Interlock(sequence) => self.on_interlock(sequence, result, context),
            Task::Write(sequence) => self.on_write(sequence, result, context),
            Task::Flush => self.on_flush(result, context),
            Task::ReadBack(sequence) => self.on_read_back(sequence, result, context),
            Task::Presence(copy) => self.on_presence(copy, result, context),
            Task::Suspect(sequence) => self.on_suspect(sequence, result, context),
            Task::Discard => self.on_discarded(context),
            Task::Close => {}
        }
        context.wake(Ready::Archive(self.index));
    }

    fn on_superblock(&mut self, context: &mut Context) {
        if let Phase::Opening(_) = self.phase {
            self.finish_opening(context);
        }
        self.on_freed(context);
        // A checkpoint may have become durable, or a segment free, while this generation was on its way.
        if self.takes() && (self.superblock.checkpoint_sequence != self.log.checkpoint_durable || self.is_freeing()) {
            self.write_superblock(false, context);
        }
    }

    /// Writes that the superblock is behind of, once the archive has been idle for a while.
    pub(super) fn mark_if_idle(&mut self, context: &mut Context) {
        if self.takes() && self.idle_mark_due().is_some_and(|due| due <= context.now.at) {
            self.write_superblock(false, context);
        }
    }

    fn idle_mark_due(&self) -> Option<Instant> {
        let idle = self.takes()
            && self.super_writer.is_none()
            && self.log.is_idle()
            && (self.superblock.durable_sequence < self.log.durable || self.is_released_behind());
        let every = if self.is_on_card() {
            limits::IDLE_MARK_EVERY_CARD
        } else {
            limits::IDLE_MARK_EVERY
        };
        idle.then(|| (self.log.flushed_at + limits::IDLE_MARK_AFTER).max(self.marked_at + every))
    }

    /// When this archive wants to be asked again though nothing has happened.
    pub fn deadline(&self) -> Option<Instant> {
        [self.log.flush_due(), self.idle_mark_due()].into_iter().flatten().min()
    }

    /// The tracks of a camera, or of all; of one kind and origin, or of all.
    pub fn tracks_of(
        &self,
        camera: Option<&Name>,
        kind: Option<crate::Kind>,
        origin: Option<Uuid>,
    ) -> impl Iterator<Item = TrackId> {
        let fits = move |key: &TrackKey| {
            camera.is_none_or(|camera| *camera == key.camera)
                && kind.is_none_or(|kind| kind == key.kind)
                && origin.is_none_or(|origin| origin == key.origin)
        };
        let tracks = self.catalog.tracks().iter().enumerate();
        tracks
            .filter(move |(_, track)| fits(&track.tip.key))
            .map(|(place, _)| TrackId(place as u32))
    }

    /// Whether a block was read back and found whole, by the pass that is on or the one before.
    pub fn was_verified(&self, log_sequence: u64) -> bool {
        let scrub = &self.catalog.scrub;
        let read = (scrub.ended_utc_ns != 0 && log_sequence < scrub.ended_at)
            || (scrub.began_utc_ns != 0 && log_sequence < scrub.position);
        read && !self.quarantine.contains(&log_sequence)
    }

    /// When the oldest block of a track from that track sequence on began, by the index in memory.
    pub fn begin_of(&self, key: &TrackKey, track_sequence: u64) -> Option<i64> {
        let id = self.catalog.find(key)?;
        let mine =
            |entry: &&Entry| !entry.fill && entry.track_sequence >= track_sequence && self.catalog.track_of(entry) == Some(id);
        self.catalog
            .recent_all()
            .map(|(_, entry)| entry)
            .find(mine)
            .map(|entry| entry.begin_utc_ns)
    }

    /// Time until the ring reaches a log sequence, at the rate of the newest blocks; none if it never does.
    pub fn overrun(&self, sequence: u64, now: Moment) -> Option<Duration> {
        if self.superblock.mode == Mode::Append {
            return None;
        }
        let mut data = self
            .catalog
            .recent_all()
            .filter(|(_, entry)| entry.names_track() && !entry.fill);
        let (first, begun) = data.next()?;
        let blocks = self.log.next.checked_sub(first).filter(|blocks| *blocks > 0)?;
        let span_ns = now.utc_ns.checked_sub(begun.begin_utc_ns).filter(|span| *span > 0)?;
        let left = (sequence + self.superblock.slots).saturating_sub(self.log.next);
        Some(Duration::from_nanos((span_ns as u64 / blocks).saturating_mul(left)))
    }

    /// Nothing is accepted, in flight or being written.
    pub fn is_at_rest(&self) -> bool {
        match self.phase {
            Phase::Opening(_) => false,
            Phase::Ready => self.log.is_idle() && self.super_writer.is_none(),
            Phase::ReadOnly { .. } | Phase::Offline { .. } => true,
        }
    }

    /// Writes down how far the log is durable, and that it was closed in order. False if there is nothing to write.
    pub fn mark_before_stop(&mut self, context: &mut Context) -> bool {
        let is_behind =
            self.superblock.durable_sequence < self.log.durable || self.is_released_behind() || !self.superblock.closed;
        let behind = self.takes() && is_behind;
        if behind {
            self.closing = true;
            self.write_superblock(false, context);
        }
        behind
    }

    /// Closes the volume after everything in flight.
    pub fn close(&mut self, context: &mut Context) {
        let tag = context.tag(Purpose::Archive(self.index, Task::Close));
        context.submit(Op::Close {
            tag,
            volume: self.volume,
        });
    }
}

/// Oldest log sequence that may be read when the next one is `next`.
fn oldest_of(superblock: &Superblock, next: u64) -> u64 {
    match superblock.mode {
        Mode::Append => 0,
        Mode::Ring => {
            let segment = u64::from(superblock.segment_blocks);
            let guard = 2 * u64::from(limits::writes_max(superblock.segment_blocks));
            if has(Bug::NoGuardBand) {
                return next.saturating_sub(superblock.slots);
            }
            (next + guard).next_multiple_of(segment).saturating_sub(superblock.slots)
        }
    }
}

/// Why a block is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BlockError {
    /// It could not be read.
    Io(IoError),
    /// It was read and is not what it should be.
    Format(FormatError),
}

impl core::fmt::Display for BlockError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            BlockError::Io(error) => error.fmt(f),
            BlockError::Format(error) => error.fmt(f),
        }
    }
}

/// Hash of a header sector as it lies in memory.
fn hash_of(sector: &[u8]) -> hal::Digest {
    header_hash(sector)
}
