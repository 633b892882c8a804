//! `mark restore`: what a mark names, copied from one archive here into another. Blocks keep origin, track sequence and digests.
//!
//! The tips of the archive that takes them are the only position: begun again after a crash, it goes on where they are. What was
//! filled in later in the one archive is stated as missing in the other, and then filled in there as well, in a second pass.
//!
//! Invariants: nothing behind the mark is copied; what the one archive does not have is stated as missing in the other; the other
//! gets the mark once everything before it is durable there.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use core::ops::Range;
use hal::{ClientId, Digest, Instant, IoError, Span};

use super::survey::Progress;
use super::types::{MarkRestore, Mode, Refusal, RefusalCode, Restored};
use crate::archive::creation::refusal;
use crate::archive::marks::{Mark, Point};
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Accepted, Archive, NotAccepted, Owner, TrackId};
use crate::context::Context;
use crate::control::types::GapReason;
use crate::format::checkpoint::{Entry, Fills};
use crate::format::header::Header;
use crate::format::notes::MarkHead;
use crate::format::record::GapRange;
use crate::format::{Lease, NO_HASH, Record, SECTOR_BYTES, TrackKey};
use crate::limits::READ_AHEAD;

/// Blocks on their way into the other archive.
const UNDER_WAY_MAX: usize = 8;
/// Time between two reports of progress.
const REPORT_EVERY: core::time::Duration = core::time::Duration::from_secs(1);

/// How far one track is to come.
#[derive(Clone, Debug, Hash)]
struct Goal {
    key: TrackKey,
    into: TrackId,
    /// Next track sequence that the other archive takes.
    at: u64,
    /// It was that in the beginning.
    begun_at: u64,
    point: Point,
}

/// What it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Pass {
    /// What lies in the order of its track.
    InOrder,
    /// All of that is accepted.
    Settling,
    /// What was filled in later.
    Fills,
    /// Everything is accepted, the mark too.
    Ended,
}

/// A restoration that is on.
#[derive(Clone, Debug, Hash)]
pub struct Restore {
    /// Place of the archive that has the blocks.
    pub archive: usize,
    /// Place of the archive that takes them.
    pub into: usize,
    /// What was done so far.
    pub restored: Restored,
    pub(super) walk: Walk,
    call: MarkRestore,
    client: ClientId,
    head: MarkHead,
    goals: BTreeMap<TrackId, Goal>,
    under_way: usize,
    pass: Pass,
    /// Of a dry run: what it would state as missing.
    lacking: Vec<(TrackId, Range<u64>)>,
    failed: Option<Refusal>,
    reported_at: Instant,
}

fn not_accepted(name: &crate::Name, error: NotAccepted) -> Refusal {
    let (why, next) = match error {
        NotAccepted::Full => (
            "has no free slot",
            "Create a larger archive and restore into that one.".to_string(),
        ),
        NotAccepted::Closed => ("takes nothing now", format!("blockhaul archive info {name}")),
        NotAccepted::TooMany => ("has too much waiting", "Try again.".to_string()),
    };
    refusal(RefusalCode::Failed, format!("Archive {name} {why}."), next)
}

impl Restore {
    /// Checks and begins.
    pub fn start(
        client: ClientId,
        call: MarkRestore,
        mark: &Mark,
        archive: &Archive,
        into: &mut Archive,
        now: Instant,
    ) -> Result<Restore, Refusal> {
        let state = mark.progress(&archive.catalog);
        if state.awaited > 0 || state.diverged > 0 {
            let why = if state.diverged > 0 {
                "another history of"
            } else {
                "not yet all of"
            };
            let sentence = format!("Archive {} has {why} what mark {} names.", call.archive, call.name);
            let next = format!(
                "blockhaul mark list --archive {}, or restore from another replica.",
                call.archive
            );
            return Err(refusal(RefusalCode::Busy, sentence, next));
        }
        let foreign = into.catalog.tracks().iter().find(|track| {
            let there = archive.catalog.find(&track.tip.key).and_then(|id| mark.points.get(&id));
            track.tip.next > there.map_or(0, |point| point.next)
        });
        if let Some(track) = foreign {
            let sentence = format!(
                "Archive {} has blocks of camera {} that mark {} does not name.",
                call.into, track.tip.key.camera, call.name
            );
            let next = "Create a new archive, and restore into that one.";
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
        let mut restored = Restored {
            tracks: mark.points.len() as u64,
            free_slots: into.free_slots(),
            ..Restored::default()
        };
        let mut goals = BTreeMap::new();
        for (id, point) in &mark.points {
            let key = archive.catalog.track(*id).tip.key.clone();
            if key.origin == into.uuid {
                let sentence = format!("Camera {} was recorded in archive {} itself.", key.camera, call.into);
                return Err(refusal(RefusalCode::Refused, sentence, "Restore into a new archive."));
            }
            // A dry run leaves no trace: the table is asked, not changed.
            let place = if call.dry_run {
                Some(into.catalog.find(&key).unwrap_or(TrackId(u32::MAX)))
            } else {
                into.catalog.place(&key)
            };
            let Some(place) = place else {
                let sentence = format!("Archive {} has no room for so many tracks.", call.into);
                return Err(refusal(
                    RefusalCode::Refused,
                    sentence,
                    "Create one with larger blocks or more of them.",
                ));
            };
            let at = into.catalog.find(&key).map_or(0, |id| into.catalog.track(id).tip.next);
            restored.total += point.next;
            restored.before += at;
            let goal = Goal {
                key,
                into: place,
                at,
                begun_at: at,
                point: *point,
            };
            goals.insert(*id, goal);
        }
        let walk = Walk::new(
            Reader::Client(client),
            if call.dry_run { Depth::Header } else { Depth::Proof },
            archive.oldest(),
            Some(archive.log.durable),
            false,
            READ_AHEAD,
        );
        Ok(Restore {
            archive: archive.index,
            into: into.index,
            restored,
            walk,
            head: mark.head.clone(),
            call,
            client,
            goals,
            under_way: 0,
            pass: Pass::InOrder,
            lacking: Vec::new(),
            failed: None,
            reported_at: now,
        })
    }

    /// A block or an index has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        self.walk.on_read(sequence, result, archive, context);
    }

    /// Something is durable in the other archive, or never will be.
    pub fn on_settled(&mut self, durable: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if !durable {
            self.failed
                .get_or_insert_with(|| not_accepted(&self.call.into, NotAccepted::Closed));
        }
    }

    /// Goes on as far as blocks have been read and the other archive takes them.
    pub fn poll(&mut self, archive: &mut Archive, into: &mut Archive, context: &mut Context) -> Result<Progress, Refusal> {
        if let Some(failed) = &self.failed {
            return Err(failed.clone());
        }
        loop {
            if self.pass == Pass::Settling && self.under_way == 0 {
                self.begin_fills(archive, into, context)?;
            }
            if !matches!(self.pass, Pass::InOrder | Pass::Fills) || self.under_way >= UNDER_WAY_MAX {
                break;
            }
            let (goals, fills) = (&self.goals, self.pass == Pass::Fills);
            let mut wanted = |_: u64, track: TrackId, entry: &Entry| {
                let from = |goal: &Goal| if fills { 0 } else { goal.at };
                let holds = |goal: &Goal| (from(goal)..goal.point.next).contains(&entry.track_sequence);
                Wish::take(entry.fill == fills && goals.get(&track).is_some_and(holds))
            };
            match self.walk.poll(archive, &mut wanted, context) {
                Step::Block { span, header, .. } if header.placement.fill != fills => context.give(span),
                Step::Block { span, header, .. } if fills => self.on_fill(span, &header, archive, into, context)?,
                Step::Block { span, header, .. } => self.on_block(span, &header, archive, into, context)?,
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => break,
                Step::End if fills => self.end(into, context)?,
                Step::End => self.end_in_order(archive, into, context)?,
            }
        }
        if self.pass == Pass::Ended && self.under_way == 0 {
            return self.check(into).map(|()| Progress::Done);
        }
        if context.now.at.since(self.reported_at) >= REPORT_EVERY {
            self.reported_at = context.now.at;
            return Ok(Progress::Report);
        }
        Ok(Progress::On)
    }

    fn on_block(
        &mut self,
        span: Span,
        header: &Header,
        archive: &Archive,
        into: &mut Archive,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let track = header.origin.as_ref().and_then(|origin| archive.catalog.find(&origin.key));
        let found = track.and_then(|track| self.goals.get(&track).map(|goal| (track, goal)));
        let (Some(origin), Some((track, goal))) = (&header.origin, found) else {
            context.give(span);
            return Ok(());
        };
        let sequence = origin.track_sequence;
        if !(goal.at..goal.point.next).contains(&sequence) {
            context.give(span);
            return Ok(());
        }
        let (at, place) = (goal.at, goal.into);
        let stated = if at < sequence {
            self.state_missing(track, sequence, origin.previous_origin, archive, into, context)
        } else {
            Ok(())
        };
        if stated.is_ok() && !self.call.dry_run {
            let tip = &into.catalog.track(place).tip;
            let follows = tip.hash == NO_HASH || origin.previous_origin == NO_HASH || origin.previous_origin == tip.hash;
            if tip.next != sequence || !follows {
                context.give(span);
                let sentence = format!(
                    "Block {sequence} of camera {} does not follow what archive {} has.",
                    origin.key.camera, self.call.into
                );
                let next = "Somebody else writes into it: restore into a new archive.";
                return Err(refusal(RefusalCode::Failed, sentence, next));
            }
        }
        if let Err(refused) = stated {
            context.give(span);
            return Err(refused);
        }
        if self.call.dry_run {
            context.give(span);
        } else {
            context.memory.bytes_mut(span)[SECTOR_BYTES as usize + origin.payload_bytes as usize..].fill(0);
            let accepted = Accepted {
                span,
                track: place,
                origin: origin.clone(),
                hash: header.origin_hash,
                lease: Lease::default(),
                fill: false,
                owner: Owner::Client(self.client),
            };
            if let Err(error) = into.append(accepted, context) {
                context.give(span);
                return Err(not_accepted(&self.call.into, error));
            }
            self.under_way += 1;
        }
        self.restored.blocks += 1;
        self.restored.bytes += u64::from(origin.payload_bytes);
        if let Some(goal) = self.goals.get_mut(&track) {
            goal.at = sequence + 1;
        }
        Ok(())
    }

    /// A block that came later than its place: it fills what was stated as missing.
    fn on_fill(
        &mut self,
        span: Span,
        header: &Header,
        archive: &Archive,
        into: &mut Archive,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let track = header.origin.as_ref().and_then(|origin| archive.catalog.find(&origin.key));
        let found = track.and_then(|track| self.goals.get(&track).map(|goal| (track, goal)));
        let (Some(origin), Some((track, goal))) = (&header.origin, found) else {
            context.give(span);
            return Ok(());
        };
        let sequence = origin.track_sequence;
        let would_lack = |(id, range): &(TrackId, Range<u64>)| *id == track && range.contains(&sequence);
        let would_lack = self.lacking.iter().position(would_lack);
        let is_lacking = would_lack.is_some()
            || (into.catalog.gap_at(goal.into, sequence).is_some() && !into.catalog.is_filling(goal.into, sequence));
        if sequence >= goal.point.next || !is_lacking {
            context.give(span);
            return Ok(());
        }
        let is_new = sequence >= goal.begun_at;
        if self.call.dry_run {
            context.give(span);
            if let Some(at) = would_lack {
                let (_, range) = self.lacking.swap_remove(at);
                let rest = [range.start..sequence, sequence + 1..range.end];
                self.lacking
                    .extend(rest.into_iter().filter(|rest| !rest.is_empty()).map(|rest| (track, rest)));
            }
        } else {
            context.memory.bytes_mut(span)[SECTOR_BYTES as usize + origin.payload_bytes as usize..].fill(0);
            let accepted = Accepted {
                span,
                track: goal.into,
                origin: origin.clone(),
                hash: header.origin_hash,
                lease: Lease::default(),
                fill: true,
                owner: Owner::Client(self.client),
            };
            if let Err(error) = into.append(accepted, context) {
                context.give(span);
                return Err(not_accepted(&self.call.into, error));
            }
            self.under_way += 1;
        }
        self.restored.blocks += 1;
        self.restored.bytes += u64::from(origin.payload_bytes);
        let counted = if is_new {
            &mut self.restored.missing
        } else {
            &mut self.restored.before
        };
        *counted = counted.saturating_sub(1);
        Ok(())
    }

    /// States in the other archive that a track's blocks up to `to` are not to be had here.
    fn state_missing(
        &mut self,
        track: TrackId,
        to: u64,
        hash_after: Digest,
        archive: &Archive,
        into: &mut Archive,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let Some(goal) = self.goals.get_mut(&track) else {
            return Ok(());
        };
        self.restored.missing += to - goal.at;
        while goal.at < to {
            let from = goal.at;
            let (end, reason) = match archive.catalog.gap_at(track, from) {
                Some(gap) => (gap.to.min(to), gap.reason),
                None => {
                    let next = archive.catalog.gaps().filter(|(id, gap)| *id == track && gap.from > from);
                    let next = next.map(|(_, gap)| gap.from).min();
                    let reason = match archive.superblock.mode {
                        Mode::Ring => GapReason::Overwritten,
                        Mode::Append => GapReason::Damaged,
                    };
                    (next.unwrap_or(to).min(to), reason)
                }
            };
            goal.at = end;
            if self.call.dry_run {
                self.lacking.push((track, from..end));
                continue;
            }
            let record = Record::Gap {
                key: goal.key.clone(),
                gap: GapRange { from, to: end, reason },
                hash_after: if end == to { hash_after } else { NO_HASH },
            };
            into.append_record(record, Owner::Client(self.client), context)
                .map_err(|error| not_accepted(&self.call.into, error))?;
            self.under_way += 1;
        }
        Ok(())
    }

    /// What lies in order was read: what is missing at the ends is stated.
    fn end_in_order(&mut self, archive: &Archive, into: &mut Archive, context: &mut Context) -> Result<(), Refusal> {
        let short: Vec<(TrackId, Point)> = self
            .goals
            .iter()
            .filter(|(_, goal)| goal.at < goal.point.next)
            .map(|(track, goal)| (*track, goal.point))
            .collect();
        for (track, point) in short {
            self.state_missing(track, point.next, point.hash, archive, into, context)?;
        }
        self.pass = Pass::Settling;
        Ok(())
    }

    /// The other archive knows what is missing of it: begins to read what came later here.
    fn begin_fills(&mut self, archive: &Archive, into: &mut Archive, context: &mut Context) -> Result<(), Refusal> {
        let concern = |(track, run): &(TrackId, Fills)| self.goals.get(track).is_some_and(|goal| run.from < goal.point.next);
        let runs = archive.catalog.fills().filter(concern);
        let places = runs.map(|(_, run)| (run.log_from.max(archive.oldest()), run.log_to.min(archive.log.durable)));
        let range = places.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
        let Some((from, to)) = range else {
            return self.end(into, context);
        };
        let depth = if self.call.dry_run { Depth::Header } else { Depth::Proof };
        // At its end a walk holds no memory.
        self.walk = Walk::new(Reader::Client(self.client), depth, from, Some(to), false, READ_AHEAD);
        self.pass = Pass::Fills;
        Ok(())
    }

    /// Everything was read: the mark is made.
    fn end(&mut self, into: &mut Archive, context: &mut Context) -> Result<(), Refusal> {
        self.pass = Pass::Ended;
        if self.call.dry_run || into.catalog.marks.find(&self.head.mark).is_some() {
            return Ok(());
        }
        let mark = Mark {
            head: self.head.clone(),
            points: self.goals.values().map(|goal| (goal.into, goal.point)).collect(),
            logged_at: 0,
        };
        into.append_records(mark.to_records(&into.catalog), Owner::Client(self.client), context)
            .map_err(|error| not_accepted(&self.call.into, error))?;
        self.under_way += 1;
        Ok(())
    }

    /// Sees that the other archive ends where the mark does.
    fn check(&self, into: &Archive) -> Result<(), Refusal> {
        let ends = |goal: &Goal| {
            let track = into.catalog.track(goal.into);
            let known = track.durable_hash != NO_HASH && goal.point.hash != NO_HASH;
            track.durable_next == goal.point.next && (!known || track.durable_hash == goal.point.hash)
        };
        match self.goals.values().find(|goal| !self.call.dry_run && !ends(goal)) {
            None => Ok(()),
            Some(goal) => {
                let sentence = format!(
                    "Camera {} does not end at mark {} in archive {}.",
                    goal.key.camera, self.call.name, self.call.into
                );
                Err(refusal(RefusalCode::Failed, sentence, "Restore into a new archive."))
            }
        }
    }
}
