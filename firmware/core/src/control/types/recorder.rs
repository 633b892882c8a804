//! What `io.blockhaul.Recorder` takes and gives: doors for streams, and streams over the control socket.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::RecorderStatus;
use crate::{Kind, Name};

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecorderCreate {
    /// Its name.
    pub name: Name,
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind.
    #[serde(default)]
    pub kind: Kind,
    /// Absolute path of the socket to make.
    pub listen: String,
    /// An unfilled block is sealed after this long: 1,000 to 300,000.
    #[serde(default = "default_flush_after_ms")]
    pub flush_after_ms: u64,
}

fn default_flush_after_ms() -> u64 {
    10_000
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorders {
    /// All recorders.
    pub recorders: Vec<RecorderStatus>,
}

/// Parameters of `Record`, which takes the connection over: the stream's bytes, until the caller closes its sending side;
/// then one reply with [`Recorded`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordCall {
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind.
    #[serde(default)]
    pub kind: Kind,
    /// An unfilled block is sealed after this long: 1,000 to 300,000.
    #[serde(default = "default_flush_after_ms")]
    pub flush_after_ms: u64,
}

/// Last reply of `Record`: everything is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Recorded {
    /// Blocks sealed and durable.
    pub blocks: u64,
    /// Payload bytes in them.
    pub bytes: u64,
    /// Bytes thrown away because the disk was too slow.
    pub dropped_bytes: u64,
}
