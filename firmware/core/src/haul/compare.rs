//! The target's answers to a source that asks which blocks of a track are whole here: read from the medium, found by the index. And,
//! one at a time between them, which times are covered here (`cover.rs`).
//!
//! What was asked is compared together: one search for the place where the oldest of it may lie, one walk from there, then the runs of
//! fills. Few blocks are read ahead, into memory that recording and hauling do not need.
//!
//! Invariants: a block counts as there if all of it passed its check in this comparison; nothing is changed; what is kept is bounded
//! by what a link may ask at once.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec;
use alloc::vec::Vec;
use hal::{Digest, IoError, LinkId};

use super::cover::Cover;
use super::wire::{COMPARE_SPAN, Numbers};
use crate::archive::catalog::hash_prefix;
use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::format::checkpoint::Entry;
use crate::format::header::Header;
use crate::format::{Tip, TrackKey};
use crate::limits::{COMPARED_BLOCKS_MAX, COMPARES_MAX, HEADERS_AHEAD};
use crate::seeded::{Bug, has};

/// Blocks that are read ahead: whoever records or hauls goes first.
const AHEAD: usize = 2;

/// What a link has asked and was not told yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Compares {
    reader: Reader,
    /// Not begun.
    waiting: VecDeque<Ask>,
    /// Being compared together.
    asks: Vec<Ask>,
    /// Asked which times are covered, and not begun.
    covers: VecDeque<Cover>,
    stage: Stage,
    /// All lower log sequences were durable when the present comparison began.
    durable: u64,
    /// Nobody wants the answers any more.
    abandoned: bool,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Ask {
    /// Number of the track on the link.
    number: u32,
    id: TrackId,
    from: u64,
    /// First number of the track that was not durable when the search began: nothing from there on is looked at.
    below: u64,
    has: Numbers,
    /// Looked at or known to be elsewhere: the walk need not go on for them.
    seen: Numbers,
    /// First bytes of the origin hashes of those that are whole here.
    there: BTreeMap<u64, u64>,
    /// The same by the index, whether they are whole or not.
    indexed: BTreeMap<u64, u64>,
    /// First number of the track that the walk met.
    first_met: Option<u64>,
    /// The walk is beyond them.
    passed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Stage {
    Idle,
    Seek(Seek),
    /// Through the log, perhaps from the oldest block of a ring that has given up others.
    Log {
        walk: Walk,
        from_oldest: bool,
    },
    /// Through a run of fills.
    Fills {
        walk: Walk,
        from_oldest: bool,
    },
    /// Where the time begins that is asked for.
    CoverSeek(Cover, Seek),
    /// Through the headers from there on.
    CoverLog(Cover, Walk),
}

/// What can be answered.
pub enum Answered {
    /// Which blocks are whole.
    Blocks(Answer),
    /// Which times are covered.
    Times(Cover),
}

/// One answer.
pub struct Answer {
    /// Number of the track on the link.
    pub number: u32,
    /// As asked.
    pub from: u64,
    /// Whole here.
    pub there: Numbers,
    /// To be sent.
    pub wanted: Numbers,
    /// Of the wanted ones, the first bytes of the origin hashes that the index here names.
    pub indexed: BTreeMap<u64, u64>,
    /// Over those that are there.
    pub hash: Digest,
    /// What became durable at or behind this log sequence was not looked at.
    pub durable: u64,
}

/// The hash of a comparison: over the first bytes of origin hashes, in the order of the numbers.
pub fn hash_of(prefixes: impl Iterator<Item = u64>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for prefix in prefixes {
        hasher.update(&prefix.to_le_bytes());
    }
    Digest(*hasher.finalize().as_bytes())
}

impl Ask {
    fn holds(&self, id: TrackId, number: u64) -> Option<u64> {
        let at = number.checked_sub(self.from).filter(|_| id == self.id)?;
        self.has.has(at).then_some(at)
    }

    fn is_done(&self) -> bool {
        self.passed || self.has.iter().all(|at| self.seen.has(at))
    }

    /// The walk meets a block that is no fill, by its index or its header. True if it is asked for.
    fn meet(&mut self, id: TrackId, number: u64, prefix: u64) -> bool {
        if id != self.id {
            return false;
        }
        self.first_met.get_or_insert(number);
        self.passed |= number >= self.from + COMPARE_SPAN;
        let Some(at) = self.holds(id, number) else { return false };
        self.seen.add(at);
        self.indexed.insert(at, prefix);
        true
    }

    fn answer(self, from_oldest: bool, durable: u64) -> Answer {
        // What a ring has given up is not to be sent again: it would push out what is there.
        let floor = if from_oldest { self.first_met.unwrap_or(u64::MAX) } else { 0 };
        let (mut there, mut wanted) = (Numbers::default(), Numbers::default());
        for at in self.has.iter() {
            let number = self.from + at;
            if self.there.contains_key(&at) && !has(Bug::FillOverGood) {
                there.add(at);
            } else if number >= floor && number < self.below {
                wanted.add(at);
            }
        }
        Answer {
            number: self.number,
            from: self.from,
            there,
            wanted,
            indexed: self.indexed,
            hash: hash_of(self.there.into_values()),
            durable,
        }
    }
}

impl Compares {
    /// Of a link that has asked nothing.
    pub fn new(link: LinkId) -> Compares {
        Compares {
            reader: Reader::Compare(link),
            waiting: VecDeque::new(),
            asks: Vec::new(),
            covers: VecDeque::new(),
            stage: Stage::Idle,
            durable: 0,
            abandoned: false,
        }
    }

    /// Takes a question in. False if it is more than a link may ask at once.
    pub fn ask(&mut self, number: u32, id: TrackId, from: u64, has: Numbers) -> bool {
        let all = || self.waiting.iter().chain(&self.asks);
        let blocks: u64 = all().map(|ask| ask.has.count()).sum();
        if !has.fits() || all().count() >= COMPARES_MAX || blocks + has.count() > COMPARED_BLOCKS_MAX as u64 {
            return false;
        }
        self.waiting.push_back(Ask {
            number,
            id,
            from,
            below: 0,
            has,
            seen: Numbers::default(),
            there: BTreeMap::new(),
            indexed: BTreeMap::new(),
            first_met: None,
            passed: false,
        });
        true
    }

    /// Takes a question about times in. False if it is more than a link may ask at once.
    pub fn ask_cover(&mut self, cover: Cover) -> bool {
        let fits = self.covers.len() < COMPARES_MAX;
        if fits {
            self.covers.push_back(cover);
        }
        fits
    }

    /// Drops every question; the tracks that they were about.
    pub fn abandon(&mut self) -> Vec<u32> {
        self.abandoned = !matches!(self.stage, Stage::Idle);
        let dropped = self.waiting.drain(..).chain(self.asks.drain(..));
        let mut dropped: Vec<u32> = dropped.map(|ask| ask.number).collect();
        dropped.extend(self.covers.drain(..).map(|cover| cover.number));
        if let Stage::CoverSeek(cover, _) | Stage::CoverLog(cover, _) = &self.stage {
            dropped.push(cover.number);
        }
        dropped
    }

    /// Goes on; the answers that are ready.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Vec<Answered> {
        loop {
            if self.abandoned {
                if !self.is_quiet() {
                    return Vec::new();
                }
                self.finish(context);
            }
            let next = match core::mem::replace(&mut self.stage, Stage::Idle) {
                Stage::Idle if !archive.gives() => return Vec::new(),
                Stage::Idle if self.waiting.is_empty() => match self.begin_cover(archive, context) {
                    Some(stage) => stage,
                    None => return Vec::new(),
                },
                Stage::Idle => match self.begin(archive, context) {
                    Some(stage) => stage,
                    None => return Vec::new(),
                },
                Stage::CoverSeek(cover, seek) => {
                    let Some(sequence) = seek.found(archive) else {
                        self.stage = Stage::CoverSeek(cover, seek);
                        return Vec::new();
                    };
                    seek.finish(context);
                    let end = Some(archive.log.durable);
                    let walk = Walk::new(self.reader, Depth::Header, sequence, end, false, HEADERS_AHEAD);
                    Stage::CoverLog(cover, walk)
                }
                Stage::CoverLog(mut cover, mut walk) => {
                    if !Compares::look(&mut cover, &mut walk, archive, context) {
                        self.stage = Stage::CoverLog(cover, walk);
                        return Vec::new();
                    }
                    return vec![Answered::Times(cover)];
                }
                Stage::Seek(seek) => {
                    let Some(sequence) = seek.found(archive) else {
                        self.stage = Stage::Seek(seek);
                        return Vec::new();
                    };
                    seek.finish(context);
                    let oldest = archive.oldest();
                    Stage::Log {
                        walk: self.walk(sequence, self.durable),
                        from_oldest: oldest > 0 && sequence == oldest,
                    }
                }
                Stage::Log { mut walk, from_oldest } => {
                    if !self.go_on(&mut walk, false, archive, context) {
                        self.stage = Stage::Log { walk, from_oldest };
                        return Vec::new();
                    }
                    match self.next_fills(0, archive) {
                        Some(walk) => Stage::Fills { walk, from_oldest },
                        None => return self.answers(from_oldest),
                    }
                }
                Stage::Fills { mut walk, from_oldest } => {
                    if !self.go_on(&mut walk, true, archive, context) {
                        self.stage = Stage::Fills { walk, from_oldest };
                        return Vec::new();
                    }
                    match self.next_fills(walk.position(), archive) {
                        Some(walk) => Stage::Fills { walk, from_oldest },
                        None => return self.answers(from_oldest),
                    }
                }
            };
            self.stage = next;
        }
    }

    /// Begins with everything that waits. None if block memory is short.
    fn begin(&mut self, archive: &Archive, context: &mut Context) -> Option<Stage> {
        let Some(seek) = Seek::start(self.reader, archive, context) else {
            context.ask_when_freed(self.reader.ready());
            return None;
        };
        self.durable = archive.log.durable;
        self.asks = self.waiting.drain(..).collect();
        for ask in &mut self.asks {
            let next = archive.catalog.track(ask.id).durable_next;
            ask.below = next;
            for at in ask.has.iter() {
                let number = ask.from + at;
                let elsewhere = number >= next
                    || archive.catalog.gap_at(ask.id, number).is_some()
                    || archive.catalog.fills_at(ask.id, number).is_some();
                if elsewhere {
                    ask.seen.add(at);
                }
            }
        }
        Some(Stage::Seek(seek))
    }

    /// Begins with the next question about times. None if there is none, or block memory is short.
    fn begin_cover(&mut self, archive: &Archive, context: &mut Context) -> Option<Stage> {
        let mut cover = self.covers.front()?.clone();
        let Some(seek) = Seek::start(self.reader, archive, context) else {
            context.ask_when_freed(self.reader.ready());
            return None;
        };
        self.covers.pop_front();
        cover.begin(archive);
        Some(Stage::CoverSeek(cover, seek))
    }

    /// Looks through headers, as far as it can now. True at the end.
    fn look(cover: &mut Cover, walk: &mut Walk, archive: &mut Archive, context: &mut Context) -> bool {
        loop {
            if cover.is_done_at(walk.position()) {
                walk.end_here();
            }
            let mut wanted = |_: u64, id: TrackId, entry: &Entry| Wish::take(cover.wants(id, entry));
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { span, header, .. } => {
                    context.give(span);
                    if let Some(origin) = &header.origin {
                        cover.on_header(origin, archive);
                    }
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return false,
                Step::End => return true,
            }
        }
    }

    fn walk(&self, from: u64, end: u64) -> Walk {
        Walk::new(self.reader, Depth::Proof, from, Some(end), false, AHEAD)
    }

    /// Reads what was asked for, as far as it can now. True at the end.
    fn go_on(&mut self, walk: &mut Walk, fills: bool, archive: &mut Archive, context: &mut Context) -> bool {
        let asks = &mut self.asks;
        loop {
            if !fills && asks.iter().all(Ask::is_done) {
                walk.end_here();
            }
            let mut wanted = |_: u64, id: TrackId, entry: &Entry| {
                let mut any = false;
                for ask in asks.iter_mut() {
                    any |= match (fills, entry.fill) {
                        (false, false) => ask.meet(id, entry.track_sequence, entry.hash_prefix),
                        (true, true) => ask
                            .holds(id, entry.track_sequence)
                            .is_some_and(|at| !ask.there.contains_key(&at)),
                        (true, false) | (false, true) => false,
                    };
                }
                Wish::take(any)
            };
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { span, header, .. } => {
                    context.give(span);
                    Compares::note(asks, &header, archive);
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return false,
                Step::End => return true,
            }
        }
    }

    /// A block is whole.
    fn note(asks: &mut [Ask], header: &Header, archive: &Archive) {
        let Some(origin) = &header.origin else { return };
        let Some(id) = archive.catalog.find(&origin.key) else { return };
        let prefix = hash_prefix(&header.origin_hash);
        for ask in asks {
            if !header.placement.fill {
                ask.meet(id, origin.track_sequence, prefix);
            }
            if let Some(at) = ask.holds(id, origin.track_sequence) {
                ask.there.insert(at, prefix);
            }
        }
    }

    /// A walk through the next run that holds something asked for and not found, of those that begin at or behind a log sequence.
    fn next_fills(&self, behind: u64, archive: &Archive) -> Option<Walk> {
        let lacks = |(id, run): &(TrackId, crate::format::checkpoint::Fills)| {
            self.asks.iter().filter(|ask| ask.id == *id).any(|ask| {
                let lacking = ask.has.iter().filter(|at| !ask.there.contains_key(at));
                lacking
                    .map(|at| ask.from + at)
                    .any(|number| (run.from..run.to).contains(&number))
            })
        };
        // What becomes durable from now on is not looked at.
        let runs = archive
            .catalog
            .fills()
            .filter(|(_, run)| run.log_to > behind && behind.max(run.log_from) < self.durable);
        let run = runs.filter(lacks).min_by_key(|(_, run)| run.log_from)?.1;
        Some(self.walk(run.log_from.max(behind), run.log_to.min(self.durable)))
    }

    fn answers(&mut self, from_oldest: bool) -> Vec<Answered> {
        let asks = core::mem::take(&mut self.asks);
        let durable = self.durable;
        let answers = asks.into_iter().map(|ask| ask.answer(from_oldest, durable));
        answers.map(Answered::Blocks).collect()
    }

    /// A block has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Stage::Log { walk, .. } | Stage::Fills { walk, .. } | Stage::CoverLog(_, walk) = &mut self.stage {
            walk.on_read(sequence, result, archive, context);
        }
    }

    /// A checkpoint part has been read.
    pub fn on_sought(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        let asks = &self.asks;
        let before = |key: &TrackKey, next: u64| {
            let id = archive.catalog.find(key);
            asks.iter().filter(|ask| Some(ask.id) == id).all(|ask| next <= ask.from)
        };
        let mut holds = |tips: &[Tip]| tips.iter().all(|tip| before(&tip.key, tip.next));
        match &mut self.stage {
            Stage::Seek(seek) => seek.on_read(result, archive, &mut holds, context),
            Stage::CoverSeek(cover, seek) => seek.on_read(result, archive, &mut |tips| cover.holds(tips, archive), context),
            Stage::Idle | Stage::Log { .. } | Stage::Fills { .. } | Stage::CoverLog(..) => {}
        }
    }

    /// Whether no read is in flight.
    pub fn is_quiet(&self) -> bool {
        match &self.stage {
            Stage::Idle => true,
            Stage::Seek(seek) | Stage::CoverSeek(_, seek) => seek.is_quiet(),
            Stage::Log { walk, .. } | Stage::Fills { walk, .. } | Stage::CoverLog(_, walk) => walk.is_quiet(),
        }
    }

    /// Gives all memory back. No read may be in flight.
    pub fn finish(&mut self, context: &mut Context) {
        self.abandoned = false;
        match core::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => {}
            Stage::Seek(seek) | Stage::CoverSeek(_, seek) => seek.finish(context),
            Stage::Log { walk, .. } | Stage::Fills { walk, .. } | Stage::CoverLog(_, walk) => walk.finish(context),
        }
    }
}
