//! The daemon's signs of life, in the words of a service manager (sd_notify): it is ready, it is alive.
//!
//! The daemon beats when its pump has come round, so a beat is progress and not just a process that exists.

use std::io::ErrorKind;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

const SOCKET: &str = "/run/blockhaul/notify";

/// The daemon beats at half of it.
const WATCHDOG: Duration = Duration::from_secs(10);

/// One sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It does its work from now on.
    Ready,
    /// Its pump has come round.
    Alive,
}

/// Where signs come in.
#[derive(Debug)]
pub(super) struct Signs {
    socket: UnixDatagram,
    last: Option<Instant>,
}

impl Signs {
    /// Opens the socket.
    pub(super) fn open() -> Result<Signs, String> {
        let _ = std::fs::remove_file(SOCKET);
        let socket = UnixDatagram::bind(SOCKET).map_err(|error| format!("{SOCKET} cannot be created: {error}"))?;
        Ok(Signs { socket, last: None })
    }

    /// Waits for one, for so long at most.
    pub(super) fn wait(&mut self, within: Duration) -> Option<Sign> {
        let mut words = [0; 1024];
        let _ = self.socket.set_read_timeout(Some(within));
        let length = match self.socket.recv(&mut words) {
            Ok(length) => length,
            Err(error) => {
                // Anything but the end of the time comes back at once, and this must not spin.
                if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) {
                    std::thread::sleep(within);
                }
                return None;
            }
        };
        let sign = parse(&words[..length])?;
        self.last = Some(Instant::now());
        Some(sign)
    }

    /// When the last one came.
    pub(super) fn last(&self) -> Option<Instant> {
        self.last
    }
}

/// Tells a program where to send them.
pub(super) fn announce(command: &mut Command) {
    command
        .env("NOTIFY_SOCKET", SOCKET)
        .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string());
}

fn parse(words: &[u8]) -> Option<Sign> {
    let mut lines = words.split(|byte| *byte == b'\n');
    lines.find_map(|line| match line {
        b"READY=1" => Some(Sign::Ready),
        b"WATCHDOG=1" => Some(Sign::Alive),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_are_lines() {
        assert_eq!(parse(b"STATUS=fine\nREADY=1\n"), Some(Sign::Ready));
        assert_eq!(parse(b"WATCHDOG=1"), Some(Sign::Alive));
        assert_eq!(parse(b"STOPPING=1\n"), None);
        assert_eq!(parse(b""), None);
    }
}
