//! Reading an archive in log order: for hauling, export, verify. Blocks are read ahead and handed out in order, checked.
//!
//! The index says which blocks are worth reading: from memory for the newest, from the checkpoint behind each older segment; where
//! that is damaged every block of the segment is read. Only durable blocks are handed out.
//!
//! A read that fails is tried again with no other read of this walk under way: the layers below join reads of neighbours into one
//! request, and a bad sector fails all of it. A block is called unreadable only while the device still gives something, a superblock
//! copy: one that gives nothing is gone, and its blocks may be fine when it comes back.
//!
//! Invariant (U3): a block that is handed out has passed its check after this read, in this process.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use hal::{ClientId, IoError, LinkId, Op, Span};

use super::{Archive, BlockError, TrackId};
use crate::context::{Context, Ready};
use crate::format::checkpoint::{Checkpoint, Entry};
use crate::format::header::{BlockKind, Header};
use crate::format::superblock::{COPIES, copy_offsets};
use crate::format::{FormatError, SECTOR_BYTES};
use crate::limits::READ_TRIES_MAX;
use crate::purpose::Purpose;

/// On whose behalf is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reader {
    /// A job.
    Job(usize),
    /// A control client.
    Client(ClientId),
    /// Whoever looks after the retention of an archive.
    Keeper(usize),
    /// A job that compares.
    Reconcile(usize),
    /// A source that has asked what is whole here.
    Compare(LinkId),
    /// The reading for damage in the background of the archive in that place.
    Scrub(usize),
    /// A card whose files are compared with what is there.
    Card(usize),
}

impl Reader {
    /// Who is asked again when memory has come back.
    pub fn ready(self) -> Ready {
        match self {
            Reader::Job(index) | Reader::Reconcile(index) => Ready::Job(index),
            Reader::Client(client) => Ready::Reading(client),
            Reader::Keeper(id) => Ready::Keeper(id),
            Reader::Compare(link) => Ready::Incoming(link),
            Reader::Scrub(index) => Ready::Scrub(index),
            Reader::Card(index) => Ready::Card(index),
        }
    }
}

/// What a reader of an archive wants of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// Header and place; the rest is not read.
    Header,
    /// Header, place and checksum: what is sent on, and proven at the other end.
    Checksum,
    /// The digest too.
    Proof,
}

/// Reading in log order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Walk {
    reader: Reader,
    depth: Depth,
    ahead: usize,
    /// Next log sequence to be looked at.
    at: u64,
    /// Where to stop; the durable end, wherever that is, if none.
    end: Option<u64>,
    /// Every block, without asking the index.
    every: bool,
    loaded: Option<Loaded>,
    loading: Option<Loading>,
    /// The block at `at` is not to be handed out yet.
    held: bool,
    /// A block that is wanted and waits for memory: nobody is asked twice, since who was asked may have taken note of it.
    awaited: Option<u64>,
    reads: VecDeque<Read>,
}

/// What a reader says of a block that the index names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wish {
    /// It is read.
    Take,
    /// It is passed over.
    Leave,
    /// Neither it nor any block behind it is read yet.
    Hold,
}

impl Wish {
    /// Taken or left.
    pub fn take(taken: bool) -> Wish {
        if taken { Wish::Take } else { Wish::Leave }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Loaded {
    from: u64,
    /// None: the checkpoint is damaged.
    entries: Option<Vec<Entry>>,
    end: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Loading {
    sequence: u64,
    span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Read {
    sequence: u64,
    span: Span,
    tries: u32,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Reading,
    /// To be read again, alone.
    Again,
    /// Unreadable: whether the device gives this superblock copy says if it is the block or the device.
    Probe(usize, IoError),
    /// That copy is being read.
    Probing(usize, IoError),
    Good(Header),
    Bad(BlockError),
}

impl State {
    fn in_flight(&self) -> bool {
        matches!(self, State::Reading | State::Probing(..))
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A block; its memory is the caller's now.
    Block {
        /// Log sequence.
        sequence: u64,
        /// A whole block, or its header.
        span: Span,
        /// Checked.
        header: Header,
    },
    /// A block that cannot be read or fails its check.
    Damaged {
        /// Log sequence.
        sequence: u64,
        /// Why.
        error: BlockError,
    },
    /// Something is being read, or memory is short: ask again after the next event.
    Wait,
    /// The next block is not to be handed out yet.
    Held,
    /// Nothing more, for now or for good.
    End,
}

impl Walk {
    /// Begins at a log sequence.
    pub fn new(reader: Reader, depth: Depth, from: u64, end: Option<u64>, every: bool, ahead: usize) -> Walk {
        Walk {
            reader,
            depth,
            ahead,
            at: from,
            end,
            every,
            loaded: None,
            loading: None,
            held: false,
            awaited: None,
            reads: VecDeque::new(),
        }
    }

    /// On whose behalf it reads.
    pub fn reader(&self) -> Reader {
        self.reader
    }

    /// Log sequence that has not been handed out or passed over yet.
    pub fn position(&self) -> u64 {
        self.reads.front().map_or(self.at, |read| read.sequence)
    }

    /// Nothing that was not asked for yet is read any more.
    pub fn end_here(&mut self) {
        let awaits = self.awaited == Some(self.at);
        self.end = Some(self.at + u64::from(awaits));
    }

    /// The next step. `wanted` is asked for every indexed block, by log sequence, track and entry; blocks without an index are handed
    /// out unasked.
    pub fn poll(
        &mut self,
        archive: &mut Archive,
        wanted: &mut dyn FnMut(u64, TrackId, &Entry) -> Wish,
        context: &mut Context,
    ) -> Step {
        self.read_ahead(archive, wanted, context);
        let Some(front) = self.reads.front() else {
            let end = self.end_in(archive);
            return if self.loading.is_none() && self.at >= end {
                Step::End
            } else if self.held {
                Step::Held
            } else {
                Step::Wait
            };
        };
        match &front.state {
            State::Reading | State::Probing(..) => return Step::Wait,
            State::Again | State::Probe(..) if archive.gives() => return Step::Wait,
            State::Again | State::Probe(..) => {
                self.drop_front(context);
                return Step::Wait;
            }
            State::Bad(BlockError::Io(IoError::Gone)) => {
                archive.device_gone(context);
                self.drop_front(context);
                return Step::Wait;
            }
            State::Bad(_) if !archive.gives() => {
                self.drop_front(context);
                return Step::Wait;
            }
            State::Bad(_) | State::Good(_) => {}
        }
        let Some(read) = self.reads.pop_front() else {
            return Step::Wait;
        };
        match read.state {
            State::Good(header) => Step::Block {
                sequence: read.sequence,
                span: read.span,
                header,
            },
            State::Bad(error) => {
                context.give(read.span);
                if read.sequence >= archive.oldest() {
                    archive.quarantine(read.sequence, error, context);
                    Step::Damaged {
                        sequence: read.sequence,
                        error,
                    }
                } else {
                    // The ring has written over it since: not damage.
                    self.poll(archive, wanted, context)
                }
            }
            State::Reading | State::Again | State::Probe(..) | State::Probing(..) => Step::Wait,
        }
    }

    /// A block that was handed out is handed out again: it was not wanted yet.
    pub fn put_back(&mut self, sequence: u64, span: Span, header: Header) {
        self.reads.push_front(Read {
            sequence,
            span,
            tries: 1,
            state: State::Good(header),
        });
    }

    fn drop_front(&mut self, context: &mut Context) {
        if let Some(read) = self.reads.pop_front() {
            self.at = self.at.min(read.sequence);
            context.give(read.span);
        }
    }

    /// Whether there is nothing more to hand out, for now or for good; reads ahead as [`Walk::poll`] does.
    pub fn is_at_end(
        &mut self,
        archive: &mut Archive,
        wanted: &mut dyn FnMut(u64, TrackId, &Entry) -> Wish,
        context: &mut Context,
    ) -> bool {
        self.read_ahead(archive, wanted, context);
        self.reads.is_empty() && self.loading.is_none() && self.at >= self.end_in(archive)
    }

    fn end_in(&self, archive: &Archive) -> u64 {
        self.end.unwrap_or(u64::MAX).min(archive.log.durable)
    }

    fn read_ahead(&mut self, archive: &mut Archive, wanted: &mut dyn FnMut(u64, TrackId, &Entry) -> Wish, context: &mut Context) {
        let troubled = self
            .reads
            .iter()
            .any(|read| read.tries > 0 && !matches!(read.state, State::Good(_)));
        if !archive.gives() || troubled {
            return;
        }
        self.held = false;
        self.at = self.at.max(archive.oldest());
        let end = self.end_in(archive);
        while self.at < end && self.reads.len() < self.ahead && self.loading.is_none() {
            let wish = match self.known(archive) {
                _ if self.awaited == Some(self.at) => Wish::Take,
                Known::Entry(entry) => match archive.catalog.track_of(&entry) {
                    Some(track) => wanted(self.at, track, &entry),
                    None => Wish::take(entry.track != crate::format::checkpoint::NO_TRACK),
                },
                Known::Unknown => Wish::Take,
                Known::NotLoaded(sequence) => {
                    let Some(span) = context.take_spare(archive.superblock.block_bytes) else {
                        context.ask_when_freed(self.reader.ready());
                        return;
                    };
                    self.loading = Some(Loading { sequence, span });
                    self.submit(archive, sequence, span, context);
                    return;
                }
            };
            if wish == Wish::Hold {
                self.held = true;
                return;
            }
            if wish == Wish::Take {
                let bytes = match self.depth {
                    Depth::Header => SECTOR_BYTES,
                    Depth::Checksum | Depth::Proof => archive.superblock.block_bytes,
                };
                let span = if self.reads.is_empty() {
                    context.take_spare(bytes)
                } else {
                    context.take_ahead(bytes)
                };
                let Some(span) = span else {
                    self.awaited = Some(self.at);
                    context.ask_when_freed(self.reader.ready());
                    return;
                };
                self.reads.push_back(Read {
                    sequence: self.at,
                    span,
                    tries: 0,
                    state: State::Reading,
                });
                self.submit(archive, self.at, span, context);
            }
            self.at += 1;
        }
    }

    fn submit(&self, archive: &Archive, sequence: u64, into: Span, context: &mut Context) {
        self.submit_at(archive, sequence, archive.slot_offset_bytes(sequence), into, context);
    }

    fn submit_at(&self, archive: &Archive, sequence: u64, at_bytes: u64, into: Span, context: &mut Context) {
        let tag = context.tag(Purpose::Walk(self.reader, archive.index, sequence));
        context.submit(Op::Read {
            tag,
            volume: archive.volume(),
            at_bytes,
            into,
        });
    }

    /// What the index says of the present place.
    fn known(&self, archive: &Archive) -> Known {
        if self.every {
            return Known::Unknown;
        }
        if let Some(entry) = archive.catalog.recent(self.at) {
            return Known::Entry(*entry);
        }
        let segment = u64::from(archive.superblock.segment_blocks);
        match &self.loaded {
            Some(loaded) if (loaded.from..loaded.end).contains(&self.at) => match &loaded.entries {
                Some(entries) => entries
                    .get((self.at - loaded.from) as usize)
                    .map_or(Known::Unknown, |entry| Known::Entry(*entry)),
                None => Known::Unknown,
            },
            Some(_) | None => Known::NotLoaded((self.at / segment + 1) * segment),
        }
    }

    /// A read has finished. Returns whether it was this walk's.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Some(loading) = self.loading.filter(|loading| loading.sequence == sequence) {
            self.on_index(loading, result, archive, context);
            return;
        }
        let Some(at) = self
            .reads
            .iter()
            .position(|read| read.sequence == sequence && read.state.in_flight())
        else {
            return;
        };
        let read = &mut self.reads[at];
        if let State::Probing(copy, error) = read.state {
            read.state = match result {
                Ok(()) => State::Bad(BlockError::Io(error)),
                Err(IoError::Gone) => State::Bad(BlockError::Io(IoError::Gone)),
                Err(_) if copy + 1 < COPIES => State::Probe(copy + 1, error),
                Err(_) => State::Bad(BlockError::Io(IoError::Gone)),
            };
            self.go_on_alone(archive, context);
            return;
        }
        let depth = self.depth;
        let checked = result.map_err(BlockError::Io).and_then(|()| {
            let bytes = context.memory.bytes(read.span);
            let header = match depth {
                Depth::Header => archive.check_header(sequence, bytes),
                Depth::Checksum | Depth::Proof => archive.check_block(sequence, bytes, depth == Depth::Proof),
            };
            header.map_err(BlockError::Format)
        });
        read.tries += 1;
        let again = read.tries < READ_TRIES_MAX && archive.gives() && sequence >= archive.oldest();
        match checked {
            Ok(header) => read.state = State::Good(header),
            Err(BlockError::Io(IoError::Gone)) => read.state = State::Bad(BlockError::Io(IoError::Gone)),
            Err(_) if again => read.state = State::Again,
            Err(BlockError::Io(error)) => read.state = State::Probe(0, error),
            Err(error) => read.state = State::Bad(error),
        }
        self.go_on_alone(archive, context);
    }

    /// With nothing else in flight, reads again what failed, or asks the device whether it is there.
    fn go_on_alone(&mut self, archive: &Archive, context: &mut Context) {
        if !archive.gives() || self.reads.iter().any(|read| read.state.in_flight()) {
            return;
        }
        let waits = |read: &&mut Read| matches!(read.state, State::Again | State::Probe(..));
        let Some(read) = self.reads.iter_mut().find(waits) else {
            return;
        };
        let (sequence, span) = (read.sequence, read.span);
        if let State::Probe(copy, error) = read.state {
            read.state = State::Probing(copy, error);
            let at_bytes = copy_offsets(archive.superblock.volume_bytes)[copy];
            self.submit_at(archive, sequence, at_bytes, span.part(0, SECTOR_BYTES), context);
        } else {
            read.state = State::Reading;
            self.submit(archive, sequence, span, context);
        }
    }

    fn on_index(&mut self, loading: Loading, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        let segment = u64::from(archive.superblock.segment_blocks);
        let block = context.memory.bytes(loading.span);
        let entries = result.ok().and_then(|()| {
            let header = archive.check_block(loading.sequence, block, true).ok()?;
            let payload = &block[SECTOR_BYTES as usize..][..header.placement.payload_bytes as usize];
            (header.placement.kind == BlockKind::Checkpoint)
                .then(|| Checkpoint::decode_entries(payload))
                .and_then(|decoded: Result<_, FormatError>| decoded.ok())
        });
        context.give(loading.span);
        self.loading = None;
        let from = loading.sequence - segment;
        self.loaded = Some(match entries {
            Some((head, entries)) if head.from_sequence == from => Loaded {
                from,
                entries: Some(entries),
                end: loading.sequence,
            },
            Some(_) | None => {
                context.suspect(archive.index, loading.sequence);
                Loaded {
                    from,
                    entries: None,
                    end: loading.sequence,
                }
            }
        });
    }

    /// Whether no read is in flight; then [`Walk::finish`] may be called.
    pub fn is_quiet(&self) -> bool {
        self.loading.is_none() && self.reads.iter().all(|read| !read.state.in_flight())
    }

    /// Gives all memory back.
    pub fn finish(self, context: &mut Context) {
        assert!(self.is_quiet());
        for read in self.reads {
            context.give(read.span);
        }
    }
}

enum Known {
    Entry(Entry),
    Unknown,
    /// The part 0 at this log sequence has the index.
    NotLoaded(u64),
}
