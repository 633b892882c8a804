//! `export` of a camera that several origins have: one stream of bytes, in the order of time, and nothing twice but at the seams.
//!
//! Headers are looked through first (`turns.rs`), then the blocks are read, turn by turn. Blocks are never cut: one that lies partly in
//! what another origin has comes whole.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::format;
use hal::{ClientId, IoError, Span};

use super::turns::{Plan, Turn};
use super::{Chunks, Progress, SENDING_MAX};
use crate::archive::creation::refusal;
use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::control::types::{ExportCall, Exported, ExportedOrigin, Hole, MissingWhat, RefusalCode};
use crate::format::checkpoint::Entry;
use crate::format::header::Header;
use crate::format::{Tip, TrackKey};
use crate::limits::{HEADERS_AHEAD, MISSING_MAX, READ_AHEAD, TURNS_MAX};

/// An export of several tracks that is on.
#[derive(Clone, Debug, Hash)]
pub struct Merged {
    /// Place of the archive.
    pub archive: usize,
    /// What was sent so far.
    pub exported: Exported,
    /// Chunks on their way.
    pub chunks: Chunks,
    pub(in crate::control) seek: Option<Seek>,
    pub(in crate::control) walk: Option<Walk>,
    call: ExportCall,
    plan: Plan,
    /// Where in the log looking begins, and where it ends.
    from: u64,
    end: u64,
    is_planned: bool,
    turns: VecDeque<Turn>,
    /// Next number of the turn that is on.
    next: u64,
    /// Of the block that was sent last: its track, and the number behind it.
    before: Option<(TrackKey, u64)>,
}

impl Merged {
    /// Begins. None if block memory is short.
    pub fn start(
        client: ClientId,
        call: ExportCall,
        tracks: &BTreeSet<TrackId>,
        archive: &Archive,
        context: &mut Context,
    ) -> Option<Merged> {
        let seek = match call.from_utc_ns {
            Some(_) => Some(Seek::start(Reader::Client(client), archive, context)?),
            None => None,
        };
        let plan = Plan::new(tracks, (call.from_utc_ns, call.to_utc_ns));
        let mut merged = Merged {
            archive: archive.index,
            exported: Exported::default(),
            chunks: Chunks::of(client),
            seek,
            walk: None,
            call,
            plan,
            from: archive.oldest(),
            end: archive.log.durable,
            is_planned: false,
            turns: VecDeque::new(),
            next: 0,
            before: None,
        };
        if merged.seek.is_none() {
            merged.look_from_the_beginning();
        }
        Some(merged)
    }

    fn reader(&self) -> Reader {
        Reader::Client(self.chunks.client)
    }

    fn look_from_the_beginning(&mut self) {
        let (from, end) = (self.from, Some(self.end));
        self.walk = Some(Walk::new(self.reader(), Depth::Header, from, end, false, HEADERS_AHEAD));
    }

    /// A checkpoint part has been read.
    pub fn on_sought(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        let (from, plan) = (self.call.from_utc_ns.unwrap_or(i64::MIN), &self.plan);
        let mut holds = |tips: &[Tip]| {
            tips.iter().all(|tip| {
                let track = archive.catalog.find(&tip.key);
                !track.is_some_and(|track| plan.looks_at(track)) || tip.last_utc_ns <= from
            })
        };
        if let Some(seek) = &mut self.seek {
            seek.on_read(result, archive, &mut holds, context);
        }
    }

    /// Goes on as far as headers and blocks have been read and the client takes them.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        if let Some(seek) = &self.seek {
            let Some(sequence) = seek.found(archive) else {
                return Progress::On;
            };
            if let Some(seek) = self.seek.take() {
                seek.finish(context);
            }
            self.from = sequence;
            self.look_from_the_beginning();
        }
        while !self.is_planned {
            if let Err(progress) = self.look(archive, context) {
                return progress;
            }
        }
        while self.chunks.sending < SENDING_MAX {
            if self.walk.is_none() {
                let Some(turn) = self.turns.front() else {
                    return self.at_end();
                };
                self.next = turn.numbers.start;
                let (from, end) = (turn.log.start, Some(turn.log.end));
                self.walk = Some(Walk::new(self.reader(), Depth::Proof, from, end, false, READ_AHEAD));
            }
            let (Some(walk), Some(turn)) = (&mut self.walk, self.turns.front()) else {
                return Progress::On;
            };
            let is_mine = |track, number, fill| track == turn.track && fill == turn.fill && turn.numbers.contains(&number);
            let mut wanted = |_: u64, track: TrackId, entry: &Entry| Wish::take(is_mine(track, entry.track_sequence, entry.fill));
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { sequence, span, header } => {
                    let origin = header.origin.as_ref();
                    let track = origin.and_then(|origin| archive.catalog.find(&origin.key));
                    let number = origin.map(|origin| origin.track_sequence);
                    match track.zip(number) {
                        Some((track, number)) if is_mine(track, number, header.placement.fill) && number >= self.next => {
                            if !self.on_block(span, &header, archive, context) {
                                if let Some(walk) = &mut self.walk {
                                    walk.put_back(sequence, span, header);
                                }
                                return Progress::On;
                            }
                        }
                        Some(_) | None => context.give(span),
                    }
                }
                // Its number will be found to be missing.
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return Progress::On,
                Step::End => self.end_turn(archive, context),
            }
        }
        Progress::On
    }

    /// Looks through headers. `Err` if that does not go on now, or not at all.
    fn look(&mut self, archive: &mut Archive, context: &mut Context) -> Result<(), Progress> {
        let (plan, to) = (&mut self.plan, self.call.to_utc_ns.unwrap_or(i64::MAX));
        let walk = self.walk.as_mut().ok_or(Progress::On)?;
        loop {
            let mut wanted = |_: u64, track: TrackId, entry: &Entry| Wish::take(plan.looks_at(track) && entry.begin_utc_ns < to);
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { sequence, span, header } => {
                    context.give(span);
                    if let Some(origin) = &header.origin
                        && let Some(track) = archive.catalog.find(&origin.key).filter(|track| plan.looks_at(*track))
                    {
                        plan.on_header(track, sequence, header.placement.fill, origin, archive);
                    }
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return Err(Progress::On),
                Step::End => break,
            }
            if plan.is_too_long() {
                let sentence = format!("This camera was recorded in more than {TURNS_MAX} pieces in that time.");
                let next = "Narrow it with --from and --to, or name one --origin.";
                return Err(Progress::Refused(refusal(RefusalCode::Refused, sentence, next)));
            }
        }
        if let Some(walk) = self.walk.take() {
            walk.finish(context);
        }
        if self.plan.end_pass(archive) {
            self.look_from_the_beginning();
            return Ok(());
        }
        self.is_planned = true;
        let turns = self.plan.turns(archive).map_err(|(one, other)| {
            let sentence =
                format!("What {one} and {other} have of this camera cannot be put into one file: the containers differ.");
            Progress::Refused(refusal(RefusalCode::Refused, sentence, "Name one with --origin."))
        })?;
        self.turns = turns.into();
        (self.exported.missing, self.exported.holes) = self.plan.holes(archive);
        let is_damaged = |hole: &&Hole| hole.what == MissingWhat::Damaged;
        let damaged = self.exported.holes.iter().filter(is_damaged);
        self.exported.damaged = damaged.map(|hole| hole.to - hole.from).sum();
        self.exported.left_out = self.plan.left_out(archive);
        let origins = self.plan.row().into_iter().map(|(track, left_out)| ExportedOrigin {
            origin: archive.catalog.track(track).tip.key.origin,
            blocks: 0,
            bytes: 0,
            left_out,
        });
        self.exported.origins = origins.collect();
        Ok(())
    }

    /// The turn is over; what did not come of it is damaged.
    fn end_turn(&mut self, archive: &Archive, context: &mut Context) {
        if let Some(walk) = self.walk.take() {
            walk.finish(context);
        }
        if let Some(turn) = self.turns.pop_front() {
            self.lose(turn.track, turn.numbers.end, archive);
        }
    }

    /// Blocks up to a number should have come.
    fn lose(&mut self, track: TrackId, to: u64, archive: &Archive) {
        let lost = to.saturating_sub(self.next);
        if lost == 0 {
            return;
        }
        self.exported.missing += lost;
        self.exported.damaged += lost;
        if self.exported.holes.len() < MISSING_MAX {
            self.exported.holes.push(Hole {
                from: self.next,
                to,
                what: MissingWhat::Damaged,
                origin: Some(archive.catalog.track(track).tip.key.origin),
            });
        }
    }

    fn at_end(&mut self) -> Progress {
        match &self.before {
            _ if self.chunks.sending > 0 => Progress::On,
            Some(_) => Progress::Done,
            None => Progress::Nothing,
        }
    }

    /// Sends a block. False if there is no memory for it now.
    fn on_block(&mut self, span: Span, header: &Header, archive: &Archive, context: &mut Context) -> bool {
        let Some(origin) = &header.origin else { return true };
        let (track, number) = (archive.catalog.find(&origin.key), origin.track_sequence);
        let before = self.before.as_ref().map(|(key, next)| (key, *next));
        if !self.chunks.block(span, origin, before, self.call.manifest, context) {
            return false;
        }
        if let Some(track) = track {
            self.lose(track, number, archive);
        }
        self.next = number + 1;
        self.before = Some((origin.key.clone(), number + 1));
        self.exported.blocks += 1;
        self.exported.bytes += u64::from(origin.payload_bytes);
        let share = self
            .exported
            .origins
            .iter_mut()
            .find(|share| share.origin == origin.key.origin);
        if let Some(share) = share {
            share.blocks += 1;
            share.bytes += u64::from(origin.payload_bytes);
        }
        true
    }

    /// Whether something was sent.
    pub fn has_begun(&self) -> bool {
        self.before.is_some()
    }
}
