//! Messages of the kernel about interfaces, addresses and devices.

use crate::change::{Change, change};
use crate::facts::{address, link};
use crate::netlink::messages;
use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "netlink",
    what: "the kernel's messages about NICs and disks",
    longest: 2048,
    check,
    seeds,
    words: &[
        "ACTION=add\\x00",
        "ACTION=remove\\x00",
        "ACTION=change\\x00",
        "SUBSYSTEM=block\\x00",
        "DEVNAME=",
        "DISK_MEDIA_CHANGE=1\\x00",
    ],
};

/// The shortest message takes 16 bytes and its facts a hundred or two; a vector doubles.
const TIMES: usize = 64;

fn check(datagram: &[u8]) {
    let (nics, found, change) = heap::within(TIMES, datagram, || {
        let bodies = || messages(datagram).map(|(_, body)| body);
        let links: Vec<_> = bodies().filter_map(link).collect();
        let addresses: Vec<_> = bodies().filter_map(address).collect();
        (links, addresses, change(datagram))
    });
    for (_, nic) in nics {
        assert!(!nic.name.is_empty() && nic.name.len() <= 3 * datagram.len());
        assert_eq!(nic.speed_mbit, 0, "the speed is not in a message");
    }
    for (_, address) in found {
        let (address, bits) = address.split_once('/').expect("an address has a prefix length");
        assert!(address.parse::<std::net::IpAddr>().is_ok() && bits.parse::<u8>().is_ok());
    }
    if let Some(change) = change {
        let (Change::Added(name) | Change::Removed(name) | Change::Medium(name)) = change;
        assert!(!name.contains('\0') && name.len() <= datagram.len());
    }
}

/// A message of a kind: length, kind, flags, number, sender, body.
fn message(kind: u16, body: &[u8]) -> Vec<u8> {
    let mut message = (16 + body.len() as u32).to_ne_bytes().to_vec();
    message.extend_from_slice(&kind.to_ne_bytes());
    message.extend_from_slice(&[2, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(body);
    message.resize(message.len().next_multiple_of(4), 0);
    message
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut attribute = (4 + value.len() as u16).to_ne_bytes().to_vec();
    attribute.extend_from_slice(&kind.to_ne_bytes());
    attribute.extend_from_slice(value);
    attribute.resize(attribute.len().next_multiple_of(4), 0);
    attribute
}

fn seeds() -> Vec<Seed> {
    // RTM_NEWLINK with IFLA_IFNAME, IFLA_MTU, IFLA_ADDRESS, IFLA_STATS64; up and running.
    let link = [
        &[0, 0, 1, 0, 2, 0, 0, 0, 0x43, 0, 1, 0, 0, 0, 0, 0][..],
        &attribute(3, b"eth0\0"),
        &attribute(4, &1500u32.to_ne_bytes()),
        &attribute(1, &[2, 0, 0, 0, 0, 1]),
        &attribute(23, &[7; 96]),
    ]
    .concat();
    // RTM_NEWADDR with IFA_LOCAL or IFA_ADDRESS.
    let four = [&[2, 24, 0, 0, 2, 0, 0, 0][..], &attribute(2, &[192, 0, 2, 9])].concat();
    let six = [&[10, 64, 0, 0, 2, 0, 0, 0][..], &attribute(1, &[0xfd; 16])].concat();
    let card = b"add@/devices/mmc0/block/mmcblk0\0ACTION=add\0SUBSYSTEM=block\0DEVNAME=mmcblk0\0DEVTYPE=disk\0";
    let media = b"change@/devices/x\0ACTION=change\0SUBSYSTEM=block\0DEVNAME=sda\0DISK_MEDIA_CHANGE=1\0";
    vec![
        ("link".to_owned(), message(16, &link)),
        ("addresses".to_owned(), [message(20, &four), message(20, &six)].concat()),
        ("card-added".to_owned(), card.to_vec()),
        ("medium-changed".to_owned(), media.to_vec()),
    ]
}
