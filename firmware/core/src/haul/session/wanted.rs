//! Which blocks of the log a session wants, and which it leaves out on purpose.
//!
//! Not the rules (`sieve.rs`); here they are applied to the tracks of a link.
//!
//! Invariant: what is left out is remembered until it is stated at the target or lies behind the tip.

use alloc::collections::BTreeMap;

use super::{State, Track};
use crate::archive::TrackId;
use crate::archive::walk::Wish;
use crate::control::types::GapReason;
use crate::format::checkpoint::Entry;
use crate::haul::sieve::{Judged, Seen, Sieve};

/// Track sequences that are left out on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Passed {
    pub from: u64,
    pub to: u64,
    pub reason: GapReason,
}

impl Track {
    /// A block is left out. Reading may come by it again.
    pub(super) fn pass(&mut self, track_sequence: u64, reason: GapReason) {
        match self.passed.last_mut() {
            Some(last) if track_sequence < last.to => {}
            Some(last) if track_sequence == last.to && last.reason == reason => last.to += 1,
            Some(_) | None => self.passed.push(Passed {
                from: track_sequence,
                to: track_sequence + 1,
                reason,
            }),
        }
    }

    /// What was left out may be wanted now.
    pub(super) fn reconsider(&mut self) {
        self.passed.retain(|passed| passed.reason != GapReason::Filtered);
    }

    /// Everything below was sent or stated.
    pub(super) fn go_on(&mut self, next: u64) {
        self.next = next;
        self.passed.retain(|passed| passed.to > next);
    }

    /// Where the blocks end of which something is to be said now: what lies behind the period of a run is left to another, and what
    /// a filter leaves out that asks for tags may get them yet.
    pub(super) fn end(&self, durable_next: u64, asks_tags: bool) -> u64 {
        let is_open = |reason| reason == GapReason::NotRetrieved || asks_tags;
        match self.passed.last() {
            Some(last) if last.to >= durable_next && is_open(last.reason) => last.from,
            Some(_) | None => durable_next,
        }
    }
}

/// What is wanted of the log: blocks that the target does not have, and that the run takes.
pub(super) struct Wanted<'a> {
    pub tracks: &'a mut [Track],
    pub numbers: &'a BTreeMap<TrackId, u32>,
    pub sieve: &'a Sieve,
    pub now_utc_ns: i64,
    /// The clock at which the block that is held may leave.
    pub held: &'a mut Option<i64>,
}

impl Wanted<'_> {
    pub(super) fn wish(&mut self, id: TrackId, entry: &Entry) -> Wish {
        let number = self.numbers.get(&id);
        let Some(track) = number.and_then(|number| self.tracks.get_mut(*number as usize)) else {
            return Wish::Leave;
        };
        if track.state != State::Open || (entry.track_sequence < track.next && !entry.fill) {
            return Wish::Leave;
        }
        match self.sieve.judge(Seen::indexed(id, entry), self.now_utc_ns) {
            Judged::Taken => Wish::Take,
            // The tip has passed it: nothing is stated of it any more.
            Judged::Filtered | Judged::OutOfPeriod if entry.track_sequence < track.next => Wish::Leave,
            Judged::Filtered => {
                track.pass(entry.track_sequence, GapReason::Filtered);
                Wish::Leave
            }
            Judged::OutOfPeriod => {
                track.pass(entry.track_sequence, GapReason::NotRetrieved);
                Wish::Leave
            }
            Judged::TooYoung { until_utc_ns } => {
                *self.held = Some(until_utc_ns);
                Wish::Hold
            }
        }
    }
}
