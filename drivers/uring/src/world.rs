//! What the lanes of one machine share: the queue of events, and who is connected. Not the lanes themselves.
//!
//! One thread. No borrow of anything here is held across an `await`.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use hal::{ClientId, Event, FeedId, LinkId};
use tokio::sync::Notify;

use crate::control::Client;
use crate::feed::Feed;
use crate::link::Link;

/// Shared by the machine and its lanes.
#[derive(Default)]
pub(crate) struct World {
    events: RefCell<VecDeque<Event>>,
    /// An event was pushed.
    pub(crate) news: Notify,
    /// Links that are being dialled or are up. One that went down is taken out in the same poll that pushes its `LinkDown`.
    pub(crate) links: RefCell<HashMap<LinkId, Rc<Link>>>,
    /// Clients that are connected; taken out together with `ClientGone`.
    pub(crate) clients: RefCell<HashMap<ClientId, Rc<Client>>>,
    /// Feeds that are open or being opened.
    pub(crate) feeds: RefCell<HashMap<FeedId, Rc<Feed>>>,
    /// Set by [`hal::Op::Stop`].
    pub(crate) stopping: Cell<bool>,
    /// Wakes the listeners when `stopping` is set.
    pub(crate) stop: Notify,
    /// What the links read into; its size is set by the first that does.
    pub(crate) receive_buffer: RefCell<Vec<u8>>,
    clients_so_far: Cell<u64>,
    accepted_so_far: Cell<u64>,
}

impl World {
    /// Tells the core something.
    pub(crate) fn push(&self, event: Event) {
        self.events.borrow_mut().push_back(event);
        self.news.notify_one();
    }

    /// The oldest event that was not taken.
    pub(crate) fn pop(&self) -> Option<Event> {
        self.events.borrow_mut().pop_front()
    }

    /// Nothing waits to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.borrow().is_empty()
    }

    /// The queue, for the driver of the disks.
    pub(crate) fn with_queue<R>(&self, with: impl FnOnce(&mut VecDeque<Event>) -> R) -> R {
        with(&mut self.events.borrow_mut())
    }

    /// Puts `event` before the last event of something that is down already, which the core has not taken yet. The core could
    /// not know when it submitted the op, and the op must be answered before the last event. Without such an event: our own
    /// mistake in the core, and nothing to answer.
    pub(crate) fn push_before(&self, event: Event, is_last: impl Fn(&Event) -> bool) {
        let mut events = self.events.borrow_mut();
        match events.iter().position(is_last) {
            Some(index) => events.insert(index, event),
            None => tracing::error!(?event, "an op for something that is gone"),
        }
    }

    /// A name for a client.
    pub(crate) fn next_client(&self) -> ClientId {
        self.clients_so_far.set(self.clients_so_far.get() + 1);
        ClientId(self.clients_so_far.get())
    }

    /// A name for an accepted link: odd.
    pub(crate) fn next_accepted(&self) -> LinkId {
        let count = self.accepted_so_far.get();
        self.accepted_so_far.set(count + 1);
        LinkId(2 * count + 1)
    }

    /// Waits until [`hal::Op::Stop`].
    pub(crate) async fn stopped(&self) {
        while !self.stopping.get() {
            let notified = self.stop.notified();
            if self.stopping.get() {
                return;
            }
            notified.await;
        }
    }
}
