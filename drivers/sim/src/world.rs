//! The pump for several appliances at once: who runs where, and one event at a time to one of them.

use hal::{Event, Fingerprint, Instant, Memory, Moment, Ops};

use crate::{Machines, SiteId};

/// What runs on a site: the core's appliance, or a toy. It sees a machine only through these arguments.
pub trait Brain {
    /// Handles one event.
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops);
    /// When it wants a tick if nothing happens before.
    fn deadline(&self) -> Option<Instant>;
    /// It has nothing left to do: its process ends.
    fn stopped(&self) -> bool;
}

/// What an appliance is given when it starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// Its key.
    pub fingerprint: Fingerprint,
    /// From the kernel's random numbers; another one at each start.
    pub seed: [u8; 32],
    /// Addresses it listens on for peers.
    pub listening: Vec<String>,
    /// The settings document of the last save that was durable.
    pub settings: Option<Vec<u8>>,
    /// The kept events that are still there.
    pub kept_events: Vec<Vec<u8>>,
    /// Size of the block memory.
    pub memory_bytes: u32,
    /// The clocks at the start.
    pub now: Moment,
}

/// Machines and what runs on them.
#[derive(Clone, Debug)]
pub struct World<B> {
    /// Everything but the appliances.
    pub machines: Machines,
    brains: Vec<Option<B>>,
    ops: Ops,
}

impl<B: Brain> World<B> {
    /// An empty world of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            machines: Machines::new(seed),
            brains: Vec::new(),
            ops: Ops::new(),
        }
    }

    /// What runs on a site.
    pub fn brain(&self, site: SiteId) -> Option<&B> {
        self.brains.get(site.0)?.as_ref()
    }

    /// What runs on a site, to look at what it has noted.
    pub fn brain_mut(&mut self, site: SiteId) -> Option<&mut B> {
        self.brains.get_mut(site.0)?.as_mut()
    }

    /// Starts an appliance, on a machine that is switched on if need be.
    pub fn boot(&mut self, site: SiteId, make: impl FnOnce(Board, &mut dyn Memory, &mut Ops) -> B) {
        let board = self.machines.start(site);
        let brain = make(board, self.machines.memory(site), &mut self.ops);
        self.brains.resize_with(self.brains.len().max(site.0 + 1), || None);
        self.brains[site.0] = Some(brain);
        self.submit_all(site);
    }

    /// Kills an appliance between two events.
    pub fn kill(&mut self, site: SiteId) {
        self.machines.kill(site);
        self.forget(site);
    }

    /// Cuts the power of a site.
    pub fn power_cut(&mut self, site: SiteId) {
        self.machines.power_cut(site);
        self.forget(site);
    }

    /// Lets the next thing happen, unless it is later than `limit_ns`. False if nothing happened; it is that time then.
    pub fn step(&mut self, limit_ns: u64) -> bool {
        let Self { machines, brains, ops } = self;
        let deadline = |site: SiteId| brains.get(site.0)?.as_ref()?.deadline();
        let Some((site, event)) = machines.advance(limit_ns, deadline) else {
            return false;
        };
        let now = machines.moment(site);
        let brain = brains[site.0].as_mut().expect("events are for sites where something runs");
        brain.step(now, event, machines.memory(site), ops);
        let stopped = brain.stopped();
        self.submit_all(site);
        if stopped {
            self.machines.exit(site);
            self.forget(site);
        }
        true
    }

    /// Lets time pass.
    pub fn run_for(&mut self, span_ns: u64) {
        let limit_ns = self.machines.now_ns() + span_ns;
        while self.step(limit_ns) {}
    }

    /// Lets time pass until something is so, at most for `span_ns`. Whether it came to be so.
    pub fn run_until(&mut self, span_ns: u64, mut is_so: impl FnMut(&mut Self) -> bool) -> bool {
        let limit_ns = self.machines.now_ns() + span_ns;
        loop {
            if is_so(self) {
                return true;
            }
            if !self.step(limit_ns) {
                return is_so(self);
            }
        }
    }

    fn submit_all(&mut self, site: SiteId) {
        for op in self.ops.drain(..) {
            self.machines.submit(site, op);
        }
    }

    fn forget(&mut self, site: SiteId) {
        if let Some(brain) = self.brains.get_mut(site.0) {
            *brain = None;
        }
    }
}
