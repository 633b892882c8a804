//! `peer …`

use blockhaul_core::control::types::{Named, Nothing, Peer as Parameters, Peers};

use super::Context;
use crate::args::peer::Peer;
use crate::failure::{Exit, Failure};
use crate::render::pairing;

/// `blockhaul peer …`
pub fn run(context: &Context, peer: Peer) -> Result<Exit, Failure> {
    match peer {
        Peer::Add(add) => {
            let done = format!(
                "Peer {} is known. The other side adds this appliance too: see `blockhaul identity`.",
                add.name
            );
            let parameters = Parameters {
                name: add.name,
                routes: add.routes,
                key: add.key,
            };
            context.order("io.blockhaul.Peer.Add", parameters, &done)
        }
        Peer::List => context.ask("io.blockhaul.Peer.List", Nothing {}, |all: &Peers, look| {
            pairing::peers(&all.peers, look)
        }),
        Peer::Remove(named) => {
            let done = format!("Peer {} is forgotten.", named.name);
            context.order("io.blockhaul.Peer.Remove", Named { name: named.name }, &done)
        }
    }
}
