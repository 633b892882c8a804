//! What the kernel's messages say of an interface: the facts in a link message, the address in an address message.
//!
//! Bytes only; nothing is asked of the kernel here.

use std::net::{Ipv4Addr, Ipv6Addr};

use hal::NicFacts;

use crate::netlink::{attributes, text, u16_at, u32_at, u64_at};

/// Length of `struct ifinfomsg`.
pub(crate) const LINK_BYTES: usize = 16;
/// Length of `struct ifaddrmsg`.
pub(crate) const ADDRESS_BYTES: usize = 8;

/// An interface from a link message; its speed is not in there.
pub(crate) fn link(body: &[u8]) -> Option<(u32, NicFacts)> {
    let index = u32_at(body, 4)?;
    let flags = u32_at(body, 8)?;
    let running = (libc::IFF_UP | libc::IFF_RUNNING).cast_unsigned();
    let mut nic = NicFacts {
        name: String::new(),
        up: flags & running == running,
        speed_mbit: 0,
        mtu_bytes: 0,
        addresses: Vec::new(),
        hardware: String::new(),
        received_bytes: 0,
        sent_bytes: 0,
        errors: 0,
    };
    for (kind, value) in attributes(body, LINK_BYTES) {
        match kind {
            libc::IFLA_IFNAME => nic.name = text(value),
            libc::IFLA_MTU => nic.mtu_bytes = u32_at(value, 0)?,
            libc::IFLA_ADDRESS if value.iter().any(|byte| *byte != 0) => {
                let digits: Vec<_> = value.iter().map(|byte| format!("{byte:02x}")).collect();
                nic.hardware = digits.join(":");
            }
            // `struct rtnl_link_stats64`: packets and bytes of both directions, then errors and drops of both.
            libc::IFLA_STATS64 => {
                nic.received_bytes = u64_at(value, 16)?;
                nic.sent_bytes = u64_at(value, 24)?;
                nic.errors = (4..8)
                    .filter_map(|field| u64_at(value, 8 * field))
                    .fold(0, u64::saturating_add);
            }
            _ => (),
        }
    }
    (!nic.name.is_empty()).then_some((index, nic))
}

/// Interface and address with prefix length from an address message.
pub(crate) fn address(body: &[u8]) -> Option<(u32, String)> {
    let [family, prefix_bits, ..] = u16_at(body, 0)?.to_ne_bytes();
    let index = u32_at(body, 4)?;
    // On a point-to-point interface IFA_ADDRESS is the other end, IFA_LOCAL our own; IPv6 has IFA_ADDRESS only.
    let find = |wanted| {
        attributes(body, ADDRESS_BYTES)
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, value)| value)
    };
    let value = find(libc::IFA_LOCAL).or_else(|| find(libc::IFA_ADDRESS))?;
    let address = match i32::from(family) {
        libc::AF_INET => Ipv4Addr::from(*value.first_chunk::<4>()?).to_string(),
        libc::AF_INET6 => Ipv6Addr::from(*value.first_chunk::<16>()?).to_string(),
        _ => return None,
    };
    Some((index, format!("{address}/{prefix_bits}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_is_no_interface() {
        assert_eq!(link(&[0; 7]), None);
        assert_eq!(address(&[2, 24, 0, 0, 1, 0, 0, 0, 6, 0, 2, 0, 1, 2]), None);
    }
}
