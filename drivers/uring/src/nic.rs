//! Network interfaces: what there is, and news when that changes. Not addresses of peers and not routes.

mod facts;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use hal::{Event, NicFacts};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;

use crate::netlink::{ask, dump_request, hear, messages, open, take, u32_at};
use crate::readiness::watched;
use crate::world::World;
use facts::{ADDRESS_BYTES, LINK_BYTES, address, link};

/// Groups of changes: links, IPv4 and IPv6 addresses (`RTMGRP_*`).
const NEWS: u32 = 0x1 | 0x10 | 0x100;
/// The kernel answers a dump at once, or something is wrong with it.
const DUMP_DEADLINE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };
/// A NIC that comes up says so several times within moments.
const SETTLE: Duration = Duration::from_millis(50);

/// All network interfaces, by name.
pub fn list_nics() -> io::Result<Vec<NicFacts>> {
    let mut nics = BTreeMap::new();
    // A `struct ifinfomsg` and a `struct ifaddrmsg` of zeroes ask for every family and every interface.
    dump(libc::RTM_GETLINK, &[0; LINK_BYTES], |body| {
        if let Some((index, mut nic)) = link(body) {
            nic.speed_mbit = speed_mbit(&nic.name);
            nics.insert(index, nic);
        }
    })?;
    dump(libc::RTM_GETADDR, &[0; ADDRESS_BYTES], |body| {
        if let Some((index, address)) = address(body)
            && let Some(nic) = nics.get_mut(&index)
        {
            nic.addresses.push(address);
        }
    })?;
    let mut nics: Vec<_> = nics.into_values().collect();
    nics.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(nics)
}

/// Whether a NIC is there and up.
pub(crate) fn is_up(name: &str) -> bool {
    list_nics().is_ok_and(|nics| nics.iter().any(|nic| nic.name == name && nic.up))
}

fn dump(kind: u16, body: &[u8], mut each: impl FnMut(&[u8])) -> io::Result<()> {
    let socket = open(None, 0)?;
    ask(&socket, &dump_request(kind, body))?;
    loop {
        let mut wait = [PollFd::new(&socket, PollFlags::IN)];
        if poll(&mut wait, Some(&DUMP_DEADLINE))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let Some(datagram) = take(&socket)? else {
            continue;
        };
        for (kind, body) in messages(&datagram) {
            match i32::from(kind) {
                libc::NLMSG_DONE => return Ok(()),
                libc::NLMSG_ERROR => {
                    let errno = u32_at(body, 0).map_or(libc::EIO, |code| code.cast_signed().wrapping_neg());
                    return Err(io::Error::from_raw_os_error(errno));
                }
                _ => each(body),
            }
        }
    }
}

/// Netlink does not tell it. A NIC without carrier says -1 or nothing.
fn speed_mbit(name: &str) -> u32 {
    let told = fs::read_to_string(format!("/sys/class/net/{name}/speed"));
    told.ok().and_then(|speed| speed.trim().parse().ok()).unwrap_or(0)
}

/// Opens the socket for [`watch`].
pub(crate) fn news() -> io::Result<AsyncFd<std::os::fd::OwnedFd>> {
    watched(open(None, NEWS)?)
}

/// Tells the core of every NIC that appeared, changed or went away, until the machine stops.
///
/// The news are only a reason to look: looking again is right even when news were lost.
pub(crate) async fn watch(world: Rc<World>, socket: AsyncFd<std::os::fd::OwnedFd>) {
    let mut known = look().await.unwrap_or_default();
    loop {
        let heard = tokio::select! {
            biased;
            () = world.stopped() => return,
            heard = hear(&socket) => heard,
        };
        if let Err(error) = heard {
            tracing::warn!(%error, "news about network interfaces cannot be read; changes are not noticed any more");
            return;
        }
        tokio::time::sleep(SETTLE).await;
        while take(socket.get_ref()).is_ok() {}
        let Some(now) = look().await else {
            continue;
        };
        for (name, nic) in &known {
            if !now.contains_key(name) {
                world.push(Event::NicChanged {
                    nic: NicFacts {
                        up: false,
                        ..nic.clone()
                    },
                });
            }
        }
        for (name, nic) in &now {
            if known.get(name).is_none_or(|before| differs(before, nic)) {
                world.push(Event::NicChanged { nic: nic.clone() });
            }
        }
        known = now;
    }
}

/// On a thread of its own: a dump waits for locks of the kernel.
async fn look() -> Option<BTreeMap<String, NicFacts>> {
    let nics = tokio::task::spawn_blocking(list_nics).await.ok()?.ok()?;
    Some(nics.into_iter().map(|nic| (nic.name.clone(), nic)).collect())
}

/// Counters always differ.
fn differs(before: &NicFacts, now: &NicFacts) -> bool {
    let counted_as_before = NicFacts {
        received_bytes: before.received_bytes,
        sent_bytes: before.sent_bytes,
        errors: before.errors,
        ..now.clone()
    };
    *before != counted_as_before
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_is_there() {
        let nics = list_nics().unwrap();
        let lo = nics.iter().find(|nic| nic.name == "lo").unwrap();
        assert!(lo.mtu_bytes >= 1280);
        assert_eq!(lo.hardware, "");
        let mtu = fs::read_to_string("/sys/class/net/lo/mtu").unwrap();
        assert_eq!(mtu.trim(), lo.mtu_bytes.to_string());
        if lo.up {
            assert!(lo.addresses.contains(&"127.0.0.1/8".to_owned()), "{lo:?}");
        }
    }

    #[test]
    fn counters_alone_are_no_news() {
        let nics = list_nics().unwrap();
        let before = nics[0].clone();
        let counted = NicFacts {
            received_bytes: before.received_bytes + 1,
            ..before.clone()
        };
        assert!(!differs(&before, &counted));
        let down = NicFacts {
            up: !before.up,
            ..counted
        };
        assert!(differs(&before, &down));
    }
}
