//! A TCP connection to the control socket: bytes both ways, and the end of each direction by itself.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::thread;

const CONTROL_SOCKET: &str = "/run/blockhaul/control.sock";

/// Serves one connection to its end.
pub fn to_control_socket(host: TcpStream) {
    // Without a daemon the connection just closes, as it would at the socket itself.
    let Ok(daemon) = UnixStream::connect(CONTROL_SOCKET) else {
        return;
    };
    let (Ok(mut from_host), Ok(mut to_daemon)) = (host.try_clone(), daemon.try_clone()) else {
        return;
    };
    let upward = thread::spawn(move || {
        let _ = io::copy(&mut from_host, &mut to_daemon);
        let _ = to_daemon.shutdown(Shutdown::Write);
    });
    let (mut from_daemon, mut to_host) = (daemon, host);
    let _ = io::copy(&mut from_daemon, &mut to_host);
    let _ = to_host.shutdown(Shutdown::Write);
    let _ = upward.join();
}
