//! Recorders outside the appliance: programs that write a stream of bytes into its door, at their own pace.
//!
//! How the appliance takes the bytes is in `feed.rs`. Invariant: every byte that a feeder made has exactly one fate, and
//! [`Machines::fates`] tells it; bytes still on the way have none yet.

use std::collections::VecDeque;

use hal::FeedId;

use crate::client::CallerId;
use crate::due::Due;
use crate::{Machines, SiteId};

/// What a Unix socket holds.
const SOCKET_BYTES: usize = 208 * 1024;
/// A feeder that finds the door closed tries again after this long.
const KNOCK_AGAIN_NS: u64 = 300_000_000;

/// Which feeder of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeederId(pub usize);

/// What a feeder writes: chunk 0, 1, 2 … of a stream, all of them made by a function.
#[derive(Clone, Debug)]
pub struct Script {
    /// First argument of `chunk`.
    pub stream: u32,
    /// The bytes of a chunk, from the stream and the chunk's number.
    pub chunk: fn(u32, u64) -> Vec<u8>,
    /// After so many chunks the feeder closes.
    pub chunks: u64,
    /// Time between two chunks, while the door is open and the bytes are taken.
    pub every_ns: u64,
}

/// What became of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The appliance read it with a fill.
    Taken,
    /// The appliance threw it away with a drain.
    Dropped,
    /// It was in the socket when the connection broke.
    Lost,
}

/// Bytes of a stream, counted from its first, with the same fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// First byte.
    pub from_bytes: u64,
    /// First byte behind.
    pub to_bytes: u64,
    /// Fate of all of them.
    pub fate: Fate,
    /// The connection broke right behind them.
    pub broken: bool,
}

/// Where a feeder writes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// A socket that a feed has made.
    Path(String),
    /// The connection of a control client.
    Caller(CallerId),
}

/// A feeder.
#[derive(Clone, Debug)]
pub(crate) struct Feeder {
    pub site: SiteId,
    pub door: Door,
    pub attached: Option<FeedId>,
    /// It has closed its side: nothing comes after what is in the socket.
    pub closed: bool,
    script: Script,
    next_chunk: u64,
    pending: VecDeque<u8>,
    socket: VecDeque<u8>,
    position_bytes: u64,
    fates: Vec<Stretch>,
}

impl Feeder {
    /// Everything it wrote has been read.
    pub(crate) fn is_drained(&self) -> bool {
        self.closed && self.socket.is_empty()
    }

    /// Moves bytes out of the socket into `into`, and thereby others into the socket.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> usize {
        let length = into.len().min(self.socket.len());
        let (front, back) = self.socket.as_slices();
        let from_front = length.min(front.len());
        into[..from_front].copy_from_slice(&front[..from_front]);
        into[from_front..length].copy_from_slice(&back[..length - from_front]);
        self.socket.drain(..length);
        self.settle(length, Fate::Taken);
        self.fill_socket();
        length
    }

    /// Throws away what is in the socket.
    pub(crate) fn drain(&mut self) -> usize {
        let length = self.socket.len();
        self.socket.clear();
        self.settle(length, Fate::Dropped);
        self.fill_socket();
        length
    }

    /// The connection is broken: what was on the way is lost.
    pub(crate) fn disconnect(&mut self) {
        if let Some(last) = self.fates.last_mut() {
            last.broken = true;
        }
        let length = self.socket.len() + self.pending.len();
        self.socket.clear();
        self.pending.clear();
        self.settle(length, Fate::Lost);
        self.attached = None;
        if matches!(self.door, Door::Caller(_)) {
            self.closed = true;
        }
    }

    fn produce(&mut self) {
        if !self.pending.is_empty() {
            return;
        }
        if self.next_chunk < self.script.chunks {
            self.pending.extend((self.script.chunk)(self.script.stream, self.next_chunk));
            self.next_chunk += 1;
            self.fill_socket();
        } else {
            self.closed = true;
        }
    }

    fn fill_socket(&mut self) {
        let room = SOCKET_BYTES - self.socket.len();
        self.socket.extend(self.pending.drain(..room.min(self.pending.len())));
    }

    fn settle(&mut self, length: usize, fate: Fate) {
        let from_bytes = self.position_bytes;
        let to_bytes = from_bytes + u64::try_from(length).expect("lengths fit in 64 bits");
        self.position_bytes = to_bytes;
        match self.fates.last_mut() {
            _ if from_bytes == to_bytes => {}
            Some(last) if last.fate == fate && !last.broken => last.to_bytes = to_bytes,
            Some(_) | None => self.fates.push(Stretch {
                from_bytes,
                to_bytes,
                fate,
                broken: false,
            }),
        }
    }
}

impl Machines {
    /// Starts a feeder that connects to the socket at `path` of a site whenever it is there.
    pub fn feed_path(&mut self, site: SiteId, path: &str, script: Script) -> FeederId {
        self.start_feeder(site, Door::Path(path.into()), script)
    }

    /// Starts a feeder that writes into a caller's connection once the appliance takes it over.
    pub fn feed_caller(&mut self, caller: CallerId, script: Script) -> FeederId {
        let site = self.callers[caller.0].site;
        self.start_feeder(site, Door::Caller(caller), script)
    }

    fn start_feeder(&mut self, site: SiteId, door: Door, script: Script) -> FeederId {
        let id = FeederId(self.feeders.len());
        self.feeders.push(Feeder {
            site,
            door,
            attached: None,
            closed: false,
            script,
            next_chunk: 0,
            pending: VecDeque::new(),
            socket: VecDeque::new(),
            position_bytes: 0,
            fates: Vec::new(),
        });
        self.after(0, Due::Feed { feeder: id });
        id
    }

    /// What became of the bytes of a feeder so far, in order and without holes.
    pub fn fates(&self, feeder: FeederId) -> &[Stretch] {
        &self.feeders[feeder.0].fates
    }

    /// Every chunk has been written, and has been read or lost.
    pub fn is_fed(&self, feeder: FeederId) -> bool {
        self.feeders[feeder.0].is_drained()
    }

    /// Lets a feeder write no more than it has written, and close.
    pub fn end_feeder(&mut self, feeder: FeederId) {
        let feeder = &mut self.feeders[feeder.0];
        feeder.script.chunks = feeder.next_chunk;
    }

    /// It is time for a feeder's next step.
    pub(crate) fn feed_on(&mut self, id: FeederId) {
        if self.feeders[id.0].closed {
            return;
        }
        if self.feeders[id.0].attached.is_none() && !self.attach(id) {
            return self.after(KNOCK_AGAIN_NS, Due::Feed { feeder: id });
        }
        let feeder = &mut self.feeders[id.0];
        feeder.produce();
        let (site, every_ns) = (feeder.site, feeder.script.every_ns);
        let feed = feeder.attached.expect("attached just now");
        self.pour(site, feed);
        self.after(every_ns, Due::Feed { feeder: id });
    }

    fn attach(&mut self, id: FeederId) -> bool {
        let feeder = &mut self.feeders[id.0];
        let feeds = &mut self.sites[feeder.site.0].feeds;
        let free = feeds
            .iter_mut()
            .find(|(_, feed)| feed.door == feeder.door && feed.feeder.is_none());
        let Some((feed, open)) = free else { return false };
        open.feeder = Some(id);
        feeder.attached = Some(*feed);
        true
    }

    /// The process is dead: so is every connection to it.
    pub(crate) fn break_feeds_of(&mut self, site: SiteId) {
        for feed in self.sites[site.0].feeds.values() {
            if let Some(feeder) = feed.feeder {
                self.feeders[feeder.0].disconnect();
            }
        }
        // What the last bytes of one that has closed came to, nobody will say any more.
        let ended = self.feeders.iter_mut().filter(|feeder| feeder.site == site && feeder.closed);
        for last in ended.filter_map(|feeder| feeder.fates.last_mut()) {
            last.broken = true;
        }
    }
}
