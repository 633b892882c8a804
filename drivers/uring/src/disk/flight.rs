//! Everything that the kernel is moving: transfers by number, and those for which the ring has no room yet.
//!
//! Does not know volumes: a transfer says where it goes.
//!
//! Invariants:
//! - A transfer whose part is in the ring is kept here until that part has completed.
//! - When this is dropped the kernel has finished with the memory, or the memory stays mapped for the rest of the process.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hal::IoError;

use super::ring::{RING_ENTRIES, Ring};
use super::transfer::{Step, Transfer};

/// How long the end waits for the kernel: as long as the slowest flush of a healthy card, not for a device that hangs.
const DROP_WAIT: Duration = Duration::from_secs(30);

/// Transfers in flight.
pub(super) struct Flight {
    ring: Ring,
    /// What the ring has, by number.
    transfers: Vec<Option<Transfer>>,
    free_numbers: Vec<usize>,
    /// What the ring has no room for.
    queue: VecDeque<Transfer>,
}

impl Flight {
    pub(super) fn new(ring: Ring) -> Flight {
        Flight {
            ring,
            transfers: (0..RING_ENTRIES).map(|_| None).collect(),
            free_numbers: (0..RING_ENTRIES).rev().collect(),
            queue: VecDeque::with_capacity(RING_ENTRIES),
        }
    }

    pub(super) fn ring(&self) -> &Ring {
        &self.ring
    }

    /// Takes a transfer; the kernel sees it with the next [`Flight::enter`].
    pub(super) fn start(&mut self, transfer: Transfer) {
        self.queue.push_back(transfer);
        self.fill();
    }

    /// Hands over what was started, if there is anything.
    pub(super) fn enter(&mut self) {
        self.ring.submit();
    }

    /// To be called before [`Flight::finished`]: lets the kernel post its completions if it has any.
    pub(super) fn refresh(&mut self) {
        self.ring.refresh();
    }

    /// The next transfer that has finished. Its memory is returned when it is dropped.
    pub(super) fn finished(&mut self) -> Option<(Transfer, Result<(), IoError>)> {
        loop {
            let (number, result) = self.ring.completion()?;
            let mut transfer = self.transfers[number].take().expect("what completes is in flight");
            match transfer.complete(result) {
                Step::Again => self.give(number, transfer),
                Step::Finished(result) => {
                    self.free_numbers.push(number);
                    self.fill();
                    return Some((transfer, result));
                }
            }
        }
    }

    /// Moves what waits into the ring while there is room.
    fn fill(&mut self) {
        while !self.queue.is_empty() {
            let Some(number) = self.free_numbers.pop() else { return };
            let Some(transfer) = self.queue.pop_front() else { return };
            self.give(number, transfer);
        }
    }

    fn give(&mut self, number: usize, transfer: Transfer) {
        self.ring.push(number, &transfer);
        self.transfers[number] = Some(transfer);
    }

    fn is_idle(&self) -> bool {
        self.free_numbers.len() == RING_ENTRIES
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let until = Instant::now() + DROP_WAIT;
        // What never reached the ring needs no waiting.
        self.queue.clear();
        while !self.is_idle() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.ring.leak_memory();
                std::mem::forget(std::mem::take(&mut self.transfers));
                return;
            }
            self.ring.submit();
            self.ring.wait(left);
            self.ring.refresh();
            while let Some((number, _)) = self.ring.completion() {
                self.transfers[number] = None;
                self.free_numbers.push(number);
            }
        }
        self.ring.release();
    }
}
