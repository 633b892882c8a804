//! What each op in flight is for. The machine returns a tag; the table says whose it is.

use alloc::vec::Vec;
use hal::{Instant, Op, Span, Tag, VolumeId};

use crate::limits::OPS_MAX;

/// The purposes of all ops in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tags<P> {
    slots: Vec<Slot<P>>,
    free: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Slot<P> {
    /// Told apart from earlier uses of the same slot.
    turn: u32,
    /// When the op was submitted.
    since: Instant,
    purpose: Option<P>,
    /// If it is a read of a volume.
    read: Option<Read>,
    /// When it is submitted again, if it is to be.
    again: Option<Instant>,
}

/// What a read of a volume is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Read {
    volume: VolumeId,
    at_bytes: u64,
    into: Span,
}

/// Only what is in flight for what: which number a tag has decides nothing.
impl<P: Ord + core::hash::Hash> core::hash::Hash for Tags<P> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        let slots = self.slots.iter();
        let mut purposes: Vec<(&P, bool)> = slots
            .filter_map(|slot| slot.purpose.as_ref().map(|purpose| (purpose, slot.again.is_some())))
            .collect();
        purposes.sort_unstable();
        purposes.hash(state);
    }
}

impl<P> Default for Tags<P> {
    fn default() -> Self {
        Tags {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<P> Tags<P> {
    /// A tag for an op that is submitted now.
    pub fn put(&mut self, purpose: P, now: Instant) -> Tag {
        let index = self.free.pop().unwrap_or_else(|| {
            assert!(self.slots.len() < OPS_MAX, "more ops in flight than every queue together");
            self.slots.push(Slot {
                turn: 0,
                since: now,
                purpose: None,
                read: None,
                again: None,
            });
            (self.slots.len() - 1) as u32
        });
        let slot = &mut self.slots[index as usize];
        slot.turn = slot.turn.wrapping_add(1);
        slot.since = now;
        slot.purpose = Some(purpose);
        (slot.read, slot.again) = (None, None);
        Tag(u64::from(slot.turn) << 32 | u64::from(index))
    }

    /// The purpose of an op that has finished. A tag that is not in flight is a mistake of the machine.
    pub fn take(&mut self, tag: Tag) -> P {
        let index = tag.0 as u32;
        let slot = &mut self.slots[index as usize];
        assert!(slot.turn == (tag.0 >> 32) as u32, "a tag came back twice");
        self.free.push(index);
        slot.purpose.take().expect("a tag came back twice")
    }

    /// Notes what a read of a volume is told, so that it can be submitted again.
    pub fn note_read(&mut self, tag: Tag, volume: VolumeId, at_bytes: u64, into: Span) {
        let slot = &mut self.slots[tag.0 as u32 as usize];
        slot.read = Some(Read { volume, at_bytes, into });
    }

    /// Keeps a read that has finished in flight: it will be submitted again at that time. False if it is no read of a volume.
    pub fn put_off(&mut self, tag: Tag, at: Instant) -> bool {
        let slot = &mut self.slots[tag.0 as u32 as usize];
        assert!(slot.turn == (tag.0 >> 32) as u32, "a tag came back twice");
        slot.again = slot.read.map(|_| at);
        slot.again.is_some()
    }

    /// A volume is let go of: no read of it is submitted again, and those that were put off are over now.
    pub fn let_go(&mut self, volume: VolumeId, now: Instant) {
        let of_it = |slot: &&mut Slot<P>| slot.read.is_some_and(|read| read.volume == volume);
        for slot in self.slots.iter_mut().filter(of_it) {
            slot.read = None;
            slot.again = slot.again.map(|_| now);
        }
    }

    /// Takes a read whose time has come: the op to be submitted again, none if its volume was let go of.
    pub fn due(&mut self, now: Instant) -> Option<(Tag, Option<Op>)> {
        let is_due = |slot: &Slot<P>| slot.again.is_some_and(|at| at <= now);
        let index = self.slots.iter().position(is_due)?;
        let slot = &mut self.slots[index];
        slot.again = None;
        let tag = Tag(u64::from(slot.turn) << 32 | index as u64);
        let again = slot.read.map(|Read { volume, at_bytes, into }| Op::Read {
            tag,
            volume,
            at_bytes,
            into,
        });
        Some((tag, again))
    }

    /// When the next read is to be submitted again.
    pub fn next_due(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.again).min()
    }

    /// Every op in flight, and since when.
    pub fn iter(&self) -> impl Iterator<Item = (Instant, &P)> {
        self.slots
            .iter()
            .filter_map(|slot| slot.purpose.as_ref().map(|purpose| (slot.since, purpose)))
    }

    /// The purpose of an op in flight.
    pub fn purpose(&self, tag: Tag) -> Option<&P> {
        let slot = self.slots.get(tag.0 as u32 as usize)?;
        slot.purpose.as_ref().filter(|_| slot.turn == (tag.0 >> 32) as u32)
    }

    /// Ops in flight.
    pub fn in_flight(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}
