//! Netlink: the kernel's sockets for news about NICs and devices. Not the bytes on them (`messages`), and not what the news mean
//! (`nic.rs`, `hotplug.rs`).
//!
//! Invariant: only messages from the kernel itself are handed on.

mod messages;

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto, socket_with};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

pub(crate) use messages::{attributes, dump_request, messages, text, u16_at, u32_at, u64_at};

/// Longest datagram: dumps come in pieces of at most 32 KiB.
const DATAGRAM_BYTES_MAX: usize = 32 * 1024;

/// Opens a socket that hears the groups in a bit mask. No protocol is number 0: routes and interfaces.
pub(crate) fn open(protocol: Option<Protocol>, groups: u32) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    bind(&socket, &SocketAddrNetlink::new(0, groups))?;
    Ok(socket)
}

/// Sends a request to the kernel.
pub(crate) fn ask(socket: &OwnedFd, request: &[u8]) -> io::Result<()> {
    sendto(socket, request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    Ok(())
}

/// One datagram from the kernel; `None` if it came from somebody else.
pub(crate) fn take(socket: &OwnedFd) -> io::Result<Option<Vec<u8>>> {
    let mut datagram = vec![MaybeUninit::uninit(); DATAGRAM_BYTES_MAX];
    let ((bytes, _), length_bytes, sender) = recvfrom(socket, datagram.as_mut_slice(), RecvFlags::TRUNC)?;
    let from_kernel = sender
        .and_then(|address| SocketAddrNetlink::try_from(address).ok())
        .is_some_and(|address| address.pid() == 0);
    // A datagram that does not fit is none we asked for.
    Ok((from_kernel && length_bytes <= bytes.len()).then(|| bytes.to_vec()))
}

/// Waits for a datagram from the kernel. `None` if some were lost.
pub(crate) async fn hear(socket: &AsyncFd<OwnedFd>) -> io::Result<Option<Vec<u8>>> {
    loop {
        match socket.async_io(Interest::READABLE, take).await {
            Ok(Some(datagram)) => return Ok(Some(datagram)),
            Ok(None) => (),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}
