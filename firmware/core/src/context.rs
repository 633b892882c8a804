//! What every part of the core is handed while one event is handled: clocks, memory, ops, and the shared tables.

use alloc::collections::BTreeSet;
use alloc::string::String;
use hal::{Memory, Moment, Op, Ops, Span, Tag};

use crate::control::types::RunRecord;
use crate::entropy::Entropy;
use crate::haul::history::History;
use crate::haul::pace::NicPaces;
use crate::journal::{Code, Journal};
use crate::memory::Pool;
use crate::purpose::Purpose;
use crate::ready::ReadyList;
use crate::tags::Tags;
use crate::timers::Timers;

/// Tables that belong to no single part.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shared {
    /// Free block memory.
    pub pool: Pool,
    /// Bytes of blocks that recorders are filling now.
    pub filling_bytes: u32,
    /// Ops in flight.
    pub tags: Tags<Purpose>,
    /// Events for people.
    pub journal: Journal,
    /// How much may be sent over interfaces.
    pub nics: NicPaces,
    /// Random numbers.
    pub entropy: Entropy,
    /// Parts that have something to decide after this event.
    pub ready: ReadyList,
    /// Parts that want to be asked again later.
    pub timers: Timers,
    /// Runs of the past.
    pub history: History,
    /// Parts that wait for block memory.
    pub starved: ReadyList,
    /// Checkpoints that readers could not use, by archive and log sequence.
    pub suspects: BTreeSet<(usize, u64)>,
}

/// A part that may have something to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ready {
    /// An archive: what was appended, settled or opened.
    Archive(usize),
    /// A recorder.
    Recorder(usize),
    /// A job.
    Job(usize),
    /// A link that came in.
    Incoming(hal::LinkId),
    /// A long call of a control client.
    Reading(hal::ClientId),
    /// Whoever looks after the retention of an archive.
    Keeper(usize),
    /// The reading for damage in the background of an archive.
    Scrub(usize),
    /// Calls that wait for something.
    Waiting,
    /// Ops that a device has not answered.
    Silence,
    /// Reads that are submitted again after a while.
    Again,
    /// Rules on events.
    Macros,
    /// A card.
    Card(usize),
}

/// One event's surroundings.
pub struct Context<'a> {
    /// The clocks.
    pub now: Moment,
    /// The block memory.
    pub memory: &'a mut dyn Memory,
    /// What is to be done.
    pub ops: &'a mut Ops,
    /// Tables that belong to no single part.
    pub shared: &'a mut Shared,
}

impl Context<'_> {
    /// A tag for an op with that purpose.
    pub fn tag(&mut self, purpose: Purpose) -> Tag {
        self.shared.tags.put(purpose, self.now.at)
    }

    /// Something happened that a person may want to know.
    pub fn say(&mut self, code: Code, subject: &str, sentence: String) {
        self.shared.journal.say(self.now, self.ops, code, subject, sentence);
        self.wake(Ready::Waiting);
        self.wake(Ready::Macros);
    }

    /// A run has begun or ended: it is remembered, and people are told.
    pub fn say_run(&mut self, run: RunRecord, code: Code, subject: &str, sentence: String) {
        self.shared.history.put(run.clone());
        self.shared
            .journal
            .say_of(Some(run), self.now, self.ops, code, subject, sentence);
        self.wake(Ready::Waiting);
        self.wake(Ready::Macros);
    }

    /// Lets a part decide before this event is over.
    pub fn wake(&mut self, ready: Ready) {
        self.shared.ready.put(ready);
    }

    /// Asks a part again at that time at the latest.
    pub fn ask_at(&mut self, ready: Ready, at: Option<hal::Instant>) {
        // Never now: a part that cannot do anything about a time that has come would be asked without end.
        let soonest = self.now.at + core::time::Duration::from_millis(1);
        self.shared.timers.set(ready, at.map(|at| at.max(soonest)));
    }

    /// A reader could not use a checkpoint of an archive: the archive looks at it itself.
    pub fn suspect(&mut self, archive: usize, sequence: u64) {
        self.shared.suspects.insert((archive, sequence));
        self.wake(Ready::Archive(archive));
    }

    /// The next of an archive to be looked at.
    pub fn next_suspect(&self, archive: usize) -> Option<u64> {
        let mut mine = self.shared.suspects.range((archive, 0)..=(archive, u64::MAX));
        mine.next().map(|(_, sequence)| *sequence)
    }

    /// It is looked at.
    pub fn clear_suspect(&mut self, archive: usize, sequence: u64) {
        self.shared.suspects.remove(&(archive, sequence));
    }

    /// Asks a part again when block memory has come back.
    pub fn ask_when_freed(&mut self, ready: Ready) {
        self.shared.starved.put(ready);
    }

    /// Size of the block memory.
    pub fn memory_bytes(&self) -> u32 {
        self.shared.pool.size_bytes()
    }

    /// Block memory that recording does not need: of what recorders are not filling now, a quarter is kept free for the blocks they
    /// fill next and for system blocks.
    pub fn take_spare(&mut self, length_bytes: u32) -> Option<Span> {
        self.take_keeping(self.unrecorded_bytes() / 4, length_bytes)
    }

    /// The same for whoever has some already and only goes faster with more: half of it is kept free. What waits for a peer may not come
    /// back for long, and must not keep others from their first block.
    pub fn take_ahead(&mut self, length_bytes: u32) -> Option<Span> {
        self.take_keeping(self.unrecorded_bytes() / 2, length_bytes)
    }

    /// Size of the block memory without the blocks that recorders are filling now. They hold these for as long as their cameras send:
    /// what is kept free beside them comes out of the rest, or many cameras would leave nothing for hauling, ever.
    pub fn unrecorded_bytes(&self) -> u32 {
        self.shared.pool.size_bytes() - self.shared.filling_bytes
    }

    /// A block that a recorder fills; it takes its length from [`Shared::filling_bytes`] when it is sealed.
    pub fn take_to_fill(&mut self, block_bytes: u32) -> Option<Span> {
        let span = self.shared.pool.take(block_bytes)?;
        self.shared.filling_bytes += block_bytes;
        Some(span)
    }

    fn take_keeping(&mut self, kept_bytes: u32, length_bytes: u32) -> Option<Span> {
        let pool = &mut self.shared.pool;
        if pool.free_bytes() < kept_bytes + length_bytes {
            None
        } else {
            pool.take(length_bytes)
        }
    }

    /// Block memory in one piece.
    pub fn take(&mut self, length_bytes: u32) -> Option<Span> {
        self.shared.pool.take(length_bytes)
    }

    /// Block memory back.
    pub fn give(&mut self, span: Span) {
        self.shared.pool.give(span);
    }

    /// An op without an event of its own, or whose event carries no tag.
    pub fn submit(&mut self, op: Op) {
        if let Op::Read {
            tag,
            volume,
            at_bytes,
            into,
        } = &op
        {
            self.shared.tags.note_read(*tag, *volume, *at_bytes, *into);
        }
        if let Op::Close { volume, .. } = &op {
            self.shared.tags.let_go(*volume, self.now.at);
            self.ask_at(Ready::Again, self.shared.tags.next_due());
        }
        self.ops.push(op);
    }
}
