//! Freeing: whole segments at the old end cease to exist, and their slots can be used again.
//!
//! What may be freed is decided in `retention/`. Here is how: the superblock says it first; once that is durable the slots are
//! discarded where the device can; once the device has answered they may be written.
//!
//! Invariants: no slot is written whose block the superblock on the volume does not call freed or the ring has not given up; the
//! newest checkpoint and the one before it are never freed, so that opening always finds one.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;
use hal::Op;

use super::{Archive, Task, oldest_of};
use crate::context::Context;
use crate::control::types::Mode;
use crate::format::Superblock;
use crate::format::superblock::NO_CHECKPOINT;
use crate::journal::Code;
use crate::limits::{self, DISCARD_BYTES_MAX};
use crate::purpose::Purpose;

/// An archive that goes in and out of being full says so that often at most.
const FULL_SAID_EVERY: Duration = Duration::from_secs(60);

/// What has been freed, and how far the log may go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Freeing {
    /// Decided to be freed; ahead of the superblock until that is durable.
    below: u64,
    /// The device has let go of everything below.
    discarded: u64,
    /// Log sequences whose slots are being discarded.
    discarding: Option<(u64, u64)>,
    /// Of a ring that protects: nothing from here on may be given up.
    limit: Option<u64>,
    /// What the guards are known not to need, and which guards they are.
    released: (u64, u64),
    /// Who or what keeps it from making room, in words.
    held_by: String,
}

impl Freeing {
    pub(super) fn resume(&mut self, kept: &Superblock) {
        self.below = kept.freed_sequence;
        self.discarded = kept.freed_sequence;
        self.released = (kept.released_sequence, kept.guard_set);
    }

    /// Everything below does not exist any more, or will not in a moment.
    pub fn below(&self) -> u64 {
        self.below
    }

    /// What the guards are known not to need, and which guards they are.
    pub fn released(&self) -> (u64, u64) {
        self.released
    }
}

impl Archive {
    /// First log sequence for which there is no slot now.
    pub fn end(&self) -> u64 {
        let superblock = &self.superblock;
        match (superblock.mode, self.freeing.limit) {
            (Mode::Append, _) => superblock.freed_sequence + superblock.slots,
            (Mode::Ring, None) => u64::MAX,
            (Mode::Ring, Some(limit)) => {
                let guard = 2 * u64::from(limits::writes_max(superblock.segment_blocks));
                limit.max(self.oldest()) + superblock.slots - guard
            }
        }
    }

    /// Of a ring: from which log sequence on nothing may be given up; none if everything may. What was accepted before still
    /// finds its place.
    pub fn protect(&mut self, limit: Option<u64>, context: &mut Context) {
        let segment = u64::from(self.superblock.segment_blocks);
        let limit = limit.filter(|_| self.superblock.mode == Mode::Ring).map(|limit| {
            let promised = oldest_of(&self.superblock, self.promised());
            let limit = limit / segment * segment;
            limit.max(self.oldest()).max(promised)
        });
        if self.freeing.limit != limit {
            self.freeing.limit = limit;
            context.wake(crate::context::Ready::Archive(self.index));
        }
    }

    /// Of a ring: nothing may be given up until it is known what may.
    pub fn hold_everything(&mut self) {
        self.freeing.limit = Some(oldest_of(&self.superblock, self.promised()));
    }

    /// Whether it gives up nothing unasked.
    pub fn is_protecting(&self) -> bool {
        self.freeing.limit.is_some()
    }

    /// Notes what the guards are known not to need; it is kept with the next superblock.
    pub fn note_released(&mut self, below: u64, guard_set: u64, context: &mut Context) {
        let below = if guard_set == 0 { 0 } else { below.min(self.log.durable) };
        self.freeing.released = (below, guard_set);
        // A guard needs more than it did: that must not be forgotten.
        if self.takes() && guard_set == self.superblock.guard_set && below < self.superblock.released_sequence {
            self.write_superblock(false, context);
        }
    }

    /// What these guards were known not to need when the superblock was written; 0 if other guards were meant.
    pub fn kept_released(&self, guard_set: u64) -> u64 {
        let kept = &self.superblock;
        let segment = u64::from(kept.segment_blocks);
        if kept.guard_set == guard_set && guard_set != 0 {
            kept.released_sequence / segment * segment
        } else {
            0
        }
    }

    /// Notes who or what is in the way of making room.
    pub fn note_holder(&mut self, words: String) {
        self.freeing.held_by = words;
    }

    /// Up to which log sequence segments may be freed at most: two checkpoints stay.
    pub fn freeable_end(&self) -> u64 {
        let segment = u64::from(self.superblock.segment_blocks);
        match self.superblock.checkpoint_sequence {
            NO_CHECKPOINT => 0,
            sequence => (sequence / segment * segment).saturating_sub(segment),
        }
    }

    /// Frees the whole segments below a log sequence, as far as may be. Returns how many blocks cease to exist.
    pub fn free_below(&mut self, sequence: u64, context: &mut Context) -> u64 {
        let segment = u64::from(self.superblock.segment_blocks);
        let below = sequence.min(self.freeable_end()) / segment * segment;
        let oldest = self.oldest();
        if !self.takes() || below <= oldest {
            return 0;
        }
        self.freeing.below = below;
        self.write_superblock(false, context);
        below - oldest
    }

    /// The superblock is a segment behind of what the guards have released.
    pub(super) fn is_released_behind(&self) -> bool {
        let segment = u64::from(self.superblock.segment_blocks);
        self.superblock.released_sequence + segment <= self.freeing.released.0
    }

    /// A decision to free is not on the volume yet.
    pub fn is_freeing(&self) -> bool {
        self.freeing.below > self.superblock.freed_sequence
    }

    /// A generation of the superblock is on the volume.
    pub(super) fn on_freed(&mut self, context: &mut Context) {
        self.discard_next(context);
        context.wake(crate::context::Ready::Archive(self.index));
        context.wake(crate::context::Ready::Keeper(self.index));
    }

    /// Lets the device know what holds nothing of value.
    fn discard_next(&mut self, context: &mut Context) {
        let freed = self.superblock.freed_sequence;
        let can = |facts: &hal::VolumeFacts| facts.discard_bytes > 0;
        // In a ring the log may have come into them before the device was asked.
        let from = match self.superblock.mode {
            Mode::Append => self.freeing.discarded,
            Mode::Ring => self.freeing.discarded.max(oldest_of(&self.superblock, self.log.next)),
        };
        if self.freeing.discarding.is_some() || self.freeing.discarded >= freed {
            return;
        }
        if from >= freed || !self.facts.as_ref().is_some_and(can) {
            self.freeing.discarded = freed;
            return;
        }
        let (slots, block_bytes) = (self.superblock.slots, u64::from(self.superblock.block_bytes));
        let most = (DISCARD_BYTES_MAX / block_bytes).max(1);
        let to = freed.min(from + most).min((from / slots + 1) * slots);
        self.freeing.discarding = Some((from, to));
        let tag = context.tag(Purpose::Archive(self.index, Task::Discard));
        context.submit(Op::Discard {
            tag,
            volume: self.volume,
            at_bytes: self.slot_offset_bytes(from),
            length_bytes: (to - from) * block_bytes,
        });
    }

    /// The device has discarded, or not: that is its business.
    pub(super) fn on_discarded(&mut self, context: &mut Context) {
        if let Some((_, to)) = self.freeing.discarding.take() {
            self.freeing.discarded = self.freeing.discarded.max(to);
        }
        if self.takes() {
            self.discard_next(context);
        }
    }

    /// Whether the slot for a log sequence waits for the device to discard what was there before.
    pub(super) fn is_being_discarded(&self, sequence: u64) -> bool {
        let Some(before) = sequence.checked_sub(self.superblock.slots) else {
            return false;
        };
        match self.superblock.mode {
            Mode::Append => before >= self.freeing.discarded,
            Mode::Ring => self.freeing.discarding.is_some_and(|(from, to)| (from..to).contains(&before)),
        }
    }

    /// Says that there is no room any more, once in a while.
    pub(super) fn look_for_full(&mut self, context: &mut Context) {
        if !self.is_full() {
            return;
        }
        let said = self.full_at.replace(context.now.at);
        if said.is_none_or(|before| context.now.at.since(before) >= FULL_SAID_EVERY) {
            let sentence = format!("Archive {} is full: {}.", self.name, self.why_full());
            context.say(Code::ArchiveFull, &self.name.clone(), sentence);
        }
    }

    pub(super) fn why_full(&self) -> String {
        let slots = self.superblock.slots;
        if self.freeing.held_by.is_empty() {
            format!("all {slots} slots are taken; blocks wait at their source")
        } else {
            format!("all {slots} slots are taken, and {}", self.freeing.held_by)
        }
    }

    pub(super) fn what_makes_room(&self) -> String {
        if self.freeing.held_by.is_empty() {
            "Create another archive, haul into one with more room, or let it be freed with `blockhaul retention set`.".to_string()
        } else {
            format!("See who holds how much: blockhaul retention show {}", self.name)
        }
    }
}
