//! An address by DHCP (RFC 2131): asked for at the start, asked for again when half of its time is over.
//!
//! It is small on purpose: address, prefix and gateway. No names, no routes, no second server while the first one answers.
//! Answers are asked for by broadcast, so that an ordinary UDP socket hears them before there is an address.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use super::nics::Nic;
use super::say;

const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];
/// Everything before the options.
const FIXED_BYTES: usize = 236;
const BROADCAST_FLAG: u16 = 0x8000;

const OPTION_MASK: u8 = 1;
const OPTION_ROUTER: u8 = 3;
const OPTION_REQUESTED: u8 = 50;
const OPTION_LEASE_S: u8 = 51;
const OPTION_TYPE: u8 = 53;
const OPTION_SERVER: u8 = 54;
const OPTION_WANTED: u8 = 55;
const OPTION_END: u8 = 255;

const DISCOVER: u8 = 1;
const OFFER: u8 = 2;
const REQUEST: u8 = 3;
const ACK: u8 = 5;
const NAK: u8 = 6;

/// First wait for an answer, doubled each time up to the second.
const WAIT_MIN: Duration = Duration::from_secs(2);
const WAIT_MAX: Duration = Duration::from_secs(64);
/// A server that gives less than this is asked no oftener.
const RENEW_MIN: Duration = Duration::from_secs(30);

/// What a server gives.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lease {
    kind: u8,
    address: Ipv4Addr,
    server: Ipv4Addr,
    prefix_bits: u8,
    gateway: Option<Ipv4Addr>,
    time: Duration,
}

/// Asks for ever, and gives the interface what it gets.
pub(super) fn keep(name: &str) {
    let mut had: Option<Lease> = None;
    loop {
        match ask(name, had.as_ref()) {
            Ok(lease) => {
                let known = had.as_ref().is_some_and(|had| had.address == lease.address);
                let nic = Nic::new(name, lease.address, lease.prefix_bits, lease.gateway);
                match nic.set() {
                    Ok(()) if known => {}
                    Ok(()) => say(&format!(
                        "network interface {nic}, by DHCP from {} for {} min",
                        lease.server,
                        lease.time.as_secs() / 60
                    )),
                    Err(error) => say(&format!("network interface {nic} is not set up: {error}")),
                }
                thread::sleep((lease.time / 2).max(RENEW_MIN));
                had = Some(lease);
            }
            Err(error) => {
                say(&format!("no address by DHCP for {name}: {error}; it is tried again"));
                had = None;
                thread::sleep(WAIT_MAX);
            }
        }
    }
}

/// One conversation, or the renewal of a lease. It is given up when no server has answered for about two minutes.
fn ask(name: &str, had: Option<&Lease>) -> Result<Lease, String> {
    let own = hardware_address(name)?;
    let socket = open(name).map_err(|error| format!("no socket: {error}"))?;
    let mut number = [0; 4];
    rustix::rand::getrandom(&mut number, rustix::rand::GetRandomFlags::empty()).map_err(|error| error.to_string())?;
    let offer = match had {
        Some(lease) => lease.clone(),
        None => converse(&socket, &message(DISCOVER, number, own, None), number, own, &[OFFER])?,
    };
    let lease = converse(
        &socket,
        &message(REQUEST, number, own, Some(&offer)),
        number,
        own,
        &[ACK, NAK],
    )?;
    if lease.kind == NAK {
        return Err(format!("{} does not give {} any more", lease.server, offer.address));
    }
    Ok(lease)
}

fn open(name: &str) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, CLIENT_PORT))?;
    socket.set_broadcast(true)?;
    setsockopt(&socket, sockopt::BindToDevice, &OsString::from(name))?;
    Ok(socket)
}

fn converse(socket: &UdpSocket, request: &[u8], number: [u8; 4], own: [u8; 6], kinds: &[u8]) -> Result<Lease, String> {
    let mut wait = WAIT_MIN;
    while wait <= WAIT_MAX {
        let sent = socket.send_to(request, (Ipv4Addr::BROADCAST, SERVER_PORT));
        // A cable that is not in yet is no reason to give up.
        let deadline = Instant::now() + wait;
        let mut answer = [0; 1500];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || sent.is_err() {
                thread::sleep(left);
                break;
            }
            socket.set_read_timeout(Some(left)).map_err(|error| error.to_string())?;
            match socket.recv(&mut answer) {
                Ok(length) => {
                    let lease = parse(&answer[..length], number, own).filter(|lease| kinds.contains(&lease.kind));
                    if let Some(lease) = lease {
                        return Ok(lease);
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        wait *= 2;
    }
    Err("no server answers".to_owned())
}

fn hardware_address(name: &str) -> Result<[u8; 6], String> {
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/address")).map_err(|_| "there is no such interface")?;
    let bytes: Option<Vec<u8>> = text.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| format!("its address {:?} is not of Ethernet", text.trim()))
}

fn message(kind: u8, number: [u8; 4], own: [u8; 6], offer: Option<&Lease>) -> Vec<u8> {
    let mut bytes = vec![0; FIXED_BYTES];
    // A request, over Ethernet, with addresses of six bytes.
    bytes[..3].copy_from_slice(&[1, 1, 6]);
    bytes[4..8].copy_from_slice(&number);
    bytes[10..12].copy_from_slice(&BROADCAST_FLAG.to_be_bytes());
    bytes[28..34].copy_from_slice(&own);
    bytes.extend_from_slice(&MAGIC);
    let mut option = |code: u8, value: &[u8]| {
        bytes.push(code);
        bytes.push(value.len() as u8);
        bytes.extend_from_slice(value);
    };
    option(OPTION_TYPE, &[kind]);
    if let Some(offer) = offer {
        option(OPTION_REQUESTED, &offer.address.octets());
        option(OPTION_SERVER, &offer.server.octets());
    }
    option(OPTION_WANTED, &[OPTION_MASK, OPTION_ROUTER, OPTION_LEASE_S]);
    bytes.push(OPTION_END);
    // Servers of old expect as much as BOOTP had.
    bytes.resize(bytes.len().max(300), 0);
    bytes
}

/// What a server says to us; nothing if it is not to us, or makes no sense.
fn parse(bytes: &[u8], number: [u8; 4], own: [u8; 6]) -> Option<Lease> {
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(bytes.get(at..at + 4)?).ok()?));
    let is_ours = bytes.first() == Some(&2) && bytes.get(4..8)? == number && bytes.get(28..34)? == own;
    if !is_ours || bytes.get(FIXED_BYTES..FIXED_BYTES + 4)? != MAGIC {
        return None;
    }
    let (mut kind, mut server, mut mask, mut gateway, mut time_s) = (0, None, None, None, None);
    let mut at = FIXED_BYTES + 4;
    while let Some(code) = bytes.get(at).copied().filter(|code| *code != OPTION_END) {
        if code == 0 {
            at += 1;
            continue;
        }
        let length = usize::from(*bytes.get(at + 1)?);
        let value = bytes.get(at + 2..at + 2 + length)?;
        match code {
            OPTION_TYPE => kind = *value.first()?,
            OPTION_SERVER => server = address(at + 2),
            OPTION_MASK => mask = address(at + 2),
            OPTION_ROUTER if length >= 4 => gateway = address(at + 2),
            OPTION_LEASE_S => time_s = value.try_into().ok().map(u32::from_be_bytes),
            _ => {}
        }
        at += 2 + length;
    }
    let mask = u32::from(mask.unwrap_or(Ipv4Addr::new(255, 255, 255, 0)));
    (mask.leading_ones() == mask.count_ones()).then_some(Lease {
        kind,
        address: address(16)?,
        server: server.unwrap_or(Ipv4Addr::UNSPECIFIED),
        prefix_bits: mask.leading_ones() as u8,
        gateway,
        time: Duration::from_secs(time_s.unwrap_or(3600).into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER: [u8; 4] = [1, 2, 3, 4];
    const OWN: [u8; 6] = [0x52, 0x54, 0, 0x12, 0x34, 0x56];

    fn answer() -> Vec<u8> {
        let mut bytes = message(OFFER, NUMBER, OWN, None);
        bytes[0] = 2;
        bytes[16..20].copy_from_slice(&[10, 0, 2, 15]);
        bytes.truncate(FIXED_BYTES + 4);
        bytes.extend_from_slice(&[53, 1, ACK, 0, 54, 4, 10, 0, 2, 2, 1, 4, 255, 255, 255, 0, 3, 4, 10, 0, 2, 2]);
        bytes.extend_from_slice(&[51, 4, 0, 1, 81, 128, 6, 4, 10, 0, 2, 3, OPTION_END]);
        bytes
    }

    #[test]
    fn an_answer_is_read() {
        let lease = parse(&answer(), NUMBER, OWN).expect("sound");
        let gateway = Ipv4Addr::new(10, 0, 2, 2);
        let wanted = Lease {
            kind: ACK,
            address: Ipv4Addr::new(10, 0, 2, 15),
            server: gateway,
            prefix_bits: 24,
            gateway: Some(gateway),
            time: Duration::from_secs(86_400),
        };
        assert_eq!(lease, wanted);
    }

    #[test]
    fn what_is_not_to_us_or_damaged_is_nothing() {
        assert_eq!(parse(&answer(), [9; 4], OWN), None);
        assert_eq!(parse(&answer(), NUMBER, [0; 6]), None);
        let whole = answer();
        for length in 0..whole.len() - 1 {
            // Cut off, it never panics, and never has more than was there.
            let _ = parse(&whole[..length], NUMBER, OWN);
        }
        let mut holes = answer();
        let mask = holes
            .windows(6)
            .position(|window| window == [1, 4, 255, 255, 255, 0])
            .expect("there");
        holes[mask + 2] = 0;
        assert_eq!(parse(&holes, NUMBER, OWN), None, "a mask with a hole");
    }

    #[test]
    fn a_request_names_what_was_offered() {
        let offer = parse(&answer(), NUMBER, OWN).expect("sound");
        let request = message(REQUEST, NUMBER, OWN, Some(&offer));
        assert!(request.len() >= 300);
        let options = &request[FIXED_BYTES + 4..];
        assert!(options.starts_with(&[53, 1, REQUEST, 50, 4, 10, 0, 2, 15, 54, 4, 10, 0, 2, 2]));
    }
}
