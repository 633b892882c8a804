//! The end of the log: accepted → numbered → written → flushed → durable.
//!
//! What is accepted waits in an inbox; it gets its log sequence, header and place when a checkpoint that is due has gone before
//! it; its write is submitted once the slot's old content has been looked at (`interlock.rs`); a flush is submitted when the
//! writes it covers have completed; then, and only then, it is durable and its owner hears of it.
//!
//! Invariants: `pending` is exactly the log sequences `durable..next`; a block's memory is kept until it is durable, so that a
//! group can be written again with identical content (`reliability.md`, F5); a failed flush is never tried again by itself.

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use hal::{Digest, Instant, IoError, LinkId, Op, Span};

use super::interlock::Interlock;
use super::{Archive, Task, TrackId, hash_of};
use crate::context::{Context, Ready};
use crate::control::types::Mode;
use crate::format::checkpoint::PART_HEAD_BYTES;
use crate::format::header::{self, BlockKind, Placement};
use crate::format::record::{encode_records, records_max};
use crate::format::superblock::NO_CHECKPOINT;
use crate::format::{Checkpoint, Lease, NO_HASH, Origin, Record, SECTOR_BYTES, crc32c};
use crate::journal::Code;
use crate::limits::{self, GROUP_BYTES, GROUP_WAIT, RECORDS_WAITING_MAX, REWRITES_MAX};
use crate::purpose::Purpose;

/// Who is told when something has become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A recorder, by its place.
    Recorder(usize),
    /// A link that came in.
    Link(LinkId),
    /// The archive itself.
    Archive,
}

/// A data block on its way into the log. Its origin part is in the header sector of `span` already; the payload follows it
/// and the rest of the span is zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Accepted {
    /// A whole block of memory; the archive gives it back.
    pub span: Span,
    /// Track.
    pub track: TrackId,
    /// Origin part.
    pub origin: Origin,
    /// Its hash.
    pub hash: Digest,
    /// Lease under which it came; zero for what is recorded here.
    pub lease: Lease,
    /// Who is told.
    pub owner: Owner,
}

/// Something that has become durable, or never will.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Settled {
    /// Who is told.
    pub owner: Owner,
    /// What.
    pub what: SettledWhat,
    /// Durable, or not.
    pub durable: bool,
}

/// What has settled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SettledWhat {
    /// A block.
    Block {
        /// Track.
        track: TrackId,
        /// Track sequence.
        track_sequence: u64,
        /// Payload.
        payload_bytes: u32,
    },
    /// A record.
    Record(Record),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Item {
    Block(Accepted),
    Records(Vec<(Record, Owner)>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Content {
    Block {
        track: TrackId,
        track_sequence: u64,
        payload_bytes: u32,
        hash: Digest,
        owner: Owner,
    },
    Records(Vec<(Record, Owner)>),
    CheckpointPart {
        last_of: Option<u64>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Progress {
    Numbered,
    Writing,
    Written,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pending {
    span: Span,
    content: Content,
    progress: Progress,
}

/// A checkpoint on its way into the log, part by part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Building {
    sequence: u64,
    checkpoint: Checkpoint,
    content: Vec<u8>,
    part: u32,
    parts: u32,
}

/// The end of the log.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Log {
    /// Log sequence of the next block.
    pub next: u64,
    /// All log sequences below are durable.
    pub durable: u64,
    /// Part 0 of the newest checkpoint that is durable as a whole, or [`NO_CHECKPOINT`].
    pub checkpoint_durable: u64,
    /// When the last flush finished.
    pub flushed_at: Instant,
    pub(super) last_header: Digest,
    pub(super) interlock: Interlock,
    pub(super) checkpoint_wanted: bool,
    inbox: VecDeque<Item>,
    inbox_blocks: u64,
    inbox_records: usize,
    pending: VecDeque<Pending>,
    writing: u32,
    flushing: Option<u64>,
    written_since: Option<Instant>,
    failed: Option<IoError>,
    rewrites: u32,
    building: Option<Building>,
    checkpoint_begun: u64,
    /// Kept back so that a system block always finds memory.
    system: Option<Span>,
    system_span: Option<Span>,
}

impl Log {
    pub(super) fn new(lookahead: Span) -> Log {
        Log {
            next: 0,
            durable: 0,
            checkpoint_durable: NO_CHECKPOINT,
            flushed_at: Instant::default(),
            last_header: NO_HASH,
            interlock: Interlock::new(lookahead),
            checkpoint_wanted: false,
            inbox: VecDeque::new(),
            inbox_blocks: 0,
            inbox_records: 0,
            pending: VecDeque::new(),
            writing: 0,
            flushing: None,
            written_since: None,
            failed: None,
            rewrites: 0,
            building: None,
            checkpoint_begun: 0,
            system: None,
            system_span: None,
        }
    }

    /// Keeps memory back for system blocks; recovery reads into it first.
    pub(super) fn keep_back(&mut self, system: Span) {
        self.system = Some(system);
        self.system_span = Some(system);
    }

    /// The memory kept back, while nothing is appended.
    pub(super) fn kept_back(&self) -> Span {
        self.system_span.expect("kept back before the first block is read")
    }

    /// Starts at the end that recovery has found.
    pub(super) fn resume(&mut self, head: u64, last_header: Digest, checkpoint: u64) {
        self.next = head;
        self.durable = head;
        self.last_header = last_header;
        self.checkpoint_durable = checkpoint;
        self.checkpoint_begun = if checkpoint == NO_CHECKPOINT { 0 } else { checkpoint };
        self.interlock.restart(head);
    }

    /// Nothing is accepted, pending or in flight.
    pub fn is_idle(&self) -> bool {
        self.inbox.is_empty() && self.pending.is_empty() && self.building.is_none() && self.flushing.is_none()
    }

    /// When a written block has waited long enough for company.
    pub(super) fn flush_due(&self) -> Option<Instant> {
        let waits = self.flushing.is_none() && self.failed.is_none() && self.writing > 0 && self.written_prefix() > self.durable;
        self.written_since.filter(|_| waits).map(|since| since + GROUP_WAIT)
    }

    fn pending_at(&mut self, sequence: u64) -> &mut Pending {
        let at = sequence - self.durable;
        &mut self.pending[at as usize]
    }

    /// Log sequences from `durable` on whose writes have completed without a hole.
    fn written_prefix(&self) -> u64 {
        let written = self
            .pending
            .iter()
            .take_while(|pending| pending.progress == Progress::Written)
            .count();
        self.durable + written as u64
    }
}

/// Why something was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotAccepted {
    /// No free slot.
    Full,
    /// The archive takes nothing now.
    Closed,
    /// More records wait than fit the bound.
    TooMany,
}

impl Archive {
    /// Accepts a block: the tip moves now; the owner is told when it is durable. On refusal the memory stays the caller's.
    pub fn append(&mut self, block: Accepted, context: &mut Context) -> Result<(), NotAccepted> {
        if !self.takes() {
            return Err(NotAccepted::Closed);
        }
        if self.is_full() {
            self.say_full(context);
            return Err(NotAccepted::Full);
        }
        self.catalog.accept_block(block.track, &block.origin, block.hash);
        self.log.inbox.push_back(Item::Block(block));
        self.log.inbox_blocks += 1;
        context.wake(Ready::Archive(self.index));
        Ok(())
    }

    /// Accepts a record, as [`Archive::append`] does a block. Many share one system block.
    pub fn append_record(&mut self, record: Record, owner: Owner, context: &mut Context) -> Result<(), NotAccepted> {
        if !self.takes() {
            return Err(NotAccepted::Closed);
        }
        if self.superblock.mode == Mode::Append && self.unreserved_slots() == 0 {
            return Err(NotAccepted::Full);
        }
        if self.log.inbox_records >= RECORDS_WAITING_MAX {
            return Err(NotAccepted::TooMany);
        }
        self.catalog.accept_record(&record);
        let room = records_max(self.payload_capacity_bytes());
        match self.log.inbox.back_mut() {
            Some(Item::Records(records)) if records.len() < room => records.push((record, owner)),
            Some(Item::Records(_) | Item::Block(_)) | None => {
                self.log.inbox.push_back(Item::Records(alloc::vec![(record, owner)]));
                self.log.inbox_blocks += 1;
            }
        }
        self.log.inbox_records += 1;
        context.wake(Ready::Archive(self.index));
        Ok(())
    }

    /// Whether no data block can be accepted for want of slots.
    pub fn is_full(&self) -> bool {
        self.superblock.mode == Mode::Append && self.free_slots() == 0
    }

    /// Slots that data blocks may still take; in a ring always many.
    pub fn free_slots(&self) -> u64 {
        match self.superblock.mode {
            Mode::Ring => self.superblock.slots,
            // Two more are kept, so that a lease and a gap still find a place in an archive that is full of data.
            Mode::Append => self.unreserved_slots().saturating_sub(2),
        }
    }

    /// Slots that checkpoints do not need.
    fn unreserved_slots(&self) -> u64 {
        match self.superblock.mode {
            Mode::Ring => self.superblock.slots,
            Mode::Append => {
                let segment = u64::from(self.superblock.segment_blocks);
                let taken = self.log.next + self.log.inbox_blocks;
                let checkpoints = taken / segment - self.log.next / segment + 1;
                let parts = u64::from(self.checkpoint_parts(segment as usize));
                self.superblock.slots.saturating_sub(taken + checkpoints * parts)
            }
        }
    }

    fn checkpoint_parts(&self, entries: usize) -> u32 {
        let (tracks, gaps) = (self.catalog.tracks().len(), self.catalog.gap_count());
        Checkpoint::parts(entries, tracks, gaps, self.payload_capacity_bytes())
    }

    fn say_full(&mut self, context: &mut Context) {
        if !self.full_said {
            self.full_said = true;
            let sentence = format!(
                "Archive {} is full: all {} slots are taken.",
                self.name, self.superblock.slots
            );
            context.say(Code::ArchiveFull, &self.name.clone(), sentence);
        }
    }

    /// Moves everything on that can move.
    pub fn pump(&mut self, context: &mut Context) {
        if self.takes() && self.log.failed.is_none() {
            while self.number_next(context) {}
            self.look_ahead(context);
            self.submit_writes(context);
            self.flush_if_due(context);
        }
        self.mark_if_idle(context);
    }

    /// Gives the next thing its place in the log. False if there is nothing, or it has to wait.
    fn number_next(&mut self, context: &mut Context) -> bool {
        let segment = u64::from(self.superblock.segment_blocks);
        let log = &self.log;
        let checkpoint = if self.superblock.checkpoint_sequence == NO_CHECKPOINT {
            0
        } else {
            self.superblock.checkpoint_sequence
        };
        let window = segment + u64::from(limits::checkpoint_slack(segment as u32));
        if log.pending.len() as u32 >= limits::writes_max(segment as u32)
            || (self.superblock.mode == Mode::Append && log.next >= self.superblock.slots)
        {
            return false;
        }
        let regular = log.next.is_multiple_of(segment) && log.next > log.checkpoint_begun;
        if log.building.is_none() && (regular || (log.checkpoint_wanted && !log.inbox.is_empty())) {
            self.begin_checkpoint();
        }
        if self.log.building.is_some() {
            return self.number_checkpoint_part(context);
        }
        // What follows must lie within the headers that recovery looks at; the checkpoint that moves them on may always be written.
        if self.log.next >= checkpoint + window {
            return false;
        }
        match self.log.inbox.front() {
            None => false,
            Some(Item::Block(_)) => {
                let Some(Item::Block(block)) = self.log.inbox.pop_front() else {
                    return false;
                };
                self.log.inbox_blocks -= 1;
                self.number_block(block, context);
                true
            }
            Some(Item::Records(_)) => {
                let Some(span) = self.system_span(context) else { return false };
                let Some(Item::Records(records)) = self.log.inbox.pop_front() else {
                    return false;
                };
                self.log.inbox_blocks -= 1;
                self.log.inbox_records -= records.len();
                let payload = context
                    .memory
                    .bytes_mut(span.part(SECTOR_BYTES, span.length_bytes - SECTOR_BYTES));
                let length = encode_records(records.iter().map(|(record, _)| record), payload);
                for (record, _) in &records {
                    self.catalog.log_record(record);
                }
                self.number_system(BlockKind::System, span, length, Content::Records(records), context);
                true
            }
        }
    }

    /// Memory for a system block: from the pool, or the span that is kept back.
    fn system_span(&mut self, context: &mut Context) -> Option<Span> {
        context.take(self.superblock.block_bytes).or_else(|| self.log.system.take())
    }

    fn begin_checkpoint(&mut self) {
        let segment = u64::from(self.superblock.segment_blocks);
        let sequence = self.log.next;
        let from = (sequence - 1) / segment * segment;
        let checkpoint = self.catalog.to_checkpoint(from);
        let content = checkpoint.content();
        let parts = Checkpoint::parts(
            checkpoint.entries.len(),
            checkpoint.tips.len(),
            checkpoint.gaps.len(),
            self.payload_capacity_bytes(),
        );
        self.log.checkpoint_begun = sequence;
        self.log.checkpoint_wanted = false;
        self.log.building = Some(Building {
            sequence,
            checkpoint,
            content,
            part: 0,
            parts,
        });
    }

    fn number_checkpoint_part(&mut self, context: &mut Context) -> bool {
        let Some(span) = self.system_span(context) else { return false };
        let Some(mut building) = self.log.building.take() else {
            return false;
        };
        let payload = context
            .memory
            .bytes_mut(span.part(SECTOR_BYTES, span.length_bytes - SECTOR_BYTES));
        assert!(payload.len() > PART_HEAD_BYTES);
        let length = building
            .checkpoint
            .encode_part(building.sequence, building.part, &building.content, payload);
        building.part += 1;
        let last = building.part == building.parts;
        let content = Content::CheckpointPart {
            last_of: last.then_some(building.sequence),
        };
        if !last {
            self.log.building = Some(building);
        }
        self.number_system(BlockKind::Checkpoint, span, length, content, context);
        true
    }

    fn number_system(&mut self, kind: BlockKind, span: Span, length: u32, content: Content, context: &mut Context) {
        let block = context.memory.bytes_mut(span);
        let (sector, payload) = block.split_at_mut(SECTOR_BYTES as usize);
        payload[length as usize..].fill(0);
        let payload = &payload[..length as usize];
        header::encode_no_origin(sector, Digest(*blake3::hash(payload).as_bytes()));
        let checksum = crc32c(payload);
        self.catalog.log_other(self.log.next);
        self.place(kind, span, (length, checksum), Lease::default(), content, context);
    }

    fn number_block(&mut self, block: Accepted, context: &mut Context) {
        let length = block.origin.payload_bytes;
        let checksum = crc32c(context.memory.bytes(span_of_payload(block.span, length)));
        self.catalog.log_block(self.log.next, block.track, &block.origin, &block.hash);
        let content = Content::Block {
            track: block.track,
            track_sequence: block.origin.track_sequence,
            payload_bytes: length,
            hash: block.hash,
            owner: block.owner,
        };
        self.place(BlockKind::Data, block.span, (length, checksum), block.lease, content, context);
    }

    /// Builds the placement part and queues the block for its slot.
    fn place(&mut self, kind: BlockKind, span: Span, payload: (u32, u32), lease: Lease, content: Content, context: &mut Context) {
        let log_sequence = self.log.next;
        let placement = Placement {
            kind,
            archive: self.uuid,
            log_sequence,
            slot: log_sequence % self.superblock.slots,
            epoch: self.superblock.epoch,
            epoch_start: self.superblock.epoch_start,
            durable_sequence: self.log.durable,
            previous_header: self.log.last_header,
            lease,
            payload_bytes: payload.0,
            payload_crc: payload.1,
        };
        let sector = context.memory.bytes_mut(span.part(0, SECTOR_BYTES));
        header::encode_placement(sector, &placement);
        self.log.last_header = hash_of(sector);
        self.log.next += 1;
        self.log.pending.push_back(Pending {
            span,
            content,
            progress: Progress::Numbered,
        });
    }

    fn submit_writes(&mut self, context: &mut Context) {
        for at in 0..self.log.pending.len() {
            let sequence = self.log.durable + at as u64;
            if self.log.pending[at].progress != Progress::Numbered {
                continue;
            }
            if !self.log.interlock.is_free(sequence) {
                break;
            }
            self.log.pending[at].progress = Progress::Writing;
            self.log.writing += 1;
            let from = self.log.pending[at].span;
            let tag = context.tag(Purpose::Archive(self.index, Task::Write(sequence)));
            context.submit(Op::Write {
                tag,
                volume: self.volume,
                at_bytes: self.slot_offset_bytes(sequence),
                from,
            });
        }
    }

    pub(super) fn on_write(&mut self, sequence: u64, result: Result<(), IoError>, context: &mut Context) {
        self.log.writing -= 1;
        let now = context.now.at;
        self.log.pending_at(sequence).progress = match result {
            Ok(()) => Progress::Written,
            Err(_) => Progress::Numbered,
        };
        match result {
            Ok(()) => {
                self.log.written_since.get_or_insert(now);
            }
            Err(error) => {
                self.log.failed.get_or_insert(error);
            }
        }
        self.settle_failure(context);
    }

    fn flush_if_due(&mut self, context: &mut Context) {
        let prefix = self.log.written_prefix();
        if self.log.flushing.is_some() || prefix == self.log.durable {
            return;
        }
        let bytes = (prefix - self.log.durable) * u64::from(self.superblock.block_bytes);
        let waited = self.log.flush_due().is_some_and(|due| due <= context.now.at);
        if self.log.writing == 0 || bytes >= GROUP_BYTES || waited {
            self.log.flushing = Some(prefix);
            self.log.written_since = None;
            let tag = context.tag(Purpose::Archive(self.index, Task::Flush));
            context.submit(Op::Flush {
                tag,
                volume: self.volume,
            });
        }
    }

    pub(super) fn on_flush(&mut self, result: Result<(), IoError>, context: &mut Context) {
        let Some(covered) = self.log.flushing.take() else { return };
        match result {
            Ok(()) if self.takes() => {
                self.log.flushed_at = context.now.at;
                self.log.rewrites = 0;
                while self.log.durable < covered {
                    self.settle_front(context);
                }
                if self.log.written_prefix() > self.log.durable {
                    self.log.written_since.get_or_insert(context.now.at);
                }
            }
            Ok(()) => {}
            Err(error) => {
                self.log.failed.get_or_insert(error);
            }
        }
        self.settle_failure(context);
    }

    /// The oldest pending block is durable.
    fn settle_front(&mut self, context: &mut Context) {
        let Some(pending) = self.log.pending.pop_front() else { return };
        self.log.durable += 1;
        self.release(pending.span, context);
        match pending.content {
            Content::Block {
                track,
                track_sequence,
                payload_bytes,
                hash,
                owner,
            } => {
                let entry = self.catalog.track_mut(track);
                entry.durable_next = track_sequence + 1;
                entry.durable_hash = hash;
                let what = SettledWhat::Block {
                    track,
                    track_sequence,
                    payload_bytes,
                };
                self.settled.push_back(Settled {
                    owner,
                    what,
                    durable: true,
                });
            }
            Content::Records(records) => {
                for (record, owner) in records {
                    if let Record::Gap { key, gap, hash_after } = &record
                        && let Some(id) = self.catalog.find(key)
                    {
                        let track = self.catalog.track_mut(id);
                        track.durable_next = gap.to;
                        track.durable_hash = *hash_after;
                    }
                    self.settled.push_back(Settled {
                        owner,
                        what: SettledWhat::Record(record),
                        durable: true,
                    });
                }
            }
            Content::CheckpointPart { last_of: Some(sequence) } => {
                let segment = u64::from(self.superblock.segment_blocks);
                self.log.checkpoint_durable = sequence;
                self.catalog
                    .forget_recent((sequence / segment * segment).saturating_sub(segment));
                self.write_superblock(false, context);
            }
            Content::CheckpointPart { last_of: None } => {}
        }
    }

    fn release(&mut self, span: Span, context: &mut Context) {
        if Some(span) == self.log.system_span {
            self.log.system = Some(span)
        } else {
            context.give(span)
        }
    }

    /// After an error: once nothing is in flight, everything since the last good flush is written again from memory; after
    /// too many errors the volume is read-only.
    fn settle_failure(&mut self, context: &mut Context) {
        if !self.takes() {
            self.drop_finished(context);
            return;
        }
        let Some(error) = self.log.failed else { return };
        if self.log.writing > 0 || self.log.flushing.is_some() {
            return;
        }
        if error == IoError::Gone {
            self.device_gone(context);
            return;
        }
        if self.log.rewrites >= REWRITES_MAX {
            let why = format!("writing failed again after the group was written anew ({error})");
            self.become_read_only(Code::ArchiveReadOnly, why, context);
            return;
        }
        self.log.rewrites += 1;
        self.log.failed = None;
        self.log.written_since = None;
        for pending in &mut self.log.pending {
            pending.progress = Progress::Numbered;
        }
        let sentence = format!(
            "A write or flush of archive {} failed ({error}); {} blocks are written again from memory.",
            self.name,
            self.log.pending.len()
        );
        context.say(Code::GroupRewritten, &self.name.clone(), sentence);
    }

    /// Nothing that is accepted or pending will become durable: the owners are told, memory that is not lent comes back.
    pub(super) fn fail_all(&mut self, context: &mut Context) {
        self.log.building = None;
        self.log.written_since = None;
        for item in core::mem::take(&mut self.log.inbox) {
            match item {
                Item::Block(block) => {
                    context.give(block.span);
                    let what = SettledWhat::Block {
                        track: block.track,
                        track_sequence: block.origin.track_sequence,
                        payload_bytes: block.origin.payload_bytes,
                    };
                    self.settled.push_back(Settled {
                        owner: block.owner,
                        what,
                        durable: false,
                    });
                }
                Item::Records(records) => self.fail_records(&records),
            }
        }
        self.log.inbox_blocks = 0;
        self.log.inbox_records = 0;
        for at in 0..self.log.pending.len() {
            let content = core::mem::replace(&mut self.log.pending[at].content, Content::CheckpointPart { last_of: None });
            match content {
                Content::Block {
                    track,
                    track_sequence,
                    payload_bytes,
                    owner,
                    ..
                } => {
                    let what = SettledWhat::Block {
                        track,
                        track_sequence,
                        payload_bytes,
                    };
                    self.settled.push_back(Settled {
                        owner,
                        what,
                        durable: false,
                    });
                }
                Content::Records(records) => self.fail_records(&records),
                Content::CheckpointPart { .. } => {}
            }
        }
        self.drop_finished(context);
    }

    fn fail_records(&mut self, records: &[(Record, Owner)]) {
        for (record, owner) in records {
            let what = SettledWhat::Record(record.clone());
            self.settled.push_back(Settled {
                owner: *owner,
                what,
                durable: false,
            });
        }
    }

    /// Of an archive that takes nothing any more: memory comes back once no write is in flight.
    fn drop_finished(&mut self, context: &mut Context) {
        if self.log.writing == 0 {
            while let Some(pending) = self.log.pending.pop_front() {
                self.release(pending.span, context);
            }
            self.log.next = self.log.durable;
        }
    }
}

/// The used payload of a block in memory.
pub fn span_of_payload(block: Span, payload_bytes: u32) -> Span {
    block.part(SECTOR_BYTES, payload_bytes)
}
