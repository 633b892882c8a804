//! Recorders: a stream comes in through a feed, blocks go into an archive.
//!
//! A block begins with its first byte and is sealed when it is full, after `flush-after`, or when the feeder ends. Blocks of
//! MPEG-TS hold whole packets; a rest is carried into the next block. A silent feeder holds a page of the block memory, not a block.
//!
//! Invariants: a feeder never waits longer than `limits::FEEDER_WAIT` for us: then its bytes are dropped, counted and said; at
//! most one op is in flight on a feed.

pub mod container;

use alloc::format;
use alloc::string::String;
use hal::{ClientId, Digest, FeedId, Instant, IoError, Moment, Op, PAGE_BYTES, Span};

use crate::archive::{Accepted, Archive, Owner};
use crate::context::{Context, Ready};
use crate::control::types::{Recorded, RecorderStatus};
use crate::format::{Lease, Origin, SECTOR_BYTES, TrackKey, header};
use crate::journal::Code;
use crate::limits::{FEEDER_WAIT, payload_capacity_bytes};
use crate::{Kind, Name};
use container::Scanner;

const PACKET_BYTES: u32 = 188;

/// Where a recorder's bytes come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Door {
    /// A socket at that path, for one feeder after another.
    Socket(String),
    /// The connection of a control client, once.
    Client(ClientId),
}

/// One recorder.
#[derive(Clone, Debug, Hash)]
pub struct Recorder {
    /// Place in the appliance's table.
    pub index: usize,
    /// Name; of a control client's recorder made from the client's number.
    pub name: Name,
    /// Place of the archive.
    pub archive: usize,
    /// Camera.
    pub camera: Name,
    /// Kind.
    pub kind: Kind,
    /// Where the bytes come from.
    pub door: Door,
    feed: FeedId,
    flush_after: core::time::Duration,
    state: State,
    scanner: Scanner,
    filling: Option<Filling>,
    carry: heapless::Vec<u8, { PACKET_BYTES as usize }>,
    interrupted: bool,
    in_flight: InFlight,
    starved_since: Option<Instant>,
    dropping: bool,
    ended: bool,
    outstanding: u32,
    blocks: u64,
    bytes: u64,
    dropped_bytes: u64,
    drops: u64,
    lost: bool,
    /// The archive had no room when it was looked at.
    full: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum State {
    Opening,
    Open,
    Closed { why: String },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum InFlight {
    Nothing,
    /// The first byte of a block, into that page.
    First(Span),
    Fill,
    Drain,
}

/// A block being filled. The stream's bytes begin behind the header sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Filling {
    span: Span,
    filled_bytes: u32,
    begun: Moment,
}

impl Recorder {
    /// Opens the door.
    #[expect(clippy::too_many_arguments, reason = "each is a setting of its own")]
    pub fn open(
        index: usize,
        name: Name,
        archive: usize,
        camera: Name,
        kind: Kind,
        door: Door,
        feed: FeedId,
        flush_after: core::time::Duration,
        context: &mut Context,
    ) -> Recorder {
        context.submit(match &door {
            Door::Socket(path) => Op::OpenFeed {
                feed,
                path: path.clone(),
            },
            Door::Client(client) => Op::AdoptFeed { feed, client: *client },
        });
        Recorder {
            index,
            name,
            archive,
            camera,
            kind,
            door,
            feed,
            flush_after,
            state: State::Opening,
            scanner: Scanner::new(),
            filling: None,
            carry: heapless::Vec::new(),
            // What came before this start may be missing.
            interrupted: true,
            in_flight: InFlight::Nothing,
            starved_since: None,
            dropping: false,
            ended: false,
            outstanding: 0,
            blocks: 0,
            bytes: 0,
            dropped_bytes: 0,
            drops: 0,
            lost: false,
            full: false,
        }
    }

    /// The feed it reads.
    pub fn feed(&self) -> FeedId {
        self.feed
    }

    /// The door is open, or not.
    pub fn on_opened(&mut self, result: Result<(), IoError>, context: &mut Context) {
        self.state = match (result, &self.door) {
            (Ok(()), _) => State::Open,
            (Err(error), Door::Socket(path)) => State::Closed {
                why: format!("its socket {path} cannot be made ({error})"),
            },
            (Err(error), Door::Client(_)) => State::Closed {
                why: format!("its connection cannot be used ({error})"),
            },
        };
        context.wake(Ready::Recorder(self.index));
    }

    /// Why the door is closed; empty if it is open.
    pub fn why(&self) -> &str {
        match &self.state {
            State::Opening | State::Open => "",
            State::Closed { why } => why,
        }
    }

    /// Whether the door's fate is known.
    pub fn is_settled(&self) -> bool {
        self.state != State::Opening
    }

    /// Whether everything that came is durable or lost, and nothing more will come.
    pub fn is_finished(&self) -> bool {
        let over = self.ended || matches!(self.state, State::Closed { .. });
        over && self.in_flight == InFlight::Nothing && self.outstanding == 0 && self.filling.is_none()
    }

    /// Whether it would take bytes if there was room.
    pub fn is_waiting(&self) -> bool {
        self.state == State::Open && self.in_flight == InFlight::Nothing && !self.ended
    }

    /// Whether it takes no more.
    pub fn is_closing(&self) -> bool {
        self.ended
    }

    /// What was recorded. `Err`: something that came is not durable.
    pub fn recorded(&self) -> (Recorded, bool) {
        let recorded = Recorded {
            blocks: self.blocks,
            bytes: self.bytes,
            dropped_bytes: self.dropped_bytes,
        };
        (recorded, self.lost || self.dropped_bytes > 0)
    }

    /// Asks for more bytes, if there is room for them; begins to drop if there has been none for too long.
    pub fn poll(&mut self, archive: &Archive, context: &mut Context) {
        if self.state != State::Open || self.in_flight != InFlight::Nothing || self.ended {
            return;
        }
        let block_bytes = archive.superblock.block_bytes;
        if archive.takes() && !archive.is_full() && self.ask(block_bytes, context) {
            self.starved_since = None;
            if self.dropping {
                self.dropping = false;
                let sentence = format!(
                    "Recorder {} takes bytes again; {} bytes were dropped so far.",
                    self.name, self.dropped_bytes
                );
                context.say(Code::RecordingResumed, &self.name.clone(), sentence);
            }
            return;
        }
        self.full = archive.is_full();
        context.ask_when_freed(Ready::Recorder(self.index));
        let since = *self.starved_since.get_or_insert(context.now.at);
        let patience = since + FEEDER_WAIT;
        if context.now.at < patience && !self.dropping {
            context.ask_at(Ready::Recorder(self.index), Some(patience));
            return;
        }
        self.in_flight = InFlight::Drain;
        context.submit(Op::Drain {
            feed: self.feed,
            until: context.now.at + FEEDER_WAIT,
        });
    }

    /// Asks the feed for bytes, if there is a block to fill with them.
    fn ask(&mut self, block_bytes: u32, context: &mut Context) -> bool {
        if self.filling.is_some() || !self.carry.is_empty() {
            return self.begin(block_bytes, context) && self.fill(block_bytes, context);
        }
        if !self.has_share(block_bytes, context) || !context.shared.pool.has(block_bytes) {
            return false;
        }
        let Some(page) = context.take(PAGE_BYTES) else { return false };
        // The first byte alone, so that we know when it came; a silent feeder costs nothing.
        self.in_flight = InFlight::First(page);
        context.submit(Op::Fill {
            feed: self.feed,
            into: page.part(0, 1),
            until: Instant { boot_ns: u64::MAX },
        });
        true
    }

    /// Half of the memory for one recorder at most: a slow disk must not take it from the others.
    fn has_share(&self, block_bytes: u32, context: &Context) -> bool {
        self.outstanding < (context.memory_bytes() / 2 / block_bytes).max(2)
    }

    /// Sees that there is a block to fill; it begins with what was carried.
    fn begin(&mut self, block_bytes: u32, context: &mut Context) -> bool {
        if self.filling.is_some() {
            return true;
        }
        if !self.has_share(block_bytes, context) {
            return false;
        }
        let Some(span) = context.take_to_fill(block_bytes) else {
            return false;
        };
        let carried = self.carry.len() as u32;
        context
            .memory
            .bytes_mut(span.part(SECTOR_BYTES, carried))
            .copy_from_slice(&self.carry);
        self.carry.clear();
        self.filling = Some(Filling {
            span,
            filled_bytes: carried,
            begun: context.now,
        });
        true
    }

    fn fill(&mut self, block_bytes: u32, context: &mut Context) -> bool {
        let Some(filling) = self.filling else { return false };
        let length = capacity_bytes(block_bytes) - filling.filled_bytes;
        self.in_flight = InFlight::Fill;
        context.submit(Op::Fill {
            feed: self.feed,
            into: filling.span.part(SECTOR_BYTES + filling.filled_bytes, length),
            until: filling.begun.at + self.flush_after,
        });
        true
    }

    /// Bytes have come, or time is up.
    pub fn on_filled(&mut self, bytes: u64, end: bool, archive: &mut Archive, context: &mut Context) {
        // A door that was closed meanwhile ends its feeder.
        let end = end || self.ended;
        match core::mem::replace(&mut self.in_flight, InFlight::Nothing) {
            InFlight::Nothing => {}
            InFlight::First(page) => self.on_first(page.part(0, bytes.min(1) as u32), page, end, archive, context),
            InFlight::Drain => {
                // A block does not go on over bytes that are missing.
                if (bytes > 0 || end) && self.filling.is_some() {
                    self.seal(false, true, archive, context);
                }
                self.on_drained(bytes, context);
            }
            InFlight::Fill => self.on_bytes(bytes, end, archive, context),
        }
        if end {
            self.end_feeder(context);
        }
        context.wake(Ready::Recorder(self.index));
    }

    /// A block can begin, or the feeder has ended without a byte more.
    fn on_first(&mut self, fresh: Span, page: Span, end: bool, archive: &mut Archive, context: &mut Context) {
        self.scanner.scan(context.memory.bytes(fresh));
        self.bytes += u64::from(fresh.length_bytes);
        // It is empty: nobody asks for a first byte otherwise.
        let _ = self.carry.extend_from_slice(context.memory.bytes(fresh));
        context.give(page);
        if end && !self.carry.is_empty() && self.begin(archive.superblock.block_bytes, context) {
            self.seal(false, true, archive, context);
        }
    }

    fn on_drained(&mut self, bytes: u64, context: &mut Context) {
        if bytes == 0 {
            return;
        }
        if !self.dropping {
            self.dropping = true;
            self.drops += 1;
            let why = if self.full {
                "its archive is full"
            } else {
                "its archive does not take them fast enough"
            };
            let sentence = format!("Recorder {} drops bytes: {why}.", self.name);
            context.say(Code::RecordingDropped, &self.name.clone(), sentence);
        }
        // Nothing of the stream follows what was carried.
        let carried = self.carry.len() as u64;
        self.carry.clear();
        self.bytes -= carried;
        self.dropped_bytes += bytes + carried;
        self.interrupted = true;
    }

    fn on_bytes(&mut self, bytes: u64, end: bool, archive: &mut Archive, context: &mut Context) {
        let Some(mut filling) = self.filling else { return };
        let bytes = bytes as u32;
        let fresh = filling.span.part(SECTOR_BYTES + filling.filled_bytes, bytes);
        self.scanner.scan(context.memory.bytes(fresh));
        filling.filled_bytes += bytes;
        self.bytes += u64::from(bytes);
        self.filling = Some(filling);
        let full = filling.filled_bytes == capacity_bytes(archive.superblock.block_bytes);
        let due = filling.begun.at + self.flush_after <= context.now.at;
        if full || end || due {
            self.seal(full, end, archive, context);
        }
    }

    /// There was no block for what was carried, and the next feeder's bytes do not belong behind it.
    fn lose_carried(&mut self, context: &mut Context) {
        let carried = self.carry.len() as u64;
        self.carry.clear();
        self.bytes -= carried;
        self.on_drained(carried, context);
    }

    fn end_feeder(&mut self, context: &mut Context) {
        self.lose_carried(context);
        self.interrupted = true;
        self.scanner = Scanner::new();
        // Its connection would stay its own for ever.
        if matches!(self.door, Door::Client(_)) && !self.ended {
            context.submit(Op::CloseFeed { feed: self.feed });
            self.ended = true;
        }
    }

    /// Makes a block of what has come and hands it to the archive.
    fn seal(&mut self, full: bool, end: bool, archive: &mut Archive, context: &mut Context) {
        let Some(mut filling) = self.filling else { return };
        let begun = filling.begun;
        let whole = if end {
            filling.filled_bytes
        } else {
            self.scanner.whole(filling.filled_bytes as usize) as u32
        };
        if whole == 0 {
            // Less than one packet in all that time: wait as long again.
            filling.begun = context.now;
            self.filling = Some(filling);
            return;
        }
        self.filling = None;
        context.shared.filling_bytes -= filling.span.length_bytes;
        let block = context.memory.bytes_mut(filling.span);
        let rest = &mut block[SECTOR_BYTES as usize + whole as usize..];
        let carried = (filling.filled_bytes - whole) as usize;
        self.carry.clear();
        // Less than a packet: it fits.
        let _ = self.carry.extend_from_slice(&rest[..carried]);
        rest.fill(0);

        let key = TrackKey {
            origin: archive.uuid,
            camera: self.camera.clone(),
            kind: self.kind,
        };
        let Some(track) = archive.own_track(&key, context) else {
            self.lose(filling.span, whole, context);
            return;
        };
        let (sector, room) = context.memory.bytes_mut(filling.span).split_at_mut(SECTOR_BYTES as usize);
        let payload = &room[..whole as usize];
        let tip = &archive.catalog.track(track).tip;
        let origin = Origin {
            key,
            epoch: archive.superblock.epoch,
            track_sequence: tip.next,
            container: self.scanner.container(),
            clock: begun.quality,
            key_frame: self.scanner.take_key_frame(),
            sealed_early: !full,
            discontinuity: core::mem::take(&mut self.interrupted),
            payload_bytes: whole,
            begin_utc_ns: begun.utc_ns,
            end_utc_ns: context.now.utc_ns,
            begin_boot_ns: begun.at.boot_ns,
            payload_digest: Digest(*blake3::hash(payload).as_bytes()),
            previous_origin: tip.hash,
            file: None,
        };
        header::encode_origin(sector, &origin, self.scanner.init());
        let hash = header::origin_hash(sector);
        let owner = Owner::Recorder(self.index);
        let block = Accepted {
            span: filling.span,
            track,
            origin,
            hash,
            lease: Lease::default(),
            fill: false,
            owner,
        };
        match archive.append(block, context) {
            Ok(()) => {
                self.blocks += 1;
                self.outstanding += 1;
            }
            Err(_) => self.lose(filling.span, whole, context),
        }
    }

    /// The archive does not take a block.
    fn lose(&mut self, span: Span, bytes: u32, context: &mut Context) {
        context.give(span);
        self.bytes -= u64::from(bytes);
        self.on_drained(u64::from(bytes), context);
    }

    /// A block of this recorder is durable, or never will be.
    pub fn on_settled(&mut self, payload_bytes: u32, durable: bool, context: &mut Context) {
        self.outstanding -= 1;
        if !durable {
            self.lost = true;
            self.blocks -= 1;
            self.bytes -= u64::from(payload_bytes);
            self.on_drained(u64::from(payload_bytes), context);
        }
        context.wake(Ready::Recorder(self.index));
    }

    /// Closes the door for good; what has come is sealed.
    pub fn close(&mut self, archive: &mut Archive, context: &mut Context) {
        context.submit(Op::CloseFeed { feed: self.feed });
        if self.in_flight == InFlight::Nothing {
            self.seal(false, true, archive, context);
            self.lose_carried(context);
        }
        self.ended = true;
    }

    /// For `status`.
    pub fn status(&self, archive: &Name) -> RecorderStatus {
        let listen = match &self.door {
            Door::Socket(path) => path.clone(),
            Door::Client(_) => String::new(),
        };
        RecorderStatus {
            name: self.name.clone(),
            archive: archive.clone(),
            camera: self.camera.clone(),
            kind: self.kind,
            listen,
            why: String::from(self.why()),
            blocks: self.blocks,
            bytes: self.bytes,
            dropped_bytes: self.dropped_bytes,
            drops: self.drops,
        }
    }
}

/// Stream bytes that one block takes: whole packets, whatever the container is.
pub(crate) fn capacity_bytes(block_bytes: u32) -> u32 {
    payload_capacity_bytes(block_bytes) / PACKET_BYTES * PACKET_BYTES
}

/// A name for the recorder of a control client.
pub fn client_name(client: ClientId) -> Option<Name> {
    format!("stdin-{}", client.0).parse().ok()
}
