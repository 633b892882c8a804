//! Spoils a network interface: delay, loss and disorder of what it sends, by the kernel's `netem` queue.
//!
//! Values and shapes are those of `linux/rtnetlink.h` and `linux/pkt_sched.h`.

use std::fs;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, bind, recv, sendto, socket};

const RTM_NEWQDISC: u16 = 36;
const NLM_F_REQUEST_ACK: u16 = 0x1 | 0x4;
const NLM_F_CREATE_REPLACE: u16 = 0x400 | 0x100;
const TC_H_ROOT: u32 = 0xFFFF_FFFF;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_NETEM_CORR: u16 = 1;
const TCA_NETEM_REORDER: u16 = 3;
const TCA_NETEM_LATENCY64: u16 = 10;
const TCA_NETEM_JITTER64: u16 = 11;
/// Packets that wait at most.
const LIMIT: u32 = 10_000;
const HEADER_BYTES: usize = 16;

/// What is done to packets on their way out. All zeros: nothing.
#[derive(Debug)]
pub struct Spoil {
    /// Each is late by so much.
    pub delay_us: u64,
    /// And by up to so much more or less.
    pub jitter_us: u64,
    /// So many of a hundred are lost.
    pub loss_percent: u64,
    /// So many of a hundred overtake the others.
    pub reorder_percent: u64,
}

/// Does it to what `nic` sends, in place of what was done before.
pub fn set(nic: &str, spoil: &Spoil) -> Result<(), String> {
    let index = fs::read_to_string(format!("/sys/class/net/{nic}/ifindex")).map_err(|_| format!("there is no {nic}"))?;
    let index: u32 = index.trim().parse().map_err(|_| format!("{nic} has no number"))?;
    let netlink = socket(AddressFamily::NETLINK, SocketType::RAW, None).map_err(|error| error.to_string())?;
    bind(&netlink, &SocketAddrNetlink::new(0, 0)).map_err(|error| error.to_string())?;
    let request = message(index, spoil);
    sendto(&netlink, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).map_err(|error| error.to_string())?;
    let mut answer = [0_u8; 4096];
    let (length, _) = recv(&netlink, &mut answer[..], RecvFlags::empty()).map_err(|error| error.to_string())?;
    let number = answer[..length]
        .get(HEADER_BYTES..HEADER_BYTES + 4)
        .and_then(|bytes| bytes.try_into().ok());
    match number.map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(number) => Err(std::io::Error::from_raw_os_error(number.saturating_neg()).to_string()),
        None => Err("the kernel's answer is not understood".into()),
    }
}

fn message(index: u32, spoil: &Spoil) -> Vec<u8> {
    // `struct tcmsg`: family, index, handle, parent, info.
    let mut body = vec![0; 4];
    for word in [index, 0x0001_0000, TC_H_ROOT, 0] {
        body.extend_from_slice(&word.to_ne_bytes());
    }
    attribute(&mut body, TCA_KIND, b"netem\0");
    // `struct tc_netem_qopt`: latency and jitter in ticks (given as nanoseconds below), limit, loss, gap, duplicate.
    let gap = u32::from(spoil.reorder_percent > 0);
    let mut options = Vec::new();
    for word in [0, LIMIT, share(spoil.loss_percent), gap, 0, 0] {
        options.extend_from_slice(&word.to_ne_bytes());
    }
    attribute(&mut options, TCA_NETEM_CORR, &[0; 12]);
    let reorder = [share(spoil.reorder_percent).to_ne_bytes(), [0; 4]].concat();
    attribute(&mut options, TCA_NETEM_REORDER, &reorder);
    attribute(&mut options, TCA_NETEM_LATENCY64, &(spoil.delay_us * 1000).to_ne_bytes());
    attribute(&mut options, TCA_NETEM_JITTER64, &(spoil.jitter_us * 1000).to_ne_bytes());
    attribute(&mut body, TCA_OPTIONS, &options);
    let length = u32::try_from(HEADER_BYTES + body.len()).expect("a message is short");
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend_from_slice(&RTM_NEWQDISC.to_ne_bytes());
    bytes.extend_from_slice(&(NLM_F_REQUEST_ACK | NLM_F_CREATE_REPLACE).to_ne_bytes());
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&body);
    bytes
}

/// So many of a hundred, as a share of 2^32.
fn share(percent: u64) -> u32 {
    u32::try_from(percent.min(100) * u64::from(u32::MAX) / 100).unwrap_or(u32::MAX)
}

/// Appends an attribute, padded to four bytes.
fn attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(4 + value.len()).expect("an attribute is short");
    body.extend_from_slice(&length.to_ne_bytes());
    body.extend_from_slice(&kind.to_ne_bytes());
    body.extend_from_slice(value);
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_of_all_numbers() {
        assert_eq!((share(0), share(100), share(300)), (0, u32::MAX, u32::MAX));
        assert_eq!(share(50), u32::MAX / 2);
    }

    #[test]
    fn attributes_are_padded_and_the_message_knows_its_length() {
        let mut body = Vec::new();
        attribute(&mut body, 1, b"netem\0");
        assert_eq!(body.len(), 12);
        let spoil = Spoil {
            delay_us: 1,
            jitter_us: 0,
            loss_percent: 2,
            reorder_percent: 3,
        };
        let bytes = message(7, &spoil);
        assert_eq!(bytes[..4], u32::try_from(bytes.len()).unwrap().to_ne_bytes());
        assert!(set("no-such-nic", &spoil).unwrap_err().contains("no-such-nic"));
    }
}
