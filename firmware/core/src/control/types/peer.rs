//! What `io.blockhaul.Peer` takes and gives.

use alloc::vec::Vec;
use hal::{Fingerprint, Route};
use serde::{Deserialize, Serialize};

use crate::Name;

/// Parameters of `Add`, and one peer of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name here.
    pub name: Name,
    /// Its addresses, best first; none for a peer that only calls us.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Fingerprint of its key.
    pub key: Fingerprint,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// All peers.
    pub peers: Vec<Peer>,
}
