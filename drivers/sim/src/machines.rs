//! Everything but the appliances: sites, disks, network, feeders, callers, virtual time.
//!
//! Invariants: [`Machines::advance`] is the only place where time passes and events leave; what is due at the same time
//! happens in seeded order, but what waits in one site's queue keeps its order.

use std::collections::BTreeMap;

use hal::{Event, Fingerprint, Instant, Moment};

use crate::client::Caller;
use crate::disk::Disk;
use crate::due::Due;
use crate::feeder::Feeder;
use crate::memory::Lent;
use crate::network::Network;
use crate::wire::Wire;
use crate::{BlockMemory, DiskId, DiskModel, Random, Site, SiteId, Trace};

/// Ticks without any time passing after which an appliance is taken to ask for a time that is over, for ever.
const IDLE_TICKS_MAX: u32 = 10_000;

/// When something is due; the seeded number decides between equal times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct DueKey {
    at_ns: u64,
    lot: u64,
    number: u64,
}

/// Simulated machines and what is between them. The appliances are run by [`crate::World`] or [`crate::SimMachine`].
#[derive(Clone, Debug)]
pub struct Machines {
    /// What happened.
    pub trace: Trace,
    /// The source of chance, for scripts too.
    pub random: Random,
    /// Bodies that arrived with a bit turned; see [`Machines::alter_bodies`].
    pub altered_bodies: u64,
    pub(crate) now_ns: u64,
    pub(crate) sites: Vec<Site>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) network: Network,
    pub(crate) wires: BTreeMap<u64, Wire>,
    pub(crate) feeders: Vec<Feeder>,
    pub(crate) callers: Vec<Caller>,
    queue: BTreeMap<DueKey, Due>,
    numbers: u64,
    idle_ticks: u32,
}

/// What happens next.
enum Next {
    Due(DueKey),
    Deliver(SiteId),
    Tick(SiteId),
}

impl Machines {
    /// An empty world of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            trace: Trace::default(),
            random: Random::new(seed),
            altered_bodies: 0,
            now_ns: 0,
            sites: Vec::new(),
            disks: Vec::new(),
            network: Network::default(),
            wires: BTreeMap::new(),
            feeders: Vec::new(),
            callers: Vec::new(),
            queue: BTreeMap::new(),
            numbers: 0,
            idle_ticks: 0,
        }
    }

    /// Adds a machine without power and without disks.
    pub fn add_site(&mut self, name: &str, memory_bytes: u32) -> SiteId {
        let fingerprint = Fingerprint(self.random.bytes32());
        self.sites.push(Site::new(name, fingerprint, memory_bytes));
        SiteId(self.sites.len() - 1)
    }

    /// Adds a disk under a path of a site.
    pub fn add_disk(&mut self, site: SiteId, path: &str, model: DiskModel) -> DiskId {
        let name = format!("{}:{path}", self.sites[site.0].name);
        self.disks.push(Disk::new(name, model));
        let disk = DiskId(self.disks.len() - 1);
        self.sites[site.0].nodes.insert(path.into(), disk);
        disk
    }

    /// How many sites there are.
    pub fn sites(&self) -> usize {
        self.sites.len()
    }

    /// A site.
    pub fn site(&self, site: SiteId) -> &Site {
        &self.sites[site.0]
    }

    /// A site, to turn its switches.
    pub fn site_mut(&mut self, site: SiteId) -> &mut Site {
        &mut self.sites[site.0]
    }

    /// A disk.
    pub fn disk(&self, disk: DiskId) -> &Disk {
        &self.disks[disk.0]
    }

    /// A disk, to turn its switches.
    pub fn disk_mut(&mut self, disk: DiskId) -> &mut Disk {
        &mut self.disks[disk.0]
    }

    /// The disk or file that a path of a site leads to.
    pub fn disk_at(&self, site: SiteId, path: &str) -> Option<DiskId> {
        self.sites[site.0].nodes.get(path).copied()
    }

    /// The block memory of a site.
    pub fn memory(&mut self, site: SiteId) -> &mut BlockMemory {
        &mut self.sites[site.0].memory
    }

    /// Virtual time since the world began.
    pub fn now_ns(&self) -> u64 {
        self.now_ns
    }

    /// The clocks of a site.
    pub fn moment(&self, site: SiteId) -> Moment {
        self.sites[site.0].moment(self.now_ns)
    }

    /// A hash of everything that happened: equal for equal histories.
    pub fn trace_hash(&self) -> u64 {
        self.trace.hash()
    }

    /// Puts a line of a script into the trace.
    pub fn say(&mut self, what: &str) {
        self.trace.note(self.now_ns, "*", format_args!("{what}"));
    }

    /// Lets a stopped process (SIGSTOP, a paused guest) be: events wait.
    pub fn pause(&mut self, site: SiteId) {
        self.note(site, format_args!("# paused"));
        self.sites[site.0].paused = true;
    }

    /// Lets a paused process go on.
    pub fn resume(&mut self, site: SiteId) {
        self.note(site, format_args!("# resumed"));
        self.sites[site.0].paused = false;
    }

    /// Asks the appliance of a site to stop in good order.
    pub fn ask_stop(&mut self, site: SiteId) {
        if self.sites[site.0].running {
            self.post(site, Event::StopAsked, Vec::new());
        }
    }

    /// The next event of any site, once it is time for it. None if nothing happens until `limit_ns`; it is that time then.
    pub fn advance(&mut self, limit_ns: u64, deadline: impl Fn(SiteId) -> Option<Instant>) -> Option<(SiteId, Event)> {
        loop {
            let (at_ns, next) = match self.next_thing(&deadline) {
                Some((at_ns, next)) if at_ns <= limit_ns => (at_ns, next),
                Some(_) | None => {
                    self.now_ns = self.now_ns.max(limit_ns);
                    return None;
                }
            };
            if at_ns > self.now_ns {
                self.now_ns = at_ns;
                self.idle_ticks = 0;
            }
            match next {
                Next::Due(key) => {
                    let due = self.queue.remove(&key).expect("found in the queue");
                    self.happen(due);
                }
                Next::Deliver(site) => return Some((site, self.deliver(site))),
                Next::Tick(site) => {
                    self.idle_ticks += 1;
                    assert!(
                        self.idle_ticks < IDLE_TICKS_MAX,
                        "{} waits for a time that is over",
                        self.site(site).name
                    );
                    self.note(site, format_args!("< tick"));
                    self.think(site);
                    return Some((site, Event::Tick));
                }
            }
        }
    }

    fn next_thing(&mut self, deadline: &impl Fn(SiteId) -> Option<Instant>) -> Option<(u64, Next)> {
        let now_ns = self.now_ns;
        let mut best = self.queue.keys().next().map(|key| (key.at_ns.max(now_ns), Next::Due(*key)));
        let first = if self.sites.len() > 1 {
            usize::try_from(self.random.below(u64::try_from(self.sites.len()).expect("a count"))).expect("a count")
        } else {
            0
        };
        for step in 0..self.sites.len() {
            let id = SiteId((first + step) % self.sites.len());
            let site = &self.sites[id.0];
            if !site.running || site.paused {
                continue;
            }
            let mine = if site.inbox.is_empty() {
                deadline(id).map(|at| (site.world_ns(at).max(site.ready_at_ns), Next::Tick(id)))
            } else {
                Some((site.ready_at_ns, Next::Deliver(id)))
            };
            if let Some((at_ns, next)) = mine {
                let at_ns = at_ns.max(now_ns);
                if best.as_ref().is_none_or(|(best_ns, _)| at_ns < *best_ns) {
                    best = Some((at_ns, next));
                }
            }
        }
        best
    }

    /// Takes the oldest event of a site and returns the memory that comes with it.
    fn deliver(&mut self, id: SiteId) -> Event {
        self.think(id);
        let site = &mut self.sites[id.0];
        let delivery = site.inbox.pop_front().expect("looked at before");
        for lent in &delivery.returns {
            site.memory.give_back(*lent);
        }
        match &delivery.event {
            Event::LinkDown { link, .. } => {
                site.links.remove(link);
            }
            Event::ClientGone { client } => {
                site.clients.remove(client);
            }
            _ => {}
        }
        self.note_event(id, &delivery.event);
        delivery.event
    }

    fn think(&mut self, site: SiteId) {
        let think_ns = self.random.within(&self.sites[site.0].think_ns.clone());
        self.sites[site.0].ready_at_ns = self.now_ns + think_ns;
    }

    /// Puts an event into a site's queue.
    pub(crate) fn post(&mut self, site: SiteId, event: Event, returns: Vec<Lent>) {
        self.sites[site.0].post(event, returns);
    }

    /// Lets something happen after a while.
    pub(crate) fn after(&mut self, delay_ns: u64, due: Due) {
        let number = self.number();
        let key = DueKey {
            at_ns: self.now_ns + delay_ns,
            lot: self.random.bits(),
            number,
        };
        self.queue.insert(key, due);
    }

    /// Puts an event into a site's queue after a while, unless its process is dead by then.
    pub(crate) fn post_after(&mut self, delay_ns: u64, site: SiteId, event: Event) {
        let run = self.sites[site.0].run;
        self.after(
            delay_ns,
            Due::Post {
                site,
                run,
                event: Box::new(event),
            },
        );
    }

    /// A number that was not given before.
    pub(crate) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(crate) fn note(&mut self, site: SiteId, what: std::fmt::Arguments<'_>) {
        self.trace.note(self.now_ns, &self.sites[site.0].name, what);
    }

    fn note_event(&mut self, site: SiteId, event: &Event) {
        let name = &self.sites[site.0].name;
        match event {
            Event::Frame { link, message, body } => {
                let memory = &self.sites[site.0].memory;
                let body = body.map(|span| (span, crate::trace::Fold::of(memory.lent_bytes(span))));
                let hash = crate::trace::Fold::of(message);
                let length = message.len();
                self.trace.note(
                    self.now_ns,
                    name,
                    format_args!("< frame on {} of {length} bytes {hash:016x} body {body:x?}", link.0),
                );
            }
            Event::Call {
                client,
                role,
                uid,
                message,
            } => {
                let text = String::from_utf8_lossy(message);
                self.trace.note(
                    self.now_ns,
                    name,
                    format_args!("< call of client {} ({role:?}, uid {uid}): {text}", client.0),
                );
            }
            other => self.trace.note(self.now_ns, name, format_args!("< {other:?}")),
        }
    }
}
