//! Signs of life for a service manager that wants them: ready, alive, stopping. Nothing happens where there is none.

use std::time::Duration;

use hal::Instant;
use sd_notify::NotifyState;

/// Beats at half the period that the service manager waits.
pub struct Pulse {
    period: Option<Duration>,
    next: Instant,
}

impl Pulse {
    /// With the period that the service manager asks for, if it does.
    pub fn new() -> Pulse {
        Pulse {
            period: sd_notify::watchdog_enabled().map(|wanted| wanted / 2),
            next: Instant::default(),
        }
    }

    /// The daemon does its work from now on.
    pub fn ready(&self) {
        tell(NotifyState::Ready);
    }

    /// The daemon ends.
    pub fn stopping(&self) {
        tell(NotifyState::Stopping);
    }

    /// The earlier of a deadline and the next beat.
    pub fn earlier(&self, deadline: Option<Instant>) -> Option<Instant> {
        match (deadline, self.period) {
            (Some(deadline), Some(_)) => Some(deadline.min(self.next)),
            (None, Some(_)) => Some(self.next),
            (deadline, None) => deadline,
        }
    }

    /// The pump has come round.
    pub fn beat(&mut self, now: Instant) {
        if let Some(period) = self.period
            && now >= self.next
        {
            tell(NotifyState::Watchdog);
            self.next = now + period;
        }
    }
}

/// A service manager that does not listen is no reason to stop recording.
fn tell(state: NotifyState<'_>) {
    let _ = sd_notify::notify(&[state]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beats_come_between_deadlines() {
        let second = Duration::from_secs(1);
        let mut pulse = Pulse {
            period: Some(second),
            next: Instant::default(),
        };
        let start = Instant::from_ns(5_000_000_000);
        pulse.beat(start);
        assert_eq!(pulse.earlier(None), Some(start + second));
        assert_eq!(pulse.earlier(Some(start)), Some(start));
        pulse.beat(start + second / 2);
        assert_eq!(pulse.earlier(Some(start + 9 * second)), Some(start + second));
    }

    #[test]
    fn without_a_service_manager_only_deadlines_count() {
        let pulse = Pulse {
            period: None,
            next: Instant::default(),
        };
        assert_eq!(pulse.earlier(None), None);
        assert_eq!(pulse.earlier(Some(Instant::from_ns(7))), Some(Instant::from_ns(7)));
    }
}
