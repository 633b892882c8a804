//! The appliance as shipped, and what its archive claims after every flush: the journal of acknowledgements.
//!
//! The claim is asked of a clone, so that asking changes nothing. What an archive reports durable is what its recorders and the
//! sources of its links are told in the same step.

use std::collections::BTreeSet;

use drivers_sim::{Board, Brain, SiteId, World};
use hal::{ClientId, Event, Instant, Memory, Moment, Op, Ops, Role, Tag};
use serde_json::Value;

use crate::reader::Track;
use crate::sim::product::{Notice, Product};

/// A client that no machine ever makes.
const NOBODY: ClientId = ClientId(u64::MAX);

/// What was said.
#[derive(Clone, Debug)]
pub enum Claim {
    /// The first archive, open for use, says that everything below is durable.
    Durable(u64),
    /// A source was told that everything of this track below is durable.
    Promised(Track, u64),
    /// A source was told that this number of a track is filled in.
    Filled(Track, u64),
}

/// One appliance.
#[derive(Clone, Debug)]
pub struct Watched {
    product: Product,
    flushes: BTreeSet<Tag>,
    /// What was said since it was taken last.
    pub claims: Vec<Claim>,
}

/// Switches a site on and starts the product there.
pub fn boot(world: &mut World<Watched>, site: SiteId) {
    world.boot(site, Watched::start);
}

impl Watched {
    fn start(board: Board, _: &mut dyn Memory, ops: &mut Ops) -> Watched {
        Watched {
            product: Product::start(board, ops),
            flushes: BTreeSet::new(),
            claims: Vec::new(),
        }
    }

    fn claim(&self, now: Moment, memory: &mut dyn Memory) -> Option<Claim> {
        let mut ops = Ops::new();
        let message = br#"{"method":"io.blockhaul.Archive.List"}"#.to_vec();
        let call = Event::Call {
            client: NOBODY,
            role: Role::Read,
            uid: 0,
            message,
        };
        self.product.clone().step(now, call, memory, &mut ops);
        let reply = ops.iter().find_map(|op| match op {
            Op::Reply { client: NOBODY, message } => serde_json::from_slice::<Value>(message).ok(),
            _ => None,
        })?;
        let archive = &reply["parameters"]["archives"][0];
        let open = archive["state"].as_str().is_some_and(|state| state != "indexing");
        let durable = archive["durable"].as_u64()?;
        open.then_some(Claim::Durable(durable))
    }
}

impl Brain for Watched {
    fn step(&mut self, now: Moment, event: Event, memory: &mut dyn Memory, ops: &mut Ops) {
        let flushed = matches!(&event, Event::Done { tag, result: Ok(()) } if self.flushes.remove(tag));
        self.product.step(now, event, memory, ops);
        self.flushes.extend(ops.iter().filter_map(|op| match op {
            Op::Flush { tag, .. } => Some(*tag),
            _ => None,
        }));
        if flushed {
            self.claims.extend(self.claim(now, memory));
        }
        self.claims
            .extend(self.product.notices.drain(..).filter_map(|notice| match notice {
                Notice::Acknowledges(track, next) => Some(Claim::Promised(track, next)),
                Notice::Fills(track, number) => Some(Claim::Filled(track, number)),
                _ => None,
            }));
    }

    fn deadline(&self) -> Option<Instant> {
        self.product.deadline()
    }

    fn stopped(&self) -> bool {
        self.product.stopped()
    }
}
