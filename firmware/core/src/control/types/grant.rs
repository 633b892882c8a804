//! What `io.blockhaul.Grant` takes and gives.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCreate {
    /// Peer that may use it.
    pub peer: Name,
    /// Archive it may append to.
    pub archive: Name,
    /// Cameras; all if empty.
    #[serde(default)]
    pub cameras: Vec<Name>,
    /// Only cameras of these tenants; of all and of none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Name>,
}

/// Reply of `Create`. The token is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantCreated {
    /// For `revoke`.
    pub id: String,
    /// 64 hexadecimal digits.
    pub token: String,
}

/// One grant of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantInfo {
    /// For `revoke`.
    pub id: String,
    /// Peer that may use it.
    pub peer: Name,
    /// Archive it may append to.
    pub archive: Name,
    /// Cameras; all if empty.
    pub cameras: Vec<Name>,
    /// Only cameras of these tenants; of all and of none if empty.
    #[serde(default)]
    pub tenants: Vec<Name>,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// All grants.
    pub grants: Vec<GrantInfo>,
}

/// Parameters of `Revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRevoke {
    /// From `list`.
    pub id: String,
}
