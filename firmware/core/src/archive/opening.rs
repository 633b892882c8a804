//! Finding the end of the log: superblocks, the newest checkpoint, a bounded number of headers behind it, a new epoch.
//!
//! The order and the reasons are `reliability.md` 3.3. The first bad block is never taken for the end: below what is known to be
//! durable it is damage, above it is a torn tail.
//!
//! Invariants: nothing is written before the end of the log is known, and then only the superblock of the new epoch; opening an
//! archive again at any point of this, or after a crash in it, finds the same end.

mod epoch;
mod scan;

use alloc::boxed::Box;
use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{Access, Digest, Instant, IoError, Op, Span, VolumeFacts, VolumeId};

use super::freeing::Freeing;
use super::supers::SuperWriter;
use super::{Archive, BlockError, Catalog, Log, Owner, Phase, Task, hash_of};
use crate::Name;
use crate::context::{Context, Ready};
use crate::control::types::{GapReason, Mode, VolumeState};
use crate::format::checkpoint::{Checkpoint, PART_HEAD_BYTES, PartHead};
use crate::format::header::{self, BlockKind, Epoch, Header};
use crate::format::record::{GapRange, decode_records};
use crate::format::superblock::{COPIES, HISTORY_MAX, NO_CHECKPOINT, Quorum, Superblock, copy_offsets, newest};
use crate::format::{FormatError, NO_HASH, Record, SECTOR_BYTES};
use crate::journal::Code;
use crate::limits::{self, LOOK_OVER_BYTES, LOOKAHEAD, READ_TRIES_MAX};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};

/// How far opening has come.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Opening {
    /// The machine opens the volume.
    Volume,
    /// A flush before the first read.
    Settle,
    /// Reading the four copies.
    Superblocks([Option<Result<Superblock, FormatError>>; COPIES]),
    /// Reading the parts of a checkpoint.
    Checkpoint(Box<CheckpointRead>),
    /// Reading the headers behind it.
    Headers(Box<Scan>),
    /// Looking at each of them in order.
    Blocks(Box<Scan>),
    /// Writing the superblock of the new epoch.
    Epoch,
}

/// A checkpoint being read, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckpointRead {
    sequence: u64,
    part: u32,
    head: Option<PartHead>,
    content: Vec<u8>,
    /// How often the part was read and did not pass its check.
    again: u32,
}

/// The headers behind a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Scan {
    from: u64,
    /// No block of the log lies at or behind it, by the superblock.
    end: u64,
    /// Headers are read up to here: one at or behind `end` says that the superblock is not the newest.
    read_end: u64,
    /// One for each log sequence from `from` on.
    headers: Vec<Option<(Header, Digest)>>,
    /// Ops of the present batch that have not finished.
    left: u32,
    /// Log sequences whose header could not be read at all.
    unreadable: BTreeSet<u64>,
    /// Highest durable sequence that anything says.
    committed: u64,
    /// A checkpoint of which every part so far is whole: its log sequence, and the part expected next.
    parts: Option<(u64, u32)>,
    /// The newest checkpoint of which every part is whole.
    complete: Option<u64>,
    /// Damaged blocks that were passed.
    damaged: Vec<u64>,
    /// Next to be looked at.
    at: u64,
    /// How often the block at `at` was read again because it did not pass.
    again: u32,
    /// Hash of the header before `at`, if that one is whole.
    last: Option<Digest>,
    last_epoch: u64,
}

impl Archive {
    /// Begins to open the archive `name` on the volume at `path`. With [`Access::ExclusiveToRead`] nothing is ever written to it:
    /// it belongs to another appliance, whose blocks are read here while it is away.
    pub fn open(
        index: usize,
        name: Name,
        uuid: hal::Uuid,
        path: String,
        volume: VolumeId,
        access: Access,
        context: &mut Context,
    ) -> Result<Archive, &'static str> {
        const NO_MEMORY: &str = "the block memory is used up; give the daemon more with --memory";
        let sectors = context.take(COPIES as u32 * SECTOR_BYTES).ok_or(NO_MEMORY)?;
        let Some(lookahead) = context.take(LOOKAHEAD * SECTOR_BYTES) else {
            context.give(sectors);
            return Err(NO_MEMORY);
        };
        let tag = context.tag(Purpose::Archive(index, Task::Open));
        context.submit(Op::Open {
            tag,
            volume,
            path: path.clone(),
            access,
        });
        let superblock = Superblock {
            archive: uuid,
            label: name.clone(),
            mode: Mode::Append,
            generation: 0,
            parent: NO_HASH,
            block_bytes: limits::BLOCK_BYTES_MIN,
            logical_sector_bytes: 0,
            volume_bytes: 0,
            slots_at_bytes: 0,
            slots: limits::SLOTS_MIN,
            segment_blocks: limits::SEGMENT_BLOCKS_MIN,
            made_utc_ns: 0,
            epoch: Epoch::default(),
            epoch_start: 0,
            durable_sequence: 0,
            checkpoint_sequence: NO_CHECKPOINT,
            freed_sequence: 0,
            released_sequence: 0,
            guard_set: 0,
            closed: false,
            history: Vec::new(),
        };
        Ok(Archive {
            index,
            name,
            uuid,
            path,
            access,
            phase: Phase::Opening(Opening::Volume),
            facts: None,
            catalog: Catalog::default(),
            log: Log::new(lookahead),
            superblock,
            quarantine: BTreeSet::new(),
            quarantined: 0,
            tail_discarded: 0,
            look_over: None,
            settled: VecDeque::new(),
            volume,
            sectors,
            super_writer: None,
            marked_at: Instant::default(),
            closing: false,
            suspect: None,
            freeing: Freeing::default(),
            full_at: None,
            stale_copies: false,
            single_copy: false,
            retries_left: limits::OPENING_RETRIES_MAX,
            lost_ends: Vec::new(),
            silent_since: None,
            removed: false,
            shown: None,
        })
    }

    /// The machine has opened the volume, or not.
    pub fn on_opened(&mut self, result: Result<VolumeFacts, IoError>, context: &mut Context) {
        match result {
            Ok(facts) => {
                self.facts = Some(facts);
                self.phase = Phase::Opening(Opening::Settle);
                let tag = context.tag(Purpose::Archive(self.index, Task::Settle));
                context.submit(Op::Flush {
                    tag,
                    volume: self.volume,
                });
            }
            Err(error) => {
                let (why, action) = match error {
                    IoError::NotFound | IoError::Gone => (
                        format!("there is nothing at {}", self.path),
                        "Put the device back, then restart the daemon.",
                    ),
                    IoError::Busy => (
                        format!("{} is mounted or held by another program", self.path),
                        "Find the holder with `blockhaul device list`, unmount or stop it, then restart the daemon.",
                    ),
                    IoError::ReadOnly => (
                        format!("{} is write-protected", self.path),
                        "Lift the protection and restart the daemon; or `blockhaul archive remove` it and `blockhaul archive open` it with --read-only.",
                    ),
                    _ => (
                        format!("{} cannot be opened ({error})", self.path),
                        "Check the device and its permissions, then restart the daemon.",
                    ),
                };
                self.become_offline(VolumeState::Offline, Code::ArchiveOffline, why, action, context);
            }
        }
    }

    pub(super) fn on_opening(&mut self, task: Task, result: Result<(), IoError>, context: &mut Context) {
        let result = match (result, self.read_of(task)) {
            (Err(_), Some((_, into))) if has(Bug::ErrorsReadAsZeros) => {
                context.memory.bytes_mut(into).fill(0);
                Ok(())
            }
            (result, _) => result,
        };
        // A device that is gone has no damage: nothing is decided without it.
        if result == Err(IoError::Gone) && task != Task::Settle && matches!(self.phase, Phase::Opening(_)) {
            let why = format!("the device of {} is gone", self.path);
            let action = "Put the device back, then restart the daemon; nothing that was acknowledged is lost.";
            return self.become_offline(VolumeState::Offline, Code::ArchiveOffline, why, action, context);
        }
        // One failed read must not decide where the log ends.
        if result.is_err() && task != Task::Settle && self.retries_left > 0 {
            self.retries_left -= 1;
            return self.read_again(task, context);
        }
        let Phase::Opening(opening) = &mut self.phase else { return };
        match (task, core::mem::replace(opening, Opening::Epoch)) {
            (Task::Settle, Opening::Settle) => self.read_superblocks(result, context),
            (Task::SuperRead(copy), Opening::Superblocks(mut copies)) => {
                let sector = context
                    .memory
                    .bytes(self.sectors.part(copy as u32 * SECTOR_BYTES, SECTOR_BYTES));
                copies[copy] = Some(match result {
                    Ok(()) => Superblock::decode(copy, sector),
                    Err(_) => Err(FormatError::Checksum),
                });
                let done: Vec<_> = copies.iter().flatten().cloned().collect();
                match <[_; COPIES]>::try_from(done) {
                    Ok(copies) => self.on_superblocks(newest(&copies), context),
                    Err(_) => self.phase = Phase::Opening(Opening::Superblocks(copies)),
                }
            }
            (Task::ScanBlock, Opening::Checkpoint(read)) => self.on_checkpoint_part(read, result, context),
            (Task::Scan(place), Opening::Headers(scan)) => self.on_header(scan, place, result, context),
            (Task::ScanBlock, Opening::Blocks(scan)) => self.on_scan_block(scan, result, context),
            (_, opening) => self.phase = Phase::Opening(opening),
        }
    }

    /// Repeats a read of opening.
    fn read_again(&mut self, task: Task, context: &mut Context) {
        let Some((at_bytes, into)) = self.read_of(task) else { return };
        let tag = context.tag(Purpose::Archive(self.index, task));
        context.submit(Op::Read {
            tag,
            volume: self.volume,
            at_bytes,
            into,
        });
    }

    /// What a read of opening reads, from which offset in bytes.
    fn read_of(&self, task: Task) -> Option<(u64, Span)> {
        let size_bytes = self.facts.as_ref().map_or(0, |facts| facts.size_bytes);
        let Phase::Opening(opening) = &self.phase else { return None };
        Some(match (task, opening) {
            (Task::SuperRead(copy), _) => (
                copy_offsets(size_bytes)[copy],
                self.sectors.part(copy as u32 * SECTOR_BYTES, SECTOR_BYTES),
            ),
            (Task::Scan(place), Opening::Headers(scan)) => (
                self.slot_offset_bytes(scan.batch_start() + u64::from(place)),
                self.scan_sector(place),
            ),
            (Task::ScanBlock, Opening::Blocks(scan)) => (self.slot_offset_bytes(scan.at), self.log.kept_back()),
            (Task::ScanBlock, Opening::Checkpoint(read)) => (
                self.slot_offset_bytes(read.sequence + u64::from(read.part)),
                self.log.kept_back(),
            ),
            _ => return None,
        })
    }

    fn read_superblocks(&mut self, settled: Result<(), IoError>, context: &mut Context) {
        let size_bytes = self.facts.as_ref().map_or(0, |facts| facts.size_bytes);
        // What takes no writes has none that a flush would have to settle.
        let is_protected = self.is_only_read() && settled == Err(IoError::ReadOnly);
        if let Err(error) = settled
            && !is_protected
        {
            let why = format!("{} does not answer a flush ({error})", self.path);
            self.become_offline(
                VolumeState::Offline,
                Code::ArchiveOffline,
                why,
                "Check the device, then restart the daemon.",
                context,
            );
            return;
        }
        if size_bytes < limits::SLOTS_MIN * u64::from(limits::BLOCK_BYTES_MIN) {
            let why = format!("{} has only {size_bytes} bytes, less than any archive", self.path);
            self.become_offline(
                VolumeState::Foreign,
                Code::GeometryMismatch,
                why,
                "Check that this is the right volume.",
                context,
            );
            return;
        }
        self.phase = Phase::Opening(Opening::Superblocks([const { None }; COPIES]));
        for (copy, at_bytes) in copy_offsets(size_bytes).into_iter().enumerate() {
            let into = self.sectors.part(copy as u32 * SECTOR_BYTES, SECTOR_BYTES);
            let tag = context.tag(Purpose::Archive(self.index, Task::SuperRead(copy)));
            context.submit(Op::Read {
                tag,
                volume: self.volume,
                at_bytes,
                into,
            });
        }
    }

    fn on_superblocks(&mut self, quorum: Quorum, context: &mut Context) {
        let name = self.name.clone();
        let (superblock, stale, whole) = match quorum {
            Quorum::Good { superblock, stale } => (superblock, stale, true),
            Quorum::Single(superblock) => (superblock, 0, false),
            Quorum::Blank => {
                let why = format!("there is no archive on {}", self.path);
                let action = "Check that this is the right volume. Nothing was written to it.";
                return self.become_offline(VolumeState::Foreign, Code::UuidMismatch, why, action, context);
            }
            Quorum::Fork => {
                let why = format!("two different superblocks on {} claim the same generation", self.path);
                let action = "Keep the volume as it is and ask for help: it has been written by two hosts, or copied in part.";
                return self.become_offline(VolumeState::Foreign, Code::SuperblockQuorumLost, why, action, context);
            }
            Quorum::Lost(error) => {
                let why = format!("no superblock on {} can be read ({error})", self.path);
                let action =
                    "Keep the volume as it is; nothing was written to it. Its blocks can still be read by `docs/formats.md`.";
                return self.become_offline(VolumeState::Foreign, Code::SuperblockQuorumLost, why, action, context);
            }
        };
        if has(Bug::AnyArchiveWillDo) {
            self.uuid = superblock.archive;
        }
        if superblock.archive != self.uuid {
            let why = format!("{} holds archive {} and not {}", self.path, superblock.archive, self.uuid);
            let action = "Put the right volume back. Nothing was written to this one.";
            return self.become_offline(VolumeState::Foreign, Code::UuidMismatch, why, action, context);
        }
        let (size, sector) = self
            .facts
            .as_ref()
            .map_or((0, 0), |facts| (facts.size_bytes, facts.logical_sector_bytes));
        if size < superblock.volume_bytes || sector == 0 || !SECTOR_BYTES.is_multiple_of(sector) {
            let why = format!(
                "{} has {size} bytes in sectors of {sector}; its archive was made for {}",
                self.path, superblock.volume_bytes
            );
            let action = "Put the volume back on the device it was made on, or give the partition its size back.";
            return self.become_offline(VolumeState::Foreign, Code::GeometryMismatch, why, action, context);
        }
        let Some(system) = context.take(superblock.block_bytes) else {
            let why = format!("no block memory is left for blocks of {} KiB", superblock.block_bytes >> 10);
            let action = "Restart the daemon with more --memory.";
            return self.become_offline(VolumeState::Offline, Code::ArchiveOffline, why, action, context);
        };
        self.log.keep_back(system);
        self.superblock = superblock;
        self.freeing.resume(&self.superblock);
        if stale > 0 && !self.is_only_read() {
            let sentence =
                format!("{stale} of 4 superblock copies of archive {name} were stale or damaged and are written again.");
            context.say(Code::SuperblockRepaired, &name, sentence);
        }
        self.stale_copies = stale > 0;
        self.single_copy = !whole;
        match self.superblock.checkpoint_sequence {
            NO_CHECKPOINT => self.read_headers(0, context),
            sequence => self.read_checkpoint(sequence, context),
        }
    }

    fn read_checkpoint(&mut self, sequence: u64, context: &mut Context) {
        let read = CheckpointRead {
            sequence,
            part: 0,
            head: None,
            content: Vec::new(),
            again: 0,
        };
        self.read_block(sequence, context);
        self.phase = Phase::Opening(Opening::Checkpoint(Box::new(read)));
    }

    fn read_block(&mut self, sequence: u64, context: &mut Context) {
        let tag = context.tag(Purpose::Archive(self.index, Task::ScanBlock));
        let (at_bytes, into) = (self.slot_offset_bytes(sequence), self.log.kept_back());
        context.submit(Op::Read {
            tag,
            volume: self.volume,
            at_bytes,
            into,
        });
    }

    fn on_checkpoint_part(&mut self, mut read: Box<CheckpointRead>, result: Result<(), IoError>, context: &mut Context) {
        let sequence = read.sequence + u64::from(read.part);
        let part = result.map_err(BlockError::Io).and_then(|()| {
            let block = context.memory.bytes(self.log.kept_back());
            checkpoint_part(self, sequence, block).map_err(BlockError::Format)
        });
        let fits = part.and_then(|(head, content)| {
            let follows = head.sequence == read.sequence
                && head.part == read.part
                && read.head.is_none_or(|first| first.parts == head.parts);
            if follows {
                Ok((head, content))
            } else {
                Err(BlockError::Format(FormatError::Field))
            }
        });
        match fits {
            Ok((head, content)) => {
                read.content.extend_from_slice(&content);
                read.part += 1;
                read.again = 0;
                let first = *read.head.get_or_insert(head);
                if read.part < first.parts {
                    self.read_block(read.sequence + u64::from(read.part), context);
                    self.phase = Phase::Opening(Opening::Checkpoint(read));
                    return;
                }
                match Checkpoint::decode(&first, &read.content) {
                    Ok(checkpoint) => {
                        self.catalog = Catalog::from_checkpoint(checkpoint);
                        self.read_headers(read.sequence, context);
                    }
                    Err(error) => self.fall_back(&read, BlockError::Format(error), context),
                }
            }
            Err(_) if read.again + 1 < READ_TRIES_MAX => {
                read.again += 1;
                self.read_block(sequence, context);
                self.phase = Phase::Opening(Opening::Checkpoint(read));
            }
            Err(error) => self.fall_back(&read, error, context),
        }
    }

    /// The checkpoint is damaged: the one before it, and more headers.
    fn fall_back(&mut self, read: &CheckpointRead, error: BlockError, context: &mut Context) {
        self.quarantine(read.sequence + u64::from(read.part), error, context);
        let segment = u64::from(self.superblock.segment_blocks);
        let before = read.sequence.saturating_sub(1) / segment * segment;
        let kept = match self.superblock.mode {
            Mode::Append => self.superblock.freed_sequence,
            Mode::Ring => (self.superblock.checkpoint_sequence
                + u64::from(limits::recovery_window(self.superblock.segment_blocks)))
            .saturating_sub(self.superblock.slots)
            .max(self.superblock.freed_sequence),
        };
        if before > 0 && before >= kept {
            self.read_checkpoint(before, context);
        } else if kept == 0 {
            self.read_headers(0, context);
        } else {
            let why = "no checkpoint of it can be read".to_string();
            let action =
                "Keep the volume as it is; nothing was written to it. Its blocks can still be read by `docs/formats.md`.";
            self.become_offline(VolumeState::Offline, Code::ArchiveOffline, why, action, context);
        }
    }
}

impl Scan {
    /// Headers lie behind the present place.
    fn has_more(&self) -> bool {
        self.headers[(self.at - self.from) as usize + 1..].iter().any(Option::is_some)
    }

    /// First log sequence of the batch being read.
    fn batch_start(&self) -> u64 {
        let last = self.headers.len() as u64 - 1;
        self.from + last / u64::from(LOOKAHEAD) * u64::from(LOOKAHEAD)
    }

    /// A part of a checkpoint is whole at the present place.
    fn note_part(&mut self, head: &PartHead) {
        let begins = head.part == 0 && head.sequence == self.at;
        let goes_on = self.parts == Some((head.sequence, head.part)) && head.sequence + u64::from(head.part) == self.at;
        if begins || goes_on {
            self.parts = Some((head.sequence, head.part + 1));
            if head.part + 1 == head.parts {
                self.complete = Some(head.sequence);
            }
        }
    }
}

/// The head and content of the checkpoint part that should be at a log sequence.
pub(super) fn checkpoint_part(archive: &Archive, sequence: u64, block: &[u8]) -> Result<(PartHead, Vec<u8>), FormatError> {
    let header = if has(Bug::CheckpointUnchecked) {
        archive.check_header(sequence, block)?
    } else {
        archive.check_block(sequence, block, true)?
    };
    if header.placement.kind != BlockKind::Checkpoint {
        return Err(FormatError::Field);
    }
    let payload = &block[SECTOR_BYTES as usize..][..header.placement.payload_bytes as usize];
    let head = PartHead::decode(payload)?;
    Ok((head, payload[PART_HEAD_BYTES..].to_vec()))
}
