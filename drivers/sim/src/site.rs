//! One simulated machine: what it is, what it holds for the appliance that runs on it, and what waits to be told to it.
//!
//! What happens to it is elsewhere: `submit.rs`, `due.rs`, `power.rs`.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use hal::{Access, CardId, ClientId, ClockQuality, Event, FeedId, Fingerprint, Instant, LinkId, Moment, NicFacts, Tag, VolumeId};

use crate::card::{OpenCard, SimCard};
use crate::feed::Feed;
use crate::memory::Lent;
use crate::program::Program;
use crate::{BlockMemory, CallerId, DiskId, StateFolder};

/// 2026-11-20, midnight UTC: what the wall clocks show when the world begins.
const UTC_AT_START_NS: i64 = 1_795_132_800_000_000_000;

/// Which site of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SiteId(pub usize);

/// An open volume.
#[derive(Clone, Debug)]
pub(crate) struct Volume {
    pub disk: DiskId,
    pub insertion: u32,
    pub access: Access,
    pub flying: u32,
    pub closing: Option<Tag>,
}

/// An event on its way to the appliance, with the memory that comes back with it.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub event: Event,
    pub returns: Vec<Lent>,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name, and the host name that routes to it carry.
    pub name: String,
    /// Its key.
    pub fingerprint: Fingerprint,
    /// Ports on which its appliance listens.
    pub ports: Vec<u16>,
    /// Block memory that the next boot gets.
    pub memory_bytes: u32,
    /// Time that the appliance takes for one event.
    pub think_ns: RangeInclusive<u64>,
    /// By how much its wall clock is wrong.
    pub clock_error_ns: i64,
    /// By how many parts in a million its wall clock runs too fast; at -1,000,000 it stands still.
    pub clock_drift_ppm: i64,
    /// What it believes of its wall clock.
    pub clock_quality: ClockQuality,
    /// What is in its state folder.
    pub state: StateFolder,
    /// Its network interfaces.
    pub nics: Vec<NicFacts>,
    /// The folder of programs.
    pub programs: BTreeMap<String, Program>,
    /// Every program that was started, with its input.
    pub started: Vec<(String, Vec<u8>)>,
    /// Room for files that are made.
    pub file_room_bytes: u64,
    pub(crate) powered: bool,
    pub(crate) running: bool,
    pub(crate) paused: bool,
    pub(crate) stopping: bool,
    /// Counts the processes that ran here: what is meant for an earlier one finds nobody.
    pub(crate) run: u64,
    pub(crate) powered_at_ns: u64,
    pub(crate) uptime_at_power_ns: u64,
    pub(crate) ready_at_ns: u64,
    pub(crate) memory: BlockMemory,
    pub(crate) inbox: VecDeque<Delivery>,
    pub(crate) nodes: BTreeMap<String, DiskId>,
    pub(crate) volumes: BTreeMap<VolumeId, Volume>,
    pub(crate) trusted: Vec<Fingerprint>,
    pub(crate) links: BTreeMap<LinkId, (u64, usize)>,
    pub(crate) accepted: u64,
    pub(crate) cards: BTreeMap<String, SimCard>,
    pub(crate) open_cards: BTreeMap<CardId, OpenCard>,
    pub(crate) feeds: BTreeMap<FeedId, Feed>,
    pub(crate) clients: BTreeMap<ClientId, CallerId>,
    pub(crate) connected: u64,
}

impl Site {
    pub(crate) fn new(name: &str, fingerprint: Fingerprint, memory_bytes: u32) -> Self {
        let nic = NicFacts {
            name: "eth0".into(),
            up: true,
            speed_mbit: 1000,
            mtu_bytes: 1500,
            addresses: Vec::new(),
            hardware: String::new(),
            received_bytes: 0,
            sent_bytes: 0,
            errors: 0,
        };
        Self {
            name: name.into(),
            fingerprint,
            ports: vec![7440],
            memory_bytes,
            think_ns: 0..=20_000,
            clock_error_ns: 0,
            clock_drift_ppm: 0,
            clock_quality: ClockQuality::Synchronized,
            state: StateFolder::default(),
            nics: vec![nic],
            programs: BTreeMap::new(),
            started: Vec::new(),
            file_room_bytes: u64::MAX,
            powered: false,
            running: false,
            paused: false,
            stopping: false,
            run: 0,
            powered_at_ns: 0,
            uptime_at_power_ns: 0,
            ready_at_ns: 0,
            memory: BlockMemory::new(0),
            inbox: VecDeque::new(),
            nodes: BTreeMap::new(),
            volumes: BTreeMap::new(),
            trusted: Vec::new(),
            links: BTreeMap::new(),
            accepted: 0,
            cards: BTreeMap::new(),
            open_cards: BTreeMap::new(),
            feeds: BTreeMap::new(),
            clients: BTreeMap::new(),
            connected: 0,
        }
    }

    /// An appliance runs there.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Its clocks when the world's time is `now_ns`.
    pub(crate) fn moment(&self, now_ns: u64) -> Moment {
        let boot_ns = self.uptime_at_power_ns + (now_ns - self.powered_at_ns);
        let passed_ns = i64::try_from(now_ns).expect("virtual time stays within 290 years");
        let drift_ns = passed_ns / 1_000_000 * self.clock_drift_ppm;
        let utc_ns = UTC_AT_START_NS
            .saturating_add(passed_ns + drift_ns)
            .saturating_add(self.clock_error_ns);
        Moment {
            at: Instant::from_ns(boot_ns),
            utc_ns,
            quality: self.clock_quality,
        }
    }

    /// The world's time at which its boot clock shows `at`.
    pub(crate) fn world_ns(&self, at: Instant) -> u64 {
        self.powered_at_ns
            .saturating_add(at.boot_ns.saturating_sub(self.uptime_at_power_ns))
    }

    /// Puts an event at the end of the queue.
    pub(crate) fn post(&mut self, event: Event, returns: Vec<Lent>) {
        self.inbox.push_back(Delivery { event, returns });
    }

    /// Puts an event before a last event that is queued already: the last event stays the last.
    pub(crate) fn post_before(&mut self, last: &Event, event: Event, returns: Vec<Lent>) {
        let same = |queued: &Event| match (queued, last) {
            (Event::LinkDown { link: a, .. }, Event::LinkDown { link: b, .. }) => a == b,
            (Event::ClientGone { client: a }, Event::ClientGone { client: b }) => a == b,
            _ => false,
        };
        let place = self.inbox.iter().position(|delivery| same(&delivery.event));
        self.inbox
            .insert(place.expect("the last event is queued"), Delivery { event, returns });
    }

    /// The queued event that ends a link, so that memory can be added to what it returns.
    pub(crate) fn queued_down(&mut self, link: LinkId) -> Option<&mut Delivery> {
        self.inbox
            .iter_mut()
            .find(|delivery| matches!(delivery.event, Event::LinkDown { link: queued, .. } if queued == link))
    }

    /// A NIC that connections can use.
    pub(crate) fn has_nic(&self, name: Option<&str>) -> bool {
        self.nics.iter().any(|nic| nic.up && name.is_none_or(|name| name == nic.name))
    }
}
