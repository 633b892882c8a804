//! NICs, routes and the bounded messages of a link.
//!
//! A frame on a link is a small message and, for blocks, a body that goes straight into block memory.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Longest message in a frame. The longest of the protocol (`hello`) is under 400 bytes; see `docs/protocol.md`.
pub const MESSAGE_BYTES_MAX: usize = 512;

/// The message part of a frame.
pub type Message = heapless::Vec<u8, MESSAGE_BYTES_MAX>;

/// One way to reach a peer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Name of the NIC that the connection is bound to; the kernel's choice if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nic: Option<String>,
}

/// What the machine knows of a NIC.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NicFacts {
    /// Name as the kernel has it.
    pub name: String,
    /// Carrier and administrative state are both up.
    pub up: bool,
    /// Speed in Mbit/s; 0 where the kernel does not tell.
    pub speed_mbit: u32,
    /// Largest packet in bytes.
    pub mtu_bytes: u32,
    /// Addresses with prefix length.
    pub addresses: alloc::vec::Vec<String>,
    /// Hardware address; empty if it has none.
    pub hardware: String,
    /// Bytes received since the NIC appeared.
    pub received_bytes: u64,
    /// Bytes sent since the NIC appeared.
    pub sent_bytes: u64,
    /// Errors and drops, both ways.
    pub errors: u64,
}
