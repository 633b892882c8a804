//! A full run: what the target lacks below its tips is found and sent.
//!
//! The source's log is gone through in stretches of one index segment. For each track in it the target is asked which of its blocks
//! are whole there; what is not is read here, with proof, and sent as fills. The next stretch begins when all of that is durable, so
//! that how far it has come may outlive the link. New blocks go first.
//!
//! A run that only looks asks the same and sends nothing.
//!
//! Invariants: nothing is sent that the target has not asked for; a stretch that was disturbed is compared again, which sends
//! nothing twice, because the target looks at its medium each time.

use alloc::string::String;

use super::*;
use crate::archive::walk::Wish;
use crate::haul::compare::hash_of;
use crate::haul::wire::{COMPARE_SPAN, Numbers};
use crate::limits::COMPARES_MAX;

/// Blocks of which the index says nothing are read ahead that far.
const AHEAD: usize = 2;

/// A full run, as far as it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Full {
    /// Log sequence at which it ends; known when the target has caught up.
    end: Option<u64>,
    /// First log sequence of the log when it began.
    begin: u64,
    /// All lower log sequences are compared, and what the target lacked of them is durable there.
    at: u64,
    /// Everything is.
    pub done: bool,
    /// Blocks compared.
    pub compared: u64,
    /// Blocks that the target lacked and has now.
    pub sent: u64,
    /// Blocks that neither has whole.
    pub lost: u64,
    /// It only looks.
    pub dry_run: bool,
    /// If so, the blocks that the target lacks.
    pub lacking: u64,
}

impl Full {
    /// One that begins now.
    pub fn new(dry_run: bool) -> Full {
        Full {
            dry_run,
            ..Full::default()
        }
    }

    /// Log sequences that are done with, and all of them.
    pub fn progress(&self) -> (u64, u64) {
        let total = self.end.map_or(0, |end| end.saturating_sub(self.begin));
        (self.at.saturating_sub(self.begin).min(total), total)
    }
}

/// The part of it that lasts as long as a link.
#[derive(Clone, Debug, Hash)]
pub(super) struct Reconcile {
    reader: Reader,
    stage: Stage,
    /// End of the stretch.
    to: u64,
    /// What the stretch has, by number of the track on this link, number of the block, and log sequence.
    known: Vec<Known>,
    asks: Vec<Ask>,
    /// Of them, those that were sent, and those that were answered.
    asked: usize,
    answered: usize,
    /// Blocks that the target lacks and that were not sent yet.
    lacking: BTreeSet<(u32, u64)>,
    /// Sent and not durable there: payload bytes.
    sent: BTreeMap<(u32, u64), u64>,
    /// Made durable there in this stretch.
    filled: u64,
    /// The stretch is to be begun again.
    again: bool,
}

#[derive(Clone, Debug, Hash)]
enum Stage {
    Rest,
    /// The index of the stretch is being read.
    Index(Walk),
    /// Answers are awaited.
    Asking,
    /// What is lacking is read and sent.
    Fetch(Walk),
    /// What was sent becomes durable there.
    Settling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Known {
    track: u32,
    number: u64,
    log_sequence: u64,
    prefix: u64,
}

#[derive(Clone, Debug, Hash)]
struct Ask {
    track: u32,
    from: u64,
    has: Numbers,
    answered: bool,
}

impl Reconcile {
    pub fn new(job: usize) -> Reconcile {
        Reconcile {
            reader: Reader::Reconcile(job),
            stage: Stage::Rest,
            to: 0,
            known: Vec::new(),
            asks: Vec::new(),
            asked: 0,
            answered: 0,
            lacking: BTreeSet::new(),
            sent: BTreeMap::new(),
            filled: 0,
            again: false,
        }
    }

    /// What is still being read when the link is gone.
    pub fn end(self) -> Option<Walk> {
        match self.stage {
            Stage::Index(walk) | Stage::Fetch(walk) => Some(walk),
            Stage::Rest | Stage::Asking | Stage::Settling => None,
        }
    }

    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Stage::Index(walk) | Stage::Fetch(walk) = &mut self.stage {
            walk.on_read(sequence, result, archive, context);
        }
    }

    /// Something did not go through: the stretch is compared again.
    pub fn disturb(&mut self) {
        self.again = !matches!(self.stage, Stage::Rest);
    }

    /// Takes leave of a stretch. False while something is being read.
    fn clear(&mut self, context: &mut Context) -> bool {
        if let Stage::Index(walk) | Stage::Fetch(walk) = &self.stage
            && !walk.is_quiet()
        {
            return false;
        }
        if let Stage::Index(walk) | Stage::Fetch(walk) = core::mem::replace(&mut self.stage, Stage::Rest) {
            walk.finish(context);
        }
        self.known.clear();
        self.asks.clear();
        (self.asked, self.answered, self.filled) = (0, 0, 0);
        self.lacking.clear();
        self.sent.clear();
        self.again = false;
        true
    }

    fn walk(&self, from: u64) -> Walk {
        Walk::new(self.reader, Depth::Proof, from, Some(self.to), false, AHEAD)
    }

    /// Questions about everything that the stretch has.
    fn make_asks(&mut self) {
        self.known.sort_unstable();
        for known in &self.known {
            let fits = |ask: &&mut Ask| ask.track == known.track && known.number - ask.from < COMPARE_SPAN;
            match self.asks.last_mut().filter(fits) {
                Some(ask) => ask.has.add(known.number - ask.from),
                None => {
                    let mut has = Numbers::default();
                    has.add(0);
                    self.asks.push(Ask {
                        track: known.track,
                        from: known.number,
                        has,
                        answered: false,
                    });
                }
            }
        }
    }

    /// An answer: what is lacking is noted. False if it makes no sense; none if the target has another content.
    fn on_compared(&mut self, track: u32, from: u64, there: &Numbers, wanted: &Numbers, hash: Digest) -> Option<bool> {
        let asked = &mut self.asks[..self.asked];
        let ask = asked
            .iter_mut()
            .find(|ask| ask.track == track && ask.from == from && !ask.answered);
        let Some(ask) = ask else { return Some(false) };
        let makes_sense = there.iter().chain(wanted.iter()).all(|at| ask.has.has(at)) && !wanted.iter().any(|at| there.has(at));
        if !makes_sense {
            return Some(false);
        }
        ask.answered = true;
        self.answered += 1;
        let mut prefixes = Vec::new();
        let first = self
            .known
            .partition_point(|known| (known.track, known.number) < (track, from));
        let mut before = None;
        for known in self.known[first..].iter().take_while(|known| known.track == track) {
            let at = known.number - from;
            if at < COMPARE_SPAN && there.has(at) && before != Some(known.number) {
                prefixes.push(known.prefix);
            }
            before = Some(known.number);
        }
        if hash_of(prefixes.into_iter()) != hash {
            return None;
        }
        self.lacking.extend(wanted.iter().map(|at| (track, from + at)));
        Some(true)
    }
}

impl Session {
    /// Goes on with a full run, as far as it can now, after everything newer was sent.
    pub(super) fn reconcile(&mut self, archive: &mut Archive, lasting: &mut Lasting<'_>, context: &mut Context) {
        let Some(mut full) = lasting.run.full.filter(|full| !full.done) else {
            return;
        };
        let Some(mut reconcile) = self.reconciling.take() else {
            return;
        };
        if self.again == 0 && self.tips_awaited == 0 && archive.gives() {
            self.go_on(&mut reconcile, &mut full, archive, lasting, context);
        }
        self.reconciling = Some(reconcile);
        lasting.run.full = Some(full);
    }

    fn go_on(
        &mut self,
        reconcile: &mut Reconcile,
        full: &mut Full,
        archive: &mut Archive,
        lasting: &mut Lasting<'_>,
        context: &mut Context,
    ) {
        loop {
            if reconcile.again && !reconcile.clear(context) {
                return;
            }
            match core::mem::replace(&mut reconcile.stage, Stage::Rest) {
                Stage::Rest => {
                    if full.end.is_none() {
                        full.begin = archive.oldest();
                        full.end = Some(archive.log.durable);
                    }
                    let end = full.end.unwrap_or_default();
                    full.at = full.at.max(archive.oldest());
                    if full.at >= end {
                        return self.reconciled(full, lasting.setting, context);
                    }
                    let segment = u64::from(archive.superblock.segment_blocks);
                    reconcile.to = ((full.at / segment + 1) * segment).min(end);
                    reconcile.stage = Stage::Index(reconcile.walk(full.at));
                }
                Stage::Index(mut walk) => {
                    if !self.read_index(&mut walk, &mut reconcile.known, archive, &lasting.run.sieve, context) {
                        reconcile.stage = Stage::Index(walk);
                        return;
                    }
                    reconcile.make_asks();
                    reconcile.stage = Stage::Asking;
                }
                Stage::Asking => {
                    while let Some(ask) = reconcile.asks.get(reconcile.asked)
                        && reconcile.asked - reconcile.answered < COMPARES_MAX
                    {
                        let message = Message::Compare {
                            track: ask.track,
                            from: ask.from,
                            has: ask.has.clone(),
                        };
                        self.send(&message, None, context);
                        reconcile.asked += 1;
                    }
                    if reconcile.answered < reconcile.asks.len() {
                        reconcile.stage = Stage::Asking;
                        return;
                    }
                    reconcile.stage = if reconcile.lacking.is_empty() || full.dry_run {
                        Stage::Settling
                    } else {
                        Stage::Fetch(reconcile.walk(full.at))
                    };
                }
                Stage::Fetch(mut walk) => {
                    if !self.send_lacking(&mut walk, reconcile, archive, lasting, context) {
                        reconcile.stage = Stage::Fetch(walk);
                        return;
                    }
                    reconcile.stage = Stage::Settling;
                }
                Stage::Settling => {
                    if !reconcile.sent.is_empty() {
                        reconcile.stage = Stage::Settling;
                        return;
                    }
                    for known in reconcile.known.iter().filter(|_| !full.dry_run) {
                        if !reconcile.lacking.contains(&(known.track, known.number)) {
                            let key = &self.tracks[known.track as usize].key;
                            lasting.done.add(key, known.number);
                        }
                    }
                    full.compared += reconcile.asks.iter().map(|ask| ask.has.count()).sum::<u64>();
                    full.sent += reconcile.filled;
                    match full.dry_run {
                        true => full.lacking += reconcile.lacking.len() as u64,
                        false => full.lost += reconcile.lacking.len() as u64,
                    }
                    full.at = reconcile.to;
                    reconcile.clear(context);
                    context.wake(Ready::Waiting);
                }
            }
        }
    }

    fn reconciled(&self, full: &mut Full, setting: &JobSetting, context: &mut Context) {
        full.done = true;
        let lost = match full.lost {
            0 => String::new(),
            lost => format!("; {lost} are whole at neither end"),
        };
        let sentence = format!(
            "Job {} has compared {} blocks with {}/{}: ",
            setting.name, full.compared, setting.peer, setting.archive
        );
        let sentence = match full.dry_run {
            true => format!("{sentence}{} are missing or damaged there; nothing was sent.", full.lacking),
            false => format!("{sentence}{} were missing or damaged there and were sent{lost}.", full.sent),
        };
        context.say(Code::Reconciled, &setting.name.clone(), sentence);
    }

    /// Takes down what the stretch has. True at its end.
    fn read_index(
        &self,
        walk: &mut Walk,
        known: &mut Vec<Known>,
        archive: &mut Archive,
        sieve: &Sieve,
        context: &mut Context,
    ) -> bool {
        let now_utc_ns = context.now.utc_ns;
        let taken = |seen: Seen| sieve.judge(seen, now_utc_ns) == Judged::Taken;
        let (tracks, numbers) = (&self.tracks, &self.numbers);
        // What is not below the tip is no business of a comparison.
        let number_of = |id: TrackId, sequence: u64| {
            let number = numbers.get(&id).copied();
            number.filter(|number| {
                let track = &tracks[*number as usize];
                track.state == State::Open && sequence < track.next
            })
        };
        loop {
            let mut note = |log_sequence: u64, id: TrackId, entry: &Entry| {
                if let Some(track) = number_of(id, entry.track_sequence).filter(|_| taken(Seen::indexed(id, entry))) {
                    known.push(Known {
                        track,
                        number: entry.track_sequence,
                        log_sequence,
                        prefix: entry.hash_prefix,
                    });
                }
                Wish::Leave
            };
            match walk.poll(archive, &mut note, context) {
                Step::Block { sequence, span, header } => {
                    context.give(span);
                    let Some(origin) = &header.origin else { continue };
                    let id = archive.catalog.find(&origin.key).filter(|id| {
                        taken(Seen {
                            track: *id,
                            number: origin.track_sequence,
                            begin_utc_ns: origin.begin_utc_ns,
                        })
                    });
                    if let Some(track) = id.and_then(|id| number_of(id, origin.track_sequence)) {
                        known.push(Known {
                            track,
                            number: origin.track_sequence,
                            log_sequence: sequence,
                            prefix: hash_prefix(&header.origin_hash),
                        });
                    }
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return false,
                Step::End => return true,
            }
        }
    }

    /// Sends what is lacking, as far as there is credit. True at the end of the stretch.
    fn send_lacking(
        &mut self,
        walk: &mut Walk,
        reconcile: &mut Reconcile,
        archive: &mut Archive,
        lasting: &mut Lasting<'_>,
        context: &mut Context,
    ) -> bool {
        let under_way = haul_blocks(archive.superblock.block_bytes) as usize;
        while self.sending < under_way && self.credit > 0 && lasting.run.blocks_left() > 0 {
            if let Err(again) = lasting.may_send(context) {
                self.ask_at = Some(self.ask_at.map_or(again, |at| at.min(again)));
                return false;
            }
            let numbers = &self.numbers;
            let lacking = &reconcile.lacking;
            let lacks = |id: TrackId, number: u64| {
                let track = numbers.get(&id).copied();
                track.map(|track| (track, number)).filter(|place| lacking.contains(place))
            };
            let mut wanted = |_: u64, id: TrackId, entry: &Entry| Wish::take(lacks(id, entry.track_sequence).is_some());
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { span, header, .. } => {
                    let origin = header.origin.as_ref();
                    let id = origin.and_then(|origin| archive.catalog.find(&origin.key));
                    let place = id.zip(origin).and_then(|(id, origin)| lacks(id, origin.track_sequence));
                    let (Some(place), Some(origin)) = (place, origin) else {
                        context.give(span);
                        continue;
                    };
                    reconcile.lacking.remove(&place);
                    if lasting.run.sieve.thins() && origin.key.kind == Kind::Video && !origin.key_frame {
                        // Left out, as it was the first time.
                        context.give(span);
                        continue;
                    }
                    reconcile.sent.insert(place, u64::from(origin.payload_bytes));
                    let bytes = origin.payload_bytes;
                    self.send_block(place.0, (span, bytes), (header.origin_hash, true), lasting, context);
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return false,
                Step::End => return true,
            }
        }
        false
    }

    /// The target has compared a range.
    pub(super) fn on_compared(
        &mut self,
        (track, from): (u32, u64),
        (there, wanted): (&Numbers, &Numbers),
        hash: Digest,
        lasting: &mut Lasting<'_>,
        context: &mut Context,
    ) -> Result<(), ()> {
        let Some(reconcile) = &mut self.reconciling else {
            return Err(());
        };
        if reconcile.again {
            // What was asked before it was disturbed.
            return Ok(());
        }
        match reconcile.on_compared(track, from, there, wanted, hash) {
            Some(true) => Ok(()),
            Some(false) => Err(()),
            None => {
                reconcile.disturb();
                self.stop(track, JobState::Diverged, lasting.setting, lasting.trouble, context);
                Ok(())
            }
        }
    }

    /// Nothing is to be done any more about a fill.
    pub(super) fn on_filled(&mut self, track: u32, number: u64, taken: bool, lasting: &mut Lasting<'_>, context: &Context) {
        let stats = &mut *lasting.stats;
        let mut bytes = None;
        if let Some(reconcile) = &mut self.reconciling {
            bytes = reconcile.sent.remove(&(track, number));
            reconcile.filled += u64::from(taken && bytes.is_some());
        }
        self.unacked.retain(|sent| {
            let done = sent.fill && sent.track == track && sent.next == number + 1;
            if done {
                bytes.get_or_insert(sent.bytes);
            }
            !done
        });
        match bytes {
            Some(bytes) if taken => {
                self.full_told = false;
                lasting.done.add(&self.tracks[track as usize].key, number);
                stats.acknowledged(bytes, context.now.at);
                stats.back_filled += 1;
            }
            Some(_) => stats.duplicates += 1,
            None => {}
        }
    }
}
