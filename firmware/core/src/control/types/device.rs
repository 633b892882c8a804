//! What `io.blockhaul.Device` takes and gives.

use alloc::string::String;
use alloc::vec::Vec;
use hal::{DeviceFacts, NicFacts};
use serde::{Deserialize, Serialize};

use super::Rate;

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// Disks, cards and partitions.
    pub disks: Vec<DeviceFacts>,
    /// Network interfaces.
    pub nics: Vec<NicFacts>,
    /// How fast jobs may send over some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<NicRate>,
}

/// Parameters of `SetRate`: how fast all jobs together may send over a network interface that their routes name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NicRate {
    /// The interface.
    pub name: String,
    /// The first that is in force; without one as fast as it can.
    #[serde(default, rename = "rate", skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
}
