//! The end of the log: accepted → numbered → written → flushed → durable.
//!
//! What is accepted waits in an inbox; it gets its log sequence, header and place when a checkpoint that is due has gone before
//! it; its write is submitted once the slot's old content has been looked at (`interlock.rs`); a flush is submitted when the
//! writes it covers have completed; then, and only then, it is durable and its owner hears of it.
//!
//! Invariants: `pending` is exactly the log sequences `durable..next`; a block's memory is kept until it is durable, so that a
//! group can be written again with identical content (`reliability.md`, F5); a failed flush is never tried again by itself.

mod back;
mod failure;

mod numbering;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::vec::Vec;
use hal::{ClientId, Digest, Instant, IoError, LinkId, Op, Span};

use super::interlock::Interlock;
use super::{Archive, Task, TrackId, hash_of};
use crate::context::{Context, Ready};
use crate::format::checkpoint::PART_HEAD_BYTES;
use crate::format::header::{self, BlockKind, Placement};
use crate::format::record::{encode_records, records_max};
use crate::format::superblock::NO_CHECKPOINT;
use crate::format::{Checkpoint, Lease, NO_HASH, Origin, Record, SECTOR_BYTES, TrackKey, crc32c};
use crate::journal::Code;
use crate::limits::{self, GROUP_BYTES, GROUP_WAIT, RECORDS_WAITING_MAX, REWRITES_MAX};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};

/// Who is told when something has become durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owner {
    /// A recorder, by its place.
    Recorder(usize),
    /// A link that came in.
    Link(LinkId),
    /// The archive itself.
    Archive,
    /// A control client that waits for its note.
    Client(ClientId),
    /// A card whose files are taken, by its place.
    Card(usize),
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
    /// The tip has passed its number: it fills what is missing or damaged.
    pub fill: bool,
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
        /// It moved no tip.
        fill: bool,
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
        fill: bool,
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
    /// How often a header that is not right was read back.
    read_backs: u32,
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
            read_backs: 0,
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

    /// Lends out the memory kept back, if it is not in use.
    pub(super) fn lend_system(&mut self) -> Option<Span> {
        self.system.take()
    }

    /// The memory kept back is not in use any more.
    pub(super) fn return_system(&mut self) {
        self.system = self.system_span;
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
    /// More records wait, or runs of fills are there, than fit the bound.
    TooMany,
}

impl Archive {
    /// Accepts a block: the tip moves now; the owner is told when it is durable. On refusal the memory stays the caller's.
    pub fn append(&mut self, block: Accepted, context: &mut Context) -> Result<(), NotAccepted> {
        if !self.takes() {
            return Err(NotAccepted::Closed);
        }
        if self.is_full() {
            return Err(NotAccepted::Full);
        }
        if block.fill && !self.catalog.has_room_for_fill() {
            return Err(NotAccepted::TooMany);
        }
        if block.fill {
            self.catalog.accept_fill(block.track, block.origin.track_sequence);
        } else {
            self.catalog.accept_block(block.track, &block.origin, block.hash);
        }
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
        if self.unreserved_slots() == 0 {
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

    /// Accepts records that belong together, all or none; whoever waits is told with the last.
    pub fn append_records(&mut self, records: Vec<Record>, owner: Owner, context: &mut Context) -> Result<(), NotAccepted> {
        let blocks = (records.len() / records_max(self.payload_capacity_bytes())) as u64 + 2;
        if self.unreserved_slots() < blocks {
            return Err(NotAccepted::Full);
        }
        if self.log.inbox_records + records.len() > RECORDS_WAITING_MAX {
            return Err(NotAccepted::TooMany);
        }
        let last = records.len().saturating_sub(1);
        for (at, record) in records.into_iter().enumerate() {
            let owner = if at == last { owner } else { Owner::Archive };
            self.append_record(record, owner, context)?;
        }
        Ok(())
    }

    /// The track of something that is recorded here. What may have been lost of it is stated before its first block. None if there
    /// is no place for it.
    pub fn own_track(&mut self, key: &TrackKey, context: &mut Context) -> Option<TrackId> {
        let track = self.catalog.place(key)?;
        if let Some(record) = self.catalog.lost_beginning(track) {
            self.append_record(record, Owner::Archive, context).ok()?;
        }
        Some(track)
    }

    /// Whether no data block can be accepted for want of slots.
    pub fn is_full(&self) -> bool {
        self.free_slots() == 0
    }

    /// Slots that data blocks may still take; in a ring that protects nothing always many.
    pub fn free_slots(&self) -> u64 {
        // Two more are kept, so that a lease and a gap still find a place in an archive that is full of data.
        self.unreserved_slots().saturating_sub(2).min(self.superblock.slots)
    }

    /// Slots that checkpoints do not need.
    fn unreserved_slots(&self) -> u64 {
        self.end().saturating_sub(self.promised())
    }

    /// Log sequence behind everything that is accepted and the checkpoints that it needs.
    pub(super) fn promised(&self) -> u64 {
        let segment = u64::from(self.superblock.segment_blocks);
        let taken = self.log.next + self.log.inbox_blocks;
        let checkpoints = taken / segment - self.log.next / segment + 1;
        let parts = u64::from(self.checkpoint_parts(segment as usize));
        taken + checkpoints * parts
    }

    fn checkpoint_parts(&self, entries: usize) -> u32 {
        Checkpoint::parts(self.catalog.checkpoint_bytes(entries), self.payload_capacity_bytes())
    }

    /// Moves everything on that can move.
    pub fn pump(&mut self, context: &mut Context) {
        if self.takes() && self.log.failed.is_none() {
            while self.number_next(context) {}
            self.look_ahead(context);
            self.submit_writes(context);
            self.flush_if_due(context);
            self.look_for_full(context);
        }
        self.mark_if_idle(context);
    }

    fn submit_writes(&mut self, context: &mut Context) {
        for at in 0..self.log.pending.len() {
            let sequence = self.log.durable + at as u64;
            if self.log.pending[at].progress != Progress::Numbered {
                continue;
            }
            if !self.log.interlock.is_free(sequence) || self.is_being_discarded(sequence) {
                break;
            }
            self.log.pending[at].progress = Progress::Writing;
            self.log.writing += 1;
            let from = self.log.pending[at].span;
            if has(Bug::MemoryBackTooEarly) {
                context.give(from);
            }
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
        let result = match result {
            Err(IoError::Short) if has(Bug::ShortWriteTaken) => Ok(()),
            result => result,
        };
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
        if has(Bug::AckBeforeFlush) || has(Bug::FlushForgotten) {
            while self.log.durable < prefix {
                self.settle_front(context);
            }
        }
        if (self.log.writing == 0 && !has(Bug::AckBeforeFlush)) || bytes >= GROUP_BYTES || waited {
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
        let Some(covered) = self.log.flushing else { return };
        if result.is_ok() && self.takes() && self.is_on_card() {
            return self.read_back(self.log.durable, context);
        }
        self.log.flushing = None;
        match result {
            Ok(()) if self.takes() => return self.on_group_durable(covered, context),
            Ok(()) => {}
            Err(error) => {
                self.log.failed.get_or_insert(error);
            }
        }
        self.settle_failure(context);
    }

    /// A group is durable, up to that log sequence.
    fn on_group_durable(&mut self, covered: u64, context: &mut Context) {
        self.log.flushed_at = context.now.at;
        self.log.rewrites = 0;
        while self.log.durable < covered {
            self.settle_front(context);
        }
        if self.log.written_prefix() > self.log.durable {
            self.log.written_since.get_or_insert(context.now.at);
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
                fill,
                payload_bytes,
                hash,
                owner,
            } => {
                if !fill {
                    let entry = self.catalog.track_mut(track);
                    entry.durable_next = track_sequence + 1;
                    entry.durable_hash = hash;
                }
                let what = SettledWhat::Block {
                    track,
                    track_sequence,
                    fill,
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
        if has(Bug::MemoryBackTooEarly) {
            return;
        }
        if Some(span) == self.log.system_span {
            self.log.system = Some(span)
        } else {
            context.give(span)
        }
    }
}

/// The used payload of a block in memory.
pub fn span_of_payload(block: Span, payload_bytes: u32) -> Span {
    block.part(SECTOR_BYTES, payload_bytes)
}
