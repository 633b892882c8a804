//! The order of a volume's ops: a discard never overtakes, or is overtaken by, an op on the same bytes.
//!
//! Reads and writes run side by side as they come: the core orders those. Discards run on another thread, so without
//! this a discard could eat a write that was submitted after it.
//!
//! Invariant: an op that waits here conflicts with an active one or with one that waits before it.

use std::collections::VecDeque;
use std::ops::Range;

/// What an op touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Bytes of the volume; empty for a flush, which conflicts with nothing.
    pub(super) bytes: Range<u64>,
    /// It destroys them.
    pub(super) discards: bool,
}

impl Claim {
    fn conflicts(&self, other: &Claim) -> bool {
        let overlap = self.bytes.start < other.bytes.end && other.bytes.start < self.bytes.end;
        overlap && (self.discards || other.discards)
    }
}

/// Everything unfinished on one volume: what is active by its claim, what waits as itself.
pub(super) struct Order<T> {
    active: Vec<Claim>,
    waiting: VecDeque<(Claim, T)>,
}

impl<T> Order<T> {
    pub(super) fn new() -> Order<T> {
        Order {
            active: Vec::with_capacity(32),
            waiting: VecDeque::new(),
        }
    }

    /// Nothing is unfinished.
    pub(super) fn is_empty(&self) -> bool {
        self.active.is_empty() && self.waiting.is_empty()
    }

    /// Takes in an op; returns it if it is to be started now.
    pub(super) fn enter(&mut self, claim: Claim, op: T) -> Option<T> {
        let behind_waiting = self.waiting.iter().any(|(other, _)| other.conflicts(&claim));
        if behind_waiting || self.is_blocked(&claim) {
            self.waiting.push_back((claim, op));
            return None;
        }
        self.active.push(claim);
        Some(op)
    }

    /// Takes out an active op that has finished.
    pub(super) fn leave(&mut self, claim: &Claim) {
        let position = self.active.iter().position(|active| active == claim);
        self.active.swap_remove(position.expect("an op that finishes is active"));
    }

    /// The next op that waited and is to be started now. Call until there is none after each [`Order::leave`].
    pub(super) fn release(&mut self) -> Option<T> {
        let free = (0..self.waiting.len()).find(|&index| {
            let claim = &self.waiting[index].0;
            let behind_waiting = self.waiting.iter().take(index).any(|(other, _)| other.conflicts(claim));
            !behind_waiting && !self.is_blocked(claim)
        })?;
        let (claim, op) = self.waiting.remove(free)?;
        self.active.push(claim);
        Some(op)
    }

    fn is_blocked(&self, claim: &Claim) -> bool {
        self.active.iter().any(|active| active.conflicts(claim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(bytes: Range<u64>) -> Claim {
        Claim { bytes, discards: false }
    }

    fn discard(bytes: Range<u64>) -> Claim {
        Claim { bytes, discards: true }
    }

    #[test]
    fn transfers_never_wait_for_transfers() {
        let mut order = Order::new();
        assert_eq!(order.enter(transfer(0..8), 'a'), Some('a'));
        assert_eq!(order.enter(transfer(0..8), 'b'), Some('b'));
        order.leave(&transfer(0..8));
        order.leave(&transfer(0..8));
        assert!(order.is_empty());
    }

    #[test]
    fn a_discard_waits_and_is_waited_for() {
        let mut order = Order::new();
        assert_eq!(order.enter(transfer(0..8), "write"), Some("write"));
        assert_eq!(order.enter(discard(4..12), "discard"), None);
        assert_eq!(
            order.enter(transfer(8..16), "rewrite"),
            None,
            "it overlaps the waiting discard"
        );
        assert_eq!(order.enter(transfer(16..24), "elsewhere"), Some("elsewhere"));
        assert_eq!(order.enter(transfer(0..0), "flush"), Some("flush"));
        assert_eq!(order.release(), None);
        order.leave(&transfer(0..8));
        assert_eq!(order.release(), Some("discard"));
        assert_eq!(order.release(), None);
        order.leave(&discard(4..12));
        assert_eq!(order.release(), Some("rewrite"));
        for claim in [transfer(8..16), transfer(16..24), transfer(0..0)] {
            order.leave(&claim);
        }
        assert!(order.is_empty());
    }
}
