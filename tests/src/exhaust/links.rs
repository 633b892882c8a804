//! The connection between the two appliances: two ends, and the frames on their way to each.
//!
//! Invariants: frames arrive in order or not at all; every send returns, in order, before its end is down.

use std::collections::VecDeque;
use std::rc::Rc;

use hal::{LinkError, LinkId, Message, Span, Tag};

/// Something on its way to an end.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// A frame.
    Frame {
        /// Its message.
        message: Message,
        /// Its body.
        body: Option<Rc<[u8]>>,
    },
    /// The other side has closed in good order.
    Close,
}

/// A send that has not returned.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// The op's.
    pub tag: Tag,
    /// When it was submitted.
    pub since_ns: u64,
}

/// One end.
#[derive(Clone, Debug)]
pub struct End {
    /// Place of its site.
    pub site: usize,
    /// What its appliance calls it.
    pub link: LinkId,
    /// Its appliance was told that it is up.
    pub up: bool,
    /// Its appliance was told that it is down, or is dead, or never had it.
    pub over: bool,
    /// Memory for bodies, in order.
    pub lent: VecDeque<Span>,
    /// Sends that have not returned.
    pub sending: VecDeque<Sending>,
    /// What is on its way here, and since when.
    pub coming: VecDeque<(u64, Item)>,
    /// It will go down, and why.
    pub breaks: Option<(u64, LinkError)>,
    /// Its appliance has closed it.
    pub closing: Option<u64>,
}

impl End {
    /// An end that is not up.
    pub fn new(site: usize, link: LinkId) -> End {
        End {
            site,
            link,
            up: false,
            over: false,
            lent: VecDeque::new(),
            sending: VecDeque::new(),
            coming: VecDeque::new(),
            breaks: None,
            closing: None,
        }
    }

    /// The next frame can be handed over.
    pub fn can_take(&self) -> bool {
        let open = self.up && !self.over && self.breaks.is_none() && self.closing.is_none();
        open && match self.coming.front() {
            Some((_, Item::Frame { body: Some(_), .. })) => !self.lent.is_empty(),
            Some((_, Item::Frame { body: None, .. } | Item::Close)) => true,
            None => false,
        }
    }

    /// All that is left is to say that it is down.
    pub fn can_end(&self) -> bool {
        !self.over && self.sending.is_empty() && (self.breaks.is_some() || self.closing.is_some())
    }

    /// Breaks it, unless it is over.
    pub fn break_off(&mut self, now_ns: u64, why: LinkError) {
        if !self.over && self.breaks.is_none() {
            self.breaks = Some((now_ns, why));
            self.coming.clear();
        }
    }
}

/// A connection. The first end has dialled.
#[derive(Clone, Debug)]
pub struct Link {
    /// Both ends.
    pub ends: [End; 2],
    /// When it was dialled.
    pub since_ns: u64,
}

impl Link {
    /// Nothing can come of it any more.
    pub fn is_over(&self) -> bool {
        self.ends.iter().all(|end| end.over)
    }

    /// It is in use and unharmed.
    pub fn is_whole(&self) -> bool {
        self.ends
            .iter()
            .all(|end| end.up && !end.over && end.breaks.is_none() && end.closing.is_none())
    }
}
