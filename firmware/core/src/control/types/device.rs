//! What `io.blockhaul.Device` takes and gives.

use alloc::vec::Vec;
use hal::{DeviceFacts, NicFacts};
use serde::{Deserialize, Serialize};

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// Disks, cards and partitions.
    pub disks: Vec<DeviceFacts>,
    /// Network interfaces.
    pub nics: Vec<NicFacts>,
}
