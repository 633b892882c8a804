//! A real appliance on a machine that does at once, and rightly, whatever it is asked: what comes in is up to the target.
//!
//! Not the simulation (`drivers/sim`): there are no faults of disks here, and the other ends of links and clients are the input.
//! Invariants: every op is answered by its one event, in order; time passes only in [`Desk::pass`]; an appliance that does not
//! come to rest is a finding.

mod answers;
mod begin;
mod disk;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use blockhaul_core::haul::wire::Message;
use blockhaul_core::{Appliance, Board};
use hal::{
    ClientId, ClockQuality, Event, FeedId, Fingerprint, Instant, LinkError, LinkId, Memory, Moment, PAGE_BYTES, Role, Span,
    VolumeId,
};
use serde_json::Value;

pub use begin::{BLOCK_BYTES, DISK_BYTES, NORTH, PIECES, SLOTS, SLOTS_AT_BYTES, SOUTH, TOKEN, begin, piece_bytes};
pub use disk::Disk;

/// Path of the only disk.
pub const VOLUME: &str = "/dev/volume";
/// Events after which an appliance that is left alone must have come to rest.
const EVENTS_MAX: usize = 100_000;

const PAGE: usize = PAGE_BYTES as usize;

/// Block memory.
#[derive(Clone)]
struct Ram(Vec<u8>);

impl Memory for Ram {
    fn size_bytes(&self) -> u32 {
        self.0.len() as u32
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.0[span.offset_bytes as usize..span.end_bytes() as usize]
    }

    fn bytes_mut(&mut self, span: Span) -> &mut [u8] {
        &mut self.0[span.offset_bytes as usize..span.end_bytes() as usize]
    }
}

/// A read of a feeder that has not returned.
#[derive(Clone, Copy)]
struct Fill {
    into: Option<Span>,
    until: Instant,
}

/// A link that is up.
#[derive(Clone)]
struct Link {
    peer: Fingerprint,
    lent: VecDeque<Span>,
}

/// The appliance and everything around it.
#[derive(Clone)]
pub struct Desk {
    appliance: Appliance,
    ram: Ram,
    now: Instant,
    disk: Disk,
    open: BTreeSet<VolumeId>,
    settings: Option<Vec<u8>>,
    owed: VecDeque<Event>,
    fills: BTreeMap<FeedId, Fill>,
    links: BTreeMap<LinkId, Link>,
    trusted: Vec<Fingerprint>,
    /// Clients that are connected; with the feed that took over.
    clients: BTreeMap<ClientId, Option<FeedId>>,
    /// Whether peers that are called answer.
    pub reachable: bool,
    /// Answers since they were last taken.
    pub replies: Vec<(ClientId, Value)>,
    /// Chunks that clients were sent since they were last taken.
    pub delivered: Vec<Vec<u8>>,
    /// Messages on links since they were last taken.
    pub said: Vec<(LinkId, Message)>,
    /// Links that have come up since they were last taken.
    pub dialled: Vec<LinkId>,
}

/// What an appliance starts with.
fn board(settings: Option<Vec<u8>>, kept_events: Vec<Vec<u8>>, memory_bytes: u32) -> Board {
    Board {
        fingerprint: Fingerprint([1; 32]),
        version: "fuzz",
        listening: vec!["[::]:7411".to_owned()],
        seed: [2; 32],
        settings,
        kept_events,
        memory_bytes,
    }
}

impl Desk {
    /// An appliance that has nothing but events from before.
    pub fn with_events(kept: Vec<Vec<u8>>) -> Desk {
        Desk::start(Disk::default(), board(None, kept, PAGE_BYTES), Instant::default())
    }

    /// What lies on the disk.
    pub fn disk(&self) -> Disk {
        self.disk.clone()
    }

    /// The same appliance after a power cut, with that on its disk.
    pub fn again(&self, disk: Disk) -> Desk {
        let board = board(self.settings.clone(), Vec::new(), self.ram.size_bytes());
        Desk::start(disk, board, self.now)
    }

    fn start(disk: Disk, board: Board, now: Instant) -> Desk {
        let (memory_bytes, settings) = (board.memory_bytes, board.settings.clone());
        let mut ops = Vec::new();
        let appliance = Appliance::start(board, moment(now), &mut ops).expect("settings that were saved");
        let mut desk = Desk {
            appliance,
            ram: Ram(vec![0; memory_bytes as usize]),
            now,
            disk,
            open: BTreeSet::new(),
            settings,
            owed: VecDeque::new(),
            fills: BTreeMap::new(),
            links: BTreeMap::new(),
            trusted: Vec::new(),
            clients: BTreeMap::new(),
            reachable: false,
            replies: Vec::new(),
            delivered: Vec::new(),
            said: Vec::new(),
            dialled: Vec::new(),
        };
        ops.into_iter().for_each(|op| desk.submit(op));
        desk.settle();
        desk
    }

    /// Hands over one event and does what is asked because of it.
    fn give(&mut self, event: Event) {
        let mut ops = Vec::new();
        self.appliance.step(moment(self.now), event, &mut self.ram, &mut ops);
        ops.into_iter().for_each(|op| self.submit(op));
    }

    /// Answers whatever is owed, until nothing is.
    fn settle(&mut self) {
        for _ in 0..EVENTS_MAX {
            let Some(event) = self.owed.pop_front() else { return };
            self.give(event);
        }
        panic!("the appliance goes on for ever in one moment");
    }

    /// An event comes in, and everything that follows at once.
    fn happen(&mut self, event: Event) {
        self.owed.push_back(event);
        self.settle();
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        for _ in 0..EVENTS_MAX {
            let fill = self.fills.iter().map(|(feed, fill)| (fill.until, *feed)).min();
            let tick = self.appliance.deadline();
            let next = [fill.map(|(until, _)| until), tick].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else {
                self.now = end;
                return;
            };
            self.now = self.now.max(next);
            match fill.filter(|(until, _)| *until <= self.now) {
                Some((_, feed)) => {
                    self.filled(feed, &[], false);
                }
                None => self.happen(Event::Tick),
            }
        }
        panic!("the appliance does not come to rest in {} s", time.as_secs());
    }

    /// A client calls. One whose connection was taken over cannot.
    pub fn call(&mut self, client: ClientId, role: Role, message: &[u8]) {
        if self.clients.entry(client).or_default().is_none() {
            self.happen(Event::Call {
                client,
                role,
                uid: 1000,
                message: message.to_vec(),
            });
        }
    }

    /// A client closes its connection.
    pub fn leave(&mut self, client: ClientId) {
        match self.clients.get(&client) {
            Some(Some(feed)) => {
                let feed = *feed;
                self.filled(feed, &[], true);
            }
            Some(None) => {
                self.clients.remove(&client);
                self.happen(Event::ClientGone { client });
            }
            None => {}
        }
    }

    /// Feeds that wait for bytes.
    pub fn thirsty(&self) -> Option<FeedId> {
        self.fills.keys().next().copied()
    }

    /// A feeder brings bytes, as many as there is room for; returns how many were taken.
    pub fn filled(&mut self, feed: FeedId, bytes: &[u8], end: bool) -> usize {
        let Some(fill) = self.fills.remove(&feed) else { return 0 };
        let mut length = bytes.len();
        if let Some(into) = fill.into {
            length = length.min(into.length_bytes as usize);
            self.ram.bytes_mut(into)[..length].copy_from_slice(&bytes[..length]);
        }
        self.happen(Event::Filled {
            feed,
            bytes: length as u64,
            end,
        });
        length
    }

    /// A peer calls; only those who are trusted come in.
    pub fn come(&mut self, link: LinkId, peer: Fingerprint) {
        if self.trusted.contains(&peer) && !self.links.contains_key(&link) {
            self.links.insert(
                link,
                Link {
                    peer,
                    lent: VecDeque::new(),
                },
            );
            let address = "192.0.2.1:1".to_owned();
            self.happen(Event::LinkUp { link, peer, address });
        }
    }

    /// Whether a link is up.
    pub fn is_up(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// A link is lost.
    pub fn lose(&mut self, link: LinkId, why: LinkError) {
        if self.links.remove(&link).is_some() {
            self.happen(Event::LinkDown { link, why });
        }
    }

    /// A frame comes. A body for which no memory was lent waits in the network, and one that is too long ends the link.
    pub fn frame(&mut self, link: LinkId, message: &[u8], body: &[u8]) {
        let Some(up) = self.links.get_mut(&link) else { return };
        let Ok(message) = hal::Message::from_slice(message) else {
            return;
        };
        let mut span = None;
        if !body.is_empty() {
            let Some(lent) = up.lent.front().copied() else { return };
            if (lent.length_bytes as usize) < body.len() {
                return self.lose(link, LinkError::Malformed);
            }
            up.lent.pop_front();
            let lent = lent.part(0, body.len() as u32);
            self.ram.bytes_mut(lent).copy_from_slice(body);
            span = Some(lent);
        }
        self.happen(Event::Frame {
            link,
            message,
            body: span,
        });
    }
}

fn moment(at: Instant) -> Moment {
    Moment {
        at,
        utc_ns: 1_763_700_000_000_000_000_i64.saturating_add_unsigned(at.boot_ns),
        quality: ClockQuality::Synchronized,
    }
}
