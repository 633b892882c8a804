//! The machine's watchdog: restarts it by hardware when it is not fed any more. It is fed only while the daemon makes progress.

use std::fs::File;
use std::io::Write;
use std::time::{Duration, Instant};

use super::say;

const DEVICE: &str = "/dev/watchdog0";
const FACTS: &str = "/sys/class/watchdog/watchdog0";

/// Without a sign of the daemon for so long it is not fed. The daemon gives one every 5 s.
const SIGN_WITHIN: Duration = Duration::from_secs(20);

/// A start may take so long before the first sign: opening many large archives.
const START_WITHIN: Duration = Duration::from_secs(300);

/// Fed this often at most.
const PERIOD: Duration = Duration::from_secs(5);

/// The watchdog, if the machine has one.
#[derive(Debug)]
pub(super) struct Watchdog {
    device: Option<File>,
    since: Instant,
    fed: Option<Instant>,
}

impl Watchdog {
    /// Opens it, which starts it.
    pub(super) fn find() -> Watchdog {
        let since = Instant::now();
        let device = match File::options().write(true).open(DEVICE) {
            Ok(device) => {
                let fact = |name: &str| std::fs::read_to_string(format!("{FACTS}/{name}")).unwrap_or_default();
                say(&format!(
                    "watchdog {}: the machine restarts {} s after the daemon stands still",
                    fact("identity").trim(),
                    fact("timeout").trim()
                ));
                Some(device)
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                say("no watchdog: a machine that hangs stays so until somebody comes");
                None
            }
            Err(error) => {
                say(&format!("the watchdog {DEVICE} cannot be opened: {error}"));
                None
            }
        };
        Watchdog {
            device,
            since,
            fed: None,
        }
    }

    /// Feeds it if the daemon gave a sign lately. Called every second or more often.
    pub(super) fn feed(&mut self, last_sign: Option<Instant>, now: Instant) {
        let due = self.fed.is_none_or(|fed| now.duration_since(fed) >= PERIOD);
        if !due || !is_alive(self.since, last_sign, now) {
            return;
        }
        self.fed = Some(now);
        if let Some(device) = &mut self.device {
            // What cannot be fed will restart the machine, which is what it is for.
            let _ = device.write_all(b"1");
        }
    }
}

fn is_alive(since: Instant, last_sign: Option<Instant>, now: Instant) -> bool {
    match last_sign {
        Some(at) => now.duration_since(at) < SIGN_WITHIN,
        None => now.duration_since(since) < START_WITHIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_that_stands_still_is_not_covered_for() {
        let since = Instant::now();
        let after = |seconds| since + Duration::from_secs(seconds);
        assert!(is_alive(since, None, after(299)) && !is_alive(since, None, after(300)));
        assert!(is_alive(since, Some(after(400)), after(419)));
        assert!(!is_alive(since, Some(after(400)), after(420)));
    }
}
