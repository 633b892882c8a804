//! Calling a peer: name, TCP, TLS, welcome. Not when or how often to call: that is the core's.
//!
//! Every address of a name is tried within one deadline; an address that does not answer may not use up the time of the others.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use hal::{Event, Fingerprint, LinkError, Route};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, timeout_at};

use crate::errno;
use crate::frame::Header;
use crate::limits::DIAL_DEADLINE;
use crate::link::{self, Link};
use crate::tls::handshake::{self, Proven};
use crate::tls::{self, Tls};
use crate::world::World;

/// Dials, and runs the link if it comes up.
pub(crate) async fn run(world: Rc<World>, tls: Rc<Tls>, link: Rc<Link>, route: Route, expect: Fingerprint) {
    let called = tokio::select! {
        biased;
        why = link.ended() => Err(why),
        called = call(&tls, &route, expect) => called,
    };
    match called {
        Ok((stream, address)) => {
            world.push(Event::LinkUp {
                link: link.id(),
                peer: expect,
                address: address.to_string(),
            });
            link::run(&world, &link, stream).await;
        }
        Err(why) => link.down(&world, why),
    }
}

async fn call(tls: &Tls, route: &Route, expect: Fingerprint) -> Result<(Proven, SocketAddr), LinkError> {
    let deadline = Instant::now() + DIAL_DEADLINE;
    let addresses = timeout_at(deadline, resolve(route))
        .await
        .map_err(|_| LinkError::NameUnknown)??;
    let mut why = LinkError::Unreachable;
    for (index, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - index).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(Instant::now()) / left;
        match call_address(tls, *address, route.nic.as_deref(), expect, share).await {
            Ok(stream) => return Ok((stream, *address)),
            Err(error) if telling(error) >= telling(why) => why = error,
            Err(_) => (),
        }
    }
    Err(why)
}

/// Of the errors of several addresses the one that came furthest is told.
fn telling(why: LinkError) -> u8 {
    match why {
        LinkError::KeyRefused => 4,
        LinkError::NotTls | LinkError::Malformed => 3,
        LinkError::TimedOut | LinkError::Lost | LinkError::Closed | LinkError::HungUp => 2,
        LinkError::NicDown | LinkError::Exhausted => 1,
        LinkError::Unreachable | LinkError::NameUnknown => 0,
    }
}

async fn resolve(route: &Route) -> Result<Vec<SocketAddr>, LinkError> {
    if let Ok(address) = route.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, route.port)]);
    }
    // On a thread of its own, which tokio does: the resolver of the C library blocks.
    let found = tokio::net::lookup_host((route.host.as_str(), route.port)).await;
    let addresses: Vec<SocketAddr> = found.map_err(|_| LinkError::NameUnknown)?.collect();
    if addresses.is_empty() {
        Err(LinkError::NameUnknown)
    } else {
        Ok(addresses)
    }
}

async fn call_address(
    tls: &Tls,
    address: SocketAddr,
    nic: Option<&str>,
    expect: Fingerprint,
    share: Duration,
) -> Result<Proven, LinkError> {
    let deadline = Instant::now() + share;
    let stream = match timeout_at(deadline, connect(address, nic)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(connect_error(&error, nic).await),
        Err(_) => return Err(LinkError::Unreachable),
    };
    match timeout_at(deadline, prove(tls, stream, expect)).await {
        Ok(proven) => proven,
        Err(_) => Err(LinkError::TimedOut),
    }
}

async fn connect(address: SocketAddr, nic: Option<&str>) -> io::Result<TcpStream> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if let Some(nic) = nic {
        socket.bind_device(Some(nic.as_bytes()))?;
    }
    let stream = socket.connect(address).await?;
    link::tune(&stream)?;
    Ok(stream)
}

/// A NIC that is down has no route, which the kernel reports as an unreachable network.
async fn connect_error(error: &io::Error, nic: Option<&str>) -> LinkError {
    let why = errno::of_connect(error);
    match nic.map(str::to_owned) {
        Some(nic) if why == LinkError::Unreachable => {
            // On a thread of its own: a listing waits for locks of the kernel.
            let is_up = tokio::task::spawn_blocking(move || crate::nic::is_up(&nic)).await;
            if is_up.unwrap_or(true) { why } else { LinkError::NicDown }
        }
        _ => why,
    }
}

async fn prove(tls: &Tls, stream: TcpStream, expect: Fingerprint) -> Result<Proven, LinkError> {
    let (config, _) = tls.dialler(expect).map_err(|_| LinkError::NotTls)?;
    let proven = handshake::dial(stream, config).await;
    let mut proven = proven.map_err(|error| tls::meaning(&error))?;
    let welcome = proven.receive().await.map_err(|error| tls::meaning(&error))?;
    if welcome == Header::WELCOME.to_bytes() {
        Ok(proven)
    } else {
        Err(LinkError::Malformed)
    }
}
