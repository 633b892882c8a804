//! The machine: three verbs, and the memory.

use alloc::vec::Vec;

use crate::{Event, Instant, Memory, Moment, Op};

/// Where the core puts what it wants done while it handles one event.
pub type Ops = Vec<Op>;

/// Disks, NICs, clocks, clients: the whole world of one appliance. One driver does it on a kernel, one from a seed.
pub trait Machine {
    /// The clocks, now.
    fn now(&self) -> Moment;
    /// Start something. Never blocks.
    fn submit(&mut self, op: Op);
    /// The next event, waiting for it until `deadline` (for ever if none); [`Event::Tick`] if nothing came.
    fn next(&mut self, deadline: Option<Instant>) -> Event;
    /// The block memory.
    fn memory(&mut self) -> &mut dyn Memory;
}
