//! `io.blockhaul.Peer`: other appliances.

use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{Call, Named, Peer, Peers, RefusalCode};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("Add", Role::Admin), ("List", Role::Read), ("Remove", Role::Admin)];

impl Parts {
    pub(super) fn call_peer(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match method {
            "Add" => {
                let peer: Peer = parse(call)?;
                if peer.key == self.fingerprint {
                    return Err(refusal(
                        RefusalCode::Usage,
                        "That is this appliance's own key.",
                        "Ask the peer: blockhaul identity. Between two archives here: blockhaul archive migrate",
                    )
                    .into());
                }
                self.change(Some(client), Change::AddPeer(peer), context);
            }
            "List" => {
                // The appliance is no peer of itself, though a migration makes it one.
                let others = self.settings.peers.iter().filter(|peer| peer.key != self.fingerprint);
                let peers = others.cloned().collect();
                reply(client, &Peers { peers }, false, context);
            }
            "Remove" => self.change(Some(client), Change::RemovePeer(name()?), context),
            _ => return Err(no_such_method()),
        }
        Ok(())
    }
}
