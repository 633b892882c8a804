//! Where peers come in: accept, prove within a deadline and within bounds, then hand over to `link.rs`.
//!
//! Invariant: a stranger costs one descriptor and a bounded buffer for at most [`HANDSHAKE_DEADLINE`].

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hal::{Event, Fingerprint, LinkError};
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::frame::Header;
use crate::limits::{ACCEPTED_MAX, HANDSHAKE_DEADLINE, UNPROVEN_MAX, UNPROVEN_PER_ADDRESS_MAX};
use crate::link::{self, Link};
use crate::tls::handshake::{self, Proven};
use crate::tls::{self, Shown, Tls};
use crate::world::World;

/// Connections that wait for `accept`: more than may be unproven, so that a burst is counted and not lost.
const BACKLOG: u32 = 512;
/// After an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Opens a listening socket.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Who is connected and not proven; shared by all listeners.
#[derive(Default)]
pub(crate) struct Strangers {
    all: Cell<usize>,
    by_address: RefCell<HashMap<IpAddr, usize>>,
}

/// One stranger, counted while it lives.
struct Stranger {
    strangers: Rc<Strangers>,
    address: IpAddr,
}

impl Strangers {
    fn enter(self: &Rc<Self>, address: IpAddr) -> Option<Stranger> {
        let address = counted_as(address);
        let mut by_address = self.by_address.borrow_mut();
        let here = by_address.get(&address).copied().unwrap_or(0);
        if self.all.get() >= UNPROVEN_MAX || here >= UNPROVEN_PER_ADDRESS_MAX {
            return None;
        }
        by_address.insert(address, here + 1);
        self.all.set(self.all.get() + 1);
        Some(Stranger {
            strangers: Rc::clone(self),
            address,
        })
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.strangers.all.set(self.strangers.all.get() - 1);
        let mut by_address = self.strangers.by_address.borrow_mut();
        if let Some(count) = by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                by_address.remove(&self.address);
            }
        }
    }
}

/// One host owns a /64 of IPv6.
fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = address.to_bits() & !u128::from(u64::MAX);
            std::net::Ipv6Addr::from_bits(prefix).into()
        }
    }
}

/// Accepts until the machine stops.
pub(crate) async fn run(world: Rc<World>, tls: Rc<Tls>, listener: TcpListener, strangers: Rc<Strangers>) {
    loop {
        let accepted = tokio::select! {
            biased;
            () = world.stopped() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            // The other side has gone already, or we are out of descriptors.
            Err(_) => {
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match strangers.enter(address.ip()) {
            Some(stranger) => {
                tokio_uring::spawn(receive(Rc::clone(&world), Rc::clone(&tls), stream, address, stranger));
            }
            None => turn_away(&world, address, None, LinkError::Exhausted),
        }
    }
}

fn turn_away(world: &World, address: SocketAddr, key: Option<Fingerprint>, why: LinkError) {
    world.push(Event::Turned {
        address: address.to_string(),
        key,
        why,
    });
}

/// Proves one stranger, and runs its link if it is a trusted peer.
async fn receive(world: Rc<World>, tls: Rc<Tls>, stream: TcpStream, address: SocketAddr, stranger: Stranger) {
    let Ok((config, shown)) = tls.accepter() else {
        return turn_away(&world, address, None, LinkError::NotTls);
    };
    let proving = prove(&world, &tls, config, &shown, stream);
    let proven = timeout(HANDSHAKE_DEADLINE, proving).await.unwrap_or(Err(LinkError::TimedOut));
    drop(stranger);
    let (stream, key) = match proven {
        Ok(proven) => proven,
        Err(why) => return turn_away(&world, address, shown.key(), why),
    };
    let link = Rc::new(Link::accepted(world.next_accepted(), key));
    world.links.borrow_mut().insert(link.id(), Rc::clone(&link));
    world.push(Event::LinkUp {
        link: link.id(),
        peer: key,
        address: address.to_string(),
    });
    link::run(&world, &link, stream).await;
}

async fn prove(
    world: &World,
    tls: &Tls,
    config: Arc<ServerConfig>,
    shown: &Shown,
    stream: TcpStream,
) -> Result<(Proven, Fingerprint), LinkError> {
    link::tune(&stream).map_err(|_| LinkError::Lost)?;
    let proven = handshake::accept(stream, config).await;
    let mut proven = proven.map_err(|error| tls::meaning(&error))?;
    let key = shown.key().ok_or(LinkError::KeyRefused)?;
    // The set may have changed while the handshake went on.
    if !tls::is_trusted(&tls.trusted, key) {
        return Err(LinkError::KeyRefused);
    }
    let accepted = world
        .links
        .borrow()
        .values()
        .filter(|link| link.accepted_key().is_some())
        .count();
    if accepted >= ACCEPTED_MAX {
        return Err(LinkError::Exhausted);
    }
    let welcomed = proven.send(&Header::WELCOME.to_bytes()).await;
    welcomed.map_err(|error| tls::meaning(&error))?;
    // And while the welcome was written.
    if tls::is_trusted(&tls.trusted, key) {
        Ok((proven, key))
    } else {
        Err(LinkError::KeyRefused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_are_counted_by_address_and_in_all() {
        let strangers = Rc::new(Strangers::default());
        let here: IpAddr = "192.0.2.1".parse().unwrap();
        let held: Vec<_> = (0..UNPROVEN_PER_ADDRESS_MAX)
            .map(|_| strangers.enter(here).unwrap())
            .collect();
        assert!(strangers.enter(here).is_none());
        assert!(
            strangers.enter("::ffff:192.0.2.1".parse().unwrap()).is_none(),
            "the same address in IPv6 clothes"
        );
        assert!(strangers.enter("192.0.2.2".parse().unwrap()).is_some());
        drop(held);
        assert!(strangers.enter(here).is_some());
        assert!(strangers.by_address.borrow().is_empty());

        let many: Vec<_> = (0..=u8::MAX)
            .filter_map(|last| strangers.enter(IpAddr::from([198, 51, 100, last])))
            .collect();
        assert_eq!(many.len(), UNPROVEN_MAX);
        assert!(strangers.enter(here).is_none());
    }

    #[test]
    fn one_network_of_ipv6_is_one_address() {
        let one = counted_as("2001:db8::1".parse().unwrap());
        assert_eq!(one, counted_as("2001:db8::ffff:1".parse().unwrap()));
        assert_ne!(one, counted_as("2001:db8:0:1::1".parse().unwrap()));
    }
}
