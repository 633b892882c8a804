//! What the kernel's messages say, for the fuzz targets: the decoders of this crate without their sockets.
//!
//! Not a part of the interface.

use hal::NicFacts;

use crate::netlink::messages;
use crate::{hotplug, nic};

/// Interfaces in a datagram of link messages, with their numbers.
pub fn links(datagram: &[u8]) -> Vec<(u32, NicFacts)> {
    messages(datagram).filter_map(|(_, body)| nic::link(body)).collect()
}

/// Addresses in a datagram of address messages, with the numbers of their interfaces.
pub fn addresses(datagram: &[u8]) -> Vec<(u32, String)> {
    messages(datagram).filter_map(|(_, body)| nic::address(body)).collect()
}

/// Name of a block device, and whether it was added, from a message about devices. A reader counts as one with a card.
pub fn device_change(datagram: &[u8]) -> Option<(String, bool)> {
    hotplug::change(datagram, |_| true).map(|change| (change.name, change.added))
}
