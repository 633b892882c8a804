//! Who wants to be asked again when. One time for each part; asking is cheap however many there are.

use alloc::collections::{BTreeMap, BTreeSet};
use hal::Instant;

use crate::context::Ready;

/// All times that are set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Timers {
    by_time: BTreeSet<(Instant, Ready)>,
    by_part: BTreeMap<Ready, Instant>,
}

impl Timers {
    /// Asks a part again at that time, and not at the one set before.
    pub fn set(&mut self, part: Ready, at: Option<Instant>) {
        if let Some(before) = self.by_part.remove(&part) {
            self.by_time.remove(&(before, part));
        }
        if let Some(at) = at {
            self.by_part.insert(part, at);
            self.by_time.insert((at, part));
        }
    }

    /// The earliest time that is set.
    pub fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// Takes out a part whose time has come.
    pub fn due(&mut self, now: Instant) -> Option<Ready> {
        let (at, part) = *self.by_time.first().filter(|(at, _)| *at <= now)?;
        self.by_time.remove(&(at, part));
        self.by_part.remove(&part);
        Some(part)
    }
}
