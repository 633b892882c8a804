//! Parts that have something to decide after this event, each once, in the order in which they were woken.
//!
//! Invariant: waking costs the same however many parts are on the list.

use alloc::collections::{BTreeSet, VecDeque};

use crate::context::Ready;

/// The list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReadyList {
    order: VecDeque<Ready>,
    there: BTreeSet<Ready>,
}

impl ReadyList {
    /// Puts a part on it, if it is not there.
    pub fn put(&mut self, part: Ready) {
        if self.there.insert(part) {
            self.order.push_back(part);
        }
    }

    /// Takes the first one off.
    pub fn take(&mut self) -> Option<Ready> {
        let part = self.order.pop_front()?;
        self.there.remove(&part);
        Some(part)
    }
}
