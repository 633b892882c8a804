//! What `io.blockhaul.Service` takes and gives: the replication service as a whole.

use serde::{Deserialize, Serialize};

/// Parameters of `Switch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSwitch {
    /// On, or off.
    pub on: bool,
}

/// Reply of `Show`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceShown {
    /// Whether it is on.
    pub on: bool,
    /// Jobs that are enabled.
    pub jobs: u64,
    /// Links that jobs here have now.
    pub outgoing: u64,
    /// Links of peers into this appliance now.
    pub incoming: u64,
}
