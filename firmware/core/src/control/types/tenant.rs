//! What `io.blockhaul.Tenant` takes and gives.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Parameters of `Change`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantChange {
    /// Tenant.
    pub name: Name,
    /// Cameras that belong to it from now on.
    #[serde(default)]
    pub add: Vec<Name>,
    /// Cameras that do not belong to it any more.
    #[serde(default)]
    pub drop: Vec<Name>,
}

/// One tenant of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantInfo {
    /// Its name.
    pub name: Name,
    /// Its cameras.
    pub cameras: Vec<Name>,
    /// Jobs that name it.
    pub jobs: Vec<Name>,
    /// Grants that name it.
    pub grants: Vec<String>,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenants {
    /// All tenants.
    pub tenants: Vec<TenantInfo>,
}
