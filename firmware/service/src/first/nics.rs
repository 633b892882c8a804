//! Sets network interfaces up and gives them the fixed addresses of the image's settings, by netlink.
//!
//! A line of the settings is `NAME ADDRESS/PREFIX [GATEWAY]` or `NAME dhcp`. Interfaces without a line are set up without an address.

use std::fs;
use std::net::Ipv4Addr;

use rustix::fd::OwnedFd;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, bind, recv, sendto, socket};

use super::{dhcp, say};

/// Values of `linux/netlink.h`, `linux/rtnetlink.h` and `linux/if.h`.
const NLMSG_ERROR: u16 = 2;
const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const NLM_F_CREATE_REPLACE: u16 = 0x400 | 0x100;
const RTM_NEWLINK: u16 = 16;
const RTM_NEWADDR: u16 = 20;
const RTM_NEWROUTE: u16 = 24;
const IFF_UP: u32 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RT_TABLE_MAIN: u8 = 254;
const RTPROT_STATIC: u8 = 4;
const RTN_UNICAST: u8 = 1;
const AF_INET: u8 = 2;
const HEADER_BYTES: usize = 16;

/// Sets up the loopback, the interfaces in `lines`, and all others. What does not work is said and passed over.
pub(super) fn set_up(lines: Vec<String>) {
    let netlink = match open() {
        Ok(netlink) => netlink,
        Err(error) => return say(&format!("no network: netlink cannot be opened: {error}")),
    };
    let names = fs::read_dir("/sys/class/net").into_iter().flatten();
    let mut names: Vec<String> = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    for name in &names {
        if let Err(error) = link_up(&netlink, name) {
            say(&format!("network interface {name} cannot be set up: {error}"));
        }
    }
    for line in &lines {
        if let Some(name) = line.strip_suffix(" dhcp").map(str::to_owned) {
            super::start_thread("dhcp", move || dhcp::keep(&name));
            continue;
        }
        match Nic::parse(line).and_then(|nic| nic.give_address(&netlink)) {
            Ok(()) => say(&format!("network interface {line}")),
            Err(error) => say(&format!("network interface {line:?} is not set up: {error}")),
        }
    }
}

/// One line of the settings.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Nic {
    name: String,
    address: Ipv4Addr,
    prefix_bits: u8,
    gateway: Option<Ipv4Addr>,
}

impl std::fmt::Display for Nic {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} {}/{}", self.name, self.address, self.prefix_bits)?;
        self.gateway.map_or(Ok(()), |gateway| write!(out, " {gateway}"))
    }
}

impl Nic {
    /// An interface with what it shall have.
    pub(super) fn new(name: &str, address: Ipv4Addr, prefix_bits: u8, gateway: Option<Ipv4Addr>) -> Nic {
        Nic {
            name: name.to_owned(),
            address,
            prefix_bits,
            gateway,
        }
    }

    /// Gives it that.
    pub(super) fn set(&self) -> Result<(), String> {
        let netlink = open().map_err(|error| error.to_string())?;
        self.give_address(&netlink)
    }

    fn parse(line: &str) -> Result<Nic, String> {
        let mut words = line.split_whitespace();
        let wrong = || "the line is not of the form NAME ADDRESS/PREFIX [GATEWAY]".to_owned();
        let name = words.next().ok_or_else(wrong)?.to_owned();
        let (address, prefix_bits) = words.next().and_then(|word| word.split_once('/')).ok_or_else(wrong)?;
        let gateway = words.next().map(|word| word.parse().map_err(|_| wrong())).transpose()?;
        let prefix_bits = prefix_bits.parse().ok().filter(|bits| *bits <= 32).ok_or_else(wrong)?;
        Ok(Nic {
            name,
            address: address.parse().map_err(|_| wrong())?,
            prefix_bits,
            gateway,
        })
    }

    fn give_address(&self, netlink: &OwnedFd) -> Result<(), String> {
        let index = index_of(&self.name)?;
        exchange(netlink, &new_address(self, index)).map_err(|error| format!("its address is refused: {error}"))?;
        if let Some(gateway) = self.gateway {
            exchange(netlink, &new_default_route(gateway, index)).map_err(|error| format!("its gateway is refused: {error}"))?;
        }
        Ok(())
    }
}

fn link_up(netlink: &OwnedFd, name: &str) -> Result<(), String> {
    exchange(netlink, &new_flags(index_of(name)?, IFF_UP))
}

fn index_of(name: &str) -> Result<u32, String> {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/ifindex"));
    text.ok()
        .and_then(|text| text.trim().parse().ok())
        .ok_or_else(|| "there is no such interface".to_owned())
}

fn new_flags(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4]; // family, padding, device type
    body.extend_from_slice(&index.to_ne_bytes());
    body.extend_from_slice(&flags.to_ne_bytes());
    body.extend_from_slice(&flags.to_ne_bytes()); // which of them are meant
    message(RTM_NEWLINK, 0, &body)
}

fn new_address(nic: &Nic, index: u32) -> Vec<u8> {
    let mut body = vec![AF_INET, nic.prefix_bits, 0, 0];
    body.extend_from_slice(&index.to_ne_bytes());
    attribute(&mut body, IFA_LOCAL, &nic.address.octets());
    attribute(&mut body, IFA_ADDRESS, &nic.address.octets());
    message(RTM_NEWADDR, NLM_F_CREATE_REPLACE, &body)
}

fn new_default_route(gateway: Ipv4Addr, index: u32) -> Vec<u8> {
    // family, destination and source prefix, service, table, protocol, scope, type, flags
    let mut body = vec![AF_INET, 0, 0, 0, RT_TABLE_MAIN, RTPROT_STATIC, 0, RTN_UNICAST, 0, 0, 0, 0];
    attribute(&mut body, RTA_GATEWAY, &gateway.octets());
    attribute(&mut body, RTA_OIF, &index.to_ne_bytes());
    message(RTM_NEWROUTE, NLM_F_CREATE_REPLACE, &body)
}

/// Appends an attribute with a value of four bytes, so that nothing has to be padded.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8; 4]) {
    body.extend_from_slice(&8_u16.to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(HEADER_BYTES + body.len()).expect("a message is short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(&(NLM_F_REQUEST_ACK | flags).to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]); // sequence and port: one question at a time on this socket
    bytes.extend_from_slice(body);
    bytes
}

fn open() -> rustix::io::Result<OwnedFd> {
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    bind(&netlink, &SocketAddrNetlink::new(0, 0))?;
    Ok(netlink)
}

/// Sends a request and waits for the kernel's verdict.
fn exchange(netlink: &OwnedFd, request: &[u8]) -> Result<(), String> {
    sendto(netlink, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).map_err(|error| error.to_string())?;
    let mut answer = [0_u8; 4096];
    let (received, _) = recv(netlink, &mut answer[..], RecvFlags::empty()).map_err(|error| error.to_string())?;
    verdict(&answer[..received])
}

/// The kernel's answer is an error message whose number is 0 where all went well.
fn verdict(answer: &[u8]) -> Result<(), String> {
    let kind = answer
        .get(4..6)
        .and_then(|bytes| Some(u16::from_ne_bytes(bytes.try_into().ok()?)));
    let number = answer
        .get(HEADER_BYTES..HEADER_BYTES + 4)
        .and_then(|bytes| Some(i32::from_ne_bytes(bytes.try_into().ok()?)));
    match (kind, number) {
        (Some(NLMSG_ERROR), Some(0)) => Ok(()),
        (Some(NLMSG_ERROR), Some(number)) => Err(std::io::Error::from_raw_os_error(number.saturating_neg()).to_string()),
        _ => Err("the kernel's answer is not understood".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_strictly() {
        let gateway = Some(Ipv4Addr::new(10, 0, 2, 2));
        let nic = Nic {
            name: "eth0".to_owned(),
            address: Ipv4Addr::new(10, 0, 2, 15),
            prefix_bits: 24,
            gateway,
        };
        assert_eq!(Nic::parse("eth0 10.0.2.15/24 10.0.2.2"), Ok(nic));
        assert_eq!(Nic::parse("eth0 10.0.2.15/24").expect("right").gateway, None);
        for line in [
            "",
            "eth0",
            "eth0 10.0.2.15",
            "eth0 10.0.2.15/33",
            "eth0 10.0.2.15/24 gate",
            "eth0 10.0.2/24",
        ] {
            assert!(Nic::parse(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn the_kernel_understands_the_messages() {
        // Not privileged or without that interface, the kernel still reads the message and answers with a reason.
        let netlink = open().expect("a netlink socket");
        let nowhere = u32::try_from(i32::MAX).expect("positive");
        let nic = Nic::parse("none 192.0.2.1/24").expect("right");
        for request in [
            new_flags(nowhere, IFF_UP),
            new_address(&nic, nowhere),
            new_default_route(Ipv4Addr::new(192, 0, 2, 9), nowhere),
        ] {
            let error = exchange(&netlink, &request).expect_err("there is no such interface");
            assert!(
                !error.contains("Invalid argument") && !error.contains("not understood"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_verdict_is_the_kernels_number() {
        let mut answer = vec![0_u8; 36];
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        assert_eq!(verdict(&answer), Ok(()));
        answer[16..20].copy_from_slice(&(-17_i32).to_ne_bytes());
        assert!(verdict(&answer).expect_err("refused").contains("exists"));
        assert!(verdict(&answer[..10]).is_err());
    }
}
