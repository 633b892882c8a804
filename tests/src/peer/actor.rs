//! What runs on a site of these histories: the appliance as shipped, or a puppet whose every frame the history decides.
//!
//! Invariant: a puppet does nothing by itself; it keeps what it was told, in order.

use std::collections::{BTreeSet, VecDeque};

use blockhaul_core::haul::wire::Message;
use drivers_sim::Brain;
use hal::{Event, Instant, LinkId, Memory, Moment, Ops};

use crate::sim::product::Product;

/// What runs on a site.
#[derive(Clone, Debug)]
pub enum Actor {
    /// The product.
    Appliance(Box<Product>),
    /// One end of links without a mind.
    Puppet(Puppet),
}

/// Something that a puppet was told.
#[derive(Clone, Debug)]
pub enum Told {
    /// A link is up.
    Up(LinkId),
    /// A link is down, or never came up.
    Down(LinkId),
    /// A frame with its body; no message if it cannot be read.
    Frame(LinkId, Option<Message>, Vec<u8>),
}

/// Keeps what it was told.
#[derive(Clone, Debug, Default)]
pub struct Puppet {
    /// What has not been taken.
    pub told: VecDeque<Told>,
    /// Links that are up.
    pub up: BTreeSet<LinkId>,
}

impl Brain for Actor {
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        match self {
            Actor::Appliance(product) => product.step(now, event, memory, ops),
            Actor::Puppet(puppet) => puppet.told.extend(match event {
                Event::LinkUp { link, .. } => {
                    puppet.up.insert(link);
                    Some(Told::Up(link))
                }
                Event::LinkDown { link, .. } => {
                    puppet.up.remove(&link);
                    Some(Told::Down(link))
                }
                Event::Frame { link, message, body } => {
                    let body = body.map(|span| memory.bytes(span).to_vec()).unwrap_or_default();
                    Some(Told::Frame(link, Message::decode(&message), body))
                }
                _ => None,
            }),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Actor::Appliance(product) => product.deadline(),
            Actor::Puppet(_) => None,
        }
    }

    fn stopped(&self) -> bool {
        match self {
            Actor::Appliance(product) => product.stopped(),
            Actor::Puppet(_) => false,
        }
    }
}
