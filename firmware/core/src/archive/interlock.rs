//! Before a slot is first written in a lap, its old header is read (`reliability.md`, 3.5). Anything unexpected stops the
//! volume: this is promise 2 as a check. It finds a wrong end of the log, a second writer, wrap-around of fake cards, stale clones.

use alloc::collections::VecDeque;
use alloc::format;
use hal::{IoError, Op, Span};

use super::{Archive, Task};
use crate::context::Context;
use crate::control::types::Mode;
use crate::format::{SECTOR_BYTES, header};
use crate::journal::Code;
use crate::limits::{self, LOOKAHEAD};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};

/// Slots ahead of the log whose old content is being or has been looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interlock {
    /// One sector for each slot looked at.
    sectors: Span,
    /// Log sequence of `free[0]`.
    from: u64,
    /// Whether the slot may be written; false while it is being read.
    free: VecDeque<bool>,
}

impl Interlock {
    pub(super) fn new(sectors: Span) -> Interlock {
        assert!(sectors.length_bytes >= LOOKAHEAD * SECTOR_BYTES);
        Interlock {
            sectors,
            from: 0,
            free: VecDeque::new(),
        }
    }

    pub(super) fn restart(&mut self, from: u64) {
        self.from = from;
        self.free.clear();
    }

    /// Whether the slot of a log sequence may be written.
    pub(super) fn is_free(&self, sequence: u64) -> bool {
        sequence < self.from || self.free.get((sequence - self.from) as usize) == Some(&true)
    }

    /// All sectors; recovery reads headers into them before the first slot is looked at.
    pub(super) fn sectors(&self) -> Span {
        self.sectors
    }

    fn sector(&self, sequence: u64) -> Span {
        self.sectors
            .part((sequence % u64::from(LOOKAHEAD)) as u32 * SECTOR_BYTES, SECTOR_BYTES)
    }
}

impl Archive {
    /// Reads old headers some slots ahead of the log.
    pub(super) fn look_ahead(&mut self, context: &mut Context) {
        let last = self.end();
        let interlock = &mut self.log.interlock;
        while interlock.from < self.log.next && interlock.free.front() == Some(&true) {
            interlock.free.pop_front();
            interlock.from += 1;
        }
        let ahead = u64::from(limits::writes_max(self.superblock.segment_blocks).min(LOOKAHEAD));
        let mut end = interlock.from + ahead;
        if self.superblock.mode == Mode::Append {
            end = end.min(last);
        }
        while self.log.interlock.from + (self.log.interlock.free.len() as u64) < end {
            let sequence = self.log.interlock.from + self.log.interlock.free.len() as u64;
            self.log.interlock.free.push_back(has(Bug::NoInterlock));
            if has(Bug::NoInterlock) {
                continue;
            }
            let into = self.log.interlock.sector(sequence);
            let tag = context.tag(Purpose::Archive(self.index, Task::Interlock(sequence)));
            context.submit(Op::Read {
                tag,
                volume: self.volume,
                at_bytes: self.slot_offset_bytes(sequence),
                into,
            });
        }
    }

    pub(super) fn on_interlock(&mut self, sequence: u64, result: Result<(), IoError>, context: &mut Context) {
        if !self.takes() {
            return;
        }
        // A sector that cannot be read holds no block that could be read: writing it is what mends it. The end of the log was
        // found by other evidence.
        let found = match result {
            Ok(()) => header::decode(context.memory.bytes(self.log.interlock.sector(sequence))).ok(),
            Err(IoError::Gone) => return self.device_gone(context),
            Err(_) => None,
        };
        let expected = match &found {
            None => true,
            Some(found) if found.placement.archive != self.uuid => true,
            Some(found) => {
                let place = &found.placement;
                let orphan = place.log_sequence == sequence && place.epoch.counter < self.superblock.epoch.counter;
                let given_up = self.superblock.mode == Mode::Ring || place.log_sequence < self.superblock.freed_sequence;
                let lap_before = given_up && place.log_sequence.checked_add(self.superblock.slots) == Some(sequence);
                orphan || lap_before
            }
        };
        if expected {
            let at = (sequence - self.log.interlock.from) as usize;
            self.log.interlock.free[at] = true;
        } else if let Some(found) = found {
            let why = format!(
                "the slot for block {sequence} holds block {} of epoch {}, which should not be there",
                found.placement.log_sequence, found.placement.epoch.counter
            );
            self.become_read_only(Code::WouldOverwrite, why, context);
        }
    }
}
