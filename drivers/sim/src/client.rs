//! Control clients: programs outside that call the appliance and read what it answers.
//!
//! Invariant: what a client is sent, it reads in order, at its own pace; [`Event::ClientGone`] is its last event.

use std::collections::VecDeque;

use hal::{ClientId, Event, IoError, Role, Span, Tag};

use crate::due::Due;
use crate::memory::{Lent, Use};
use crate::{Machines, SiteId};

/// Which caller of a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerId(pub usize);

/// Something on its way to a caller.
#[derive(Clone, Debug)]
enum Parcel {
    Reply(Vec<u8>),
    Chunk(Tag, Lent),
    Goodbye,
}

/// A caller.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub site: SiteId,
    client: ClientId,
    role: Role,
    uid: u32,
    gone: bool,
    reads: bool,
    on_the_way: VecDeque<Parcel>,
    replies: VecDeque<Vec<u8>>,
    chunks: Vec<u8>,
}

impl Caller {
    pub(crate) fn is_gone(&self) -> bool {
        self.gone
    }
}

impl Machines {
    /// Connects a program to the control socket of a site. Where nothing runs, it is gone at once.
    pub fn connect(&mut self, site: SiteId, role: Role, uid: u32) -> CallerId {
        let id = CallerId(self.callers.len());
        let here = &mut self.sites[site.0];
        here.connected += 1;
        let client = ClientId(here.connected);
        let gone = !here.running || here.stopping;
        if !gone {
            here.clients.insert(client, id);
        }
        self.callers.push(Caller {
            site,
            client,
            role,
            uid,
            gone,
            reads: true,
            on_the_way: VecDeque::new(),
            replies: VecDeque::new(),
            chunks: Vec::new(),
        });
        id
    }

    /// Sends a call: JSON, without the closing NUL.
    pub fn call(&mut self, caller: CallerId, message: &str) {
        let delay_ns = self.random.within(&(10_000..=500_000));
        self.after(
            delay_ns,
            Due::Call {
                caller,
                message: message.into(),
            },
        );
    }

    /// Connects and calls.
    pub fn connect_and_call(&mut self, site: SiteId, role: Role, message: &str) -> CallerId {
        let caller = self.connect(site, role, 0);
        self.call(caller, message);
        caller
    }

    /// The oldest reply that was not taken yet.
    pub fn take_reply(&mut self, caller: CallerId) -> Option<Vec<u8>> {
        self.callers[caller.0].replies.pop_front()
    }

    /// How many replies were not taken yet.
    pub fn replies(&self, caller: CallerId) -> usize {
        self.callers[caller.0].replies.len()
    }

    /// All bytes of the chunks so far.
    pub fn chunks(&self, caller: CallerId) -> &[u8] {
        &self.callers[caller.0].chunks
    }

    /// The connection is over.
    pub fn is_gone(&self, caller: CallerId) -> bool {
        self.callers[caller.0].gone
    }

    /// Lets a caller read, or not read, what it is sent.
    pub fn set_reading(&mut self, caller: CallerId, reads: bool) {
        self.callers[caller.0].reads = reads;
        for _ in 0..self.callers[caller.0].on_the_way.len() {
            self.read_soon(caller);
        }
    }

    /// A caller closes its connection, whatever is on the way.
    pub fn leave(&mut self, id: CallerId) {
        if self.callers[id.0].gone {
            return;
        }
        let Self { callers, sites, .. } = self;
        let caller = &mut callers[id.0];
        caller.gone = true;
        let (client, here) = (caller.client, &mut sites[caller.site.0]);
        for parcel in caller.on_the_way.drain(..) {
            match parcel {
                Parcel::Chunk(tag, lent) => {
                    here.post(
                        Event::Delivered {
                            tag,
                            client,
                            result: Err(IoError::Gone),
                        },
                        vec![lent],
                    );
                }
                Parcel::Reply(_) | Parcel::Goodbye => {}
            }
        }
        let site = caller.site;
        self.end_feed_of(site, id);
        self.post(site, Event::ClientGone { client }, Vec::new());
    }

    /// What a caller was feeding has ended with it.
    fn end_feed_of(&mut self, site: SiteId, caller: CallerId) {
        let door = crate::feeder::Door::Caller(caller);
        let feeds = &self.sites[site.0].feeds;
        let feed = feeds
            .iter()
            .find(|(_, feed)| feed.door == door)
            .map(|(id, feed)| (*id, feed.feeder));
        if let Some((feed, feeder)) = feed {
            if let Some(feeder) = feeder {
                self.feeders[feeder.0].disconnect();
            }
            self.pour(site, feed);
        }
    }

    pub(crate) fn call_arrives(&mut self, id: CallerId, message: Vec<u8>) {
        let Caller {
            site,
            client,
            role,
            uid,
            gone,
            ..
        } = self.callers[id.0];
        if !gone {
            self.post(
                site,
                Event::Call {
                    client,
                    role,
                    uid,
                    message,
                },
                Vec::new(),
            );
        }
    }

    pub(crate) fn reply(&mut self, site: SiteId, client: ClientId, message: Vec<u8>) {
        self.parcel(site, client, Parcel::Reply(message));
    }

    pub(crate) fn dismiss(&mut self, site: SiteId, client: ClientId) {
        self.parcel(site, client, Parcel::Goodbye);
    }

    pub(crate) fn deliver_chunk(&mut self, site: SiteId, tag: Tag, client: ClientId, chunk: Span) {
        let lent = self.sites[site.0].memory.lend(chunk, Use::Reads);
        let caller = self.caller(site, client);
        if self.callers[caller.0].gone {
            let last = Event::ClientGone { client };
            let event = Event::Delivered {
                tag,
                client,
                result: Err(IoError::Gone),
            };
            return self.sites[site.0].post_before(&last, event, vec![lent]);
        }
        self.parcel(site, client, Parcel::Chunk(tag, lent));
    }

    fn parcel(&mut self, site: SiteId, client: ClientId, parcel: Parcel) {
        let id = self.caller(site, client);
        let caller = &mut self.callers[id.0];
        if !caller.gone {
            caller.on_the_way.push_back(parcel);
            self.read_soon(id);
        }
    }

    fn read_soon(&mut self, caller: CallerId) {
        let delay_ns = self.random.within(&(10_000..=1_000_000));
        self.after(delay_ns, Due::Read { caller });
    }

    fn caller(&self, site: SiteId, client: ClientId) -> CallerId {
        *self.sites[site.0]
            .clients
            .get(&client)
            .unwrap_or_else(|| panic!("there is no {client:?}"))
    }

    pub(crate) fn caller_reads(&mut self, id: CallerId) {
        let Self { callers, sites, .. } = self;
        let caller = &mut callers[id.0];
        if !caller.reads || caller.gone {
            return;
        }
        let (client, here) = (caller.client, &mut sites[caller.site.0]);
        match caller.on_the_way.pop_front() {
            None => {}
            Some(Parcel::Reply(message)) => caller.replies.push_back(message),
            Some(Parcel::Chunk(tag, lent)) => {
                caller.chunks.extend_from_slice(here.memory.lent_bytes(lent.span));
                here.post(
                    Event::Delivered {
                        tag,
                        client,
                        result: Ok(()),
                    },
                    vec![lent],
                );
            }
            Some(Parcel::Goodbye) => {
                caller.gone = true;
                here.post(Event::ClientGone { client }, Vec::new());
            }
        }
    }

    /// The process is dead: so is every connection to it.
    pub(crate) fn break_callers_of(&mut self, site: SiteId) {
        for caller in self.sites[site.0].clients.values() {
            let caller = &mut self.callers[caller.0];
            caller.gone = true;
            caller.on_the_way.clear();
        }
    }
}
