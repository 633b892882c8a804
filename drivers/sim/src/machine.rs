//! One simulated machine behind the seam itself, for code that pumps on its own.

use hal::{Event, Instant, Machine, Memory, Moment, Op};

use crate::{Board, DiskModel, Machines, SiteId};

/// A site alone in its world. Time passes only in [`Machine::next`].
#[derive(Clone, Debug)]
pub struct SimMachine {
    /// The world around it, with the switches.
    pub machines: Machines,
    site: SiteId,
}

impl SimMachine {
    /// A machine that has just started, with one disk at `/dev/sim0`, and what its appliance is given.
    pub fn start(seed: u64, memory_bytes: u32, disk: DiskModel) -> (Self, Board) {
        let mut machines = Machines::new(seed);
        let site = machines.add_site("alone", memory_bytes);
        machines.add_disk(site, "/dev/sim0", disk);
        let board = machines.start(site);
        (Self { machines, site }, board)
    }

    /// The site.
    pub fn site(&self) -> SiteId {
        self.site
    }
}

impl Machine for SimMachine {
    fn now(&self) -> Moment {
        self.machines.moment(self.site)
    }

    fn submit(&mut self, op: Op) {
        self.machines.submit(self.site, op);
    }

    /// Panics if nothing can ever happen: an appliance that waits for ever for nothing is a mistake in a simulation.
    fn next(&mut self, deadline: Option<Instant>) -> Event {
        let next = self.machines.advance(u64::MAX / 2, |_| deadline);
        next.map(|(_, event)| event)
            .expect("something is in flight, or there is a deadline")
    }

    fn memory(&mut self) -> &mut dyn Memory {
        self.machines.memory(self.site)
    }
}
