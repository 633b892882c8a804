//! A connection between two sites: two ends, and what is on the way.
//!
//! Invariants: what one end sends arrives in order or not at all; an end that is down has no memory of its appliance.

use std::collections::VecDeque;
use std::sync::Arc;

use hal::{Fingerprint, LinkError, LinkId, Message, Route, Tag};

use crate::SiteId;
use crate::memory::Lent;

/// Where an end is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The call is on its way, or not yet answered.
    Dialling,
    /// In use.
    Up,
    /// Its appliance has been told that it is down, or is dead, or never had it.
    Down,
}

/// What travels.
#[derive(Clone, Debug)]
pub(crate) enum Load {
    Frame {
        message: Box<Message>,
        body: Arc<[u8]>,
    },
    /// The sender has closed in good order.
    Close,
    /// The sender is gone.
    Reset(LinkError),
}

/// Something on the way.
#[derive(Clone, Debug)]
pub(crate) struct OnTheWay {
    pub load: Load,
    pub bytes: u64,
    pub arrives_at_ns: u64,
}

/// A send whose bytes are not all in the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Sending {
    pub tag: Tag,
    pub lent: Option<Lent>,
    /// Bytes sent on this end up to and with this frame.
    pub through_bytes: u64,
}

/// One end.
#[derive(Clone, Debug)]
pub(crate) struct End {
    pub site: SiteId,
    pub run: u64,
    pub link: LinkId,
    pub phase: Phase,
    pub peer: Fingerprint,
    /// Memory lent for bodies, in order.
    pub lent: VecDeque<Lent>,
    pub sending: VecDeque<Sending>,
    pub on_the_way: VecDeque<OnTheWay>,
    pub sent_bytes: u64,
    pub arrived_bytes: u64,
    pub free_at_ns: u64,
    pub last_arrival_ns: u64,
    pub hanging_up: bool,
    pub stuck_since_ns: Option<u64>,
}

impl End {
    pub(crate) fn new(site: SiteId, run: u64, link: LinkId, phase: Phase, peer: Fingerprint) -> Self {
        Self {
            site,
            run,
            link,
            phase,
            peer,
            lent: VecDeque::new(),
            sending: VecDeque::new(),
            on_the_way: VecDeque::new(),
            sent_bytes: 0,
            arrived_bytes: 0,
            free_at_ns: 0,
            last_arrival_ns: 0,
            hanging_up: false,
            stuck_since_ns: None,
        }
    }
}

/// A connection.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    /// The end that dialled, and the one that accepted.
    pub ends: [End; 2],
    pub route: Route,
}

impl Wire {
    /// Nothing can come of it any more.
    pub(crate) fn is_over(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.phase == Phase::Down && end.on_the_way.is_empty())
    }
}
