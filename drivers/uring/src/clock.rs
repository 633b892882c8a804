//! The clocks. The only place that reads one for the core.
//!
//! Not a source of order: [`hal::Instant`] is, and it counts suspend in (`CLOCK_BOOTTIME`).

use core::cell::Cell;
use core::time::Duration;

use hal::{ClockQuality, Instant, Moment};
use rustix::time::{ClockId, Timespec, clock_gettime};

/// 2024-01-01: nobody runs this before it was written, so an earlier clock was never set.
const FIRST_PLAUSIBLE_UTC_S: i64 = 1_704_067_200;

const NS_PER_S: i64 = 1_000_000_000;

/// How long it is believed whether a time service keeps the clock: asking is a system call, and the time is read at every event.
const QUALITY_KEPT: Duration = Duration::from_secs(1);

/// All clocks.
#[derive(Debug, Default)]
pub struct Clocks {
    /// When the kernel was asked whether a time service keeps its clock, and what it said.
    synchronized: Cell<Option<(Instant, bool)>>,
}

impl Clocks {
    /// Every clock, now.
    pub fn now(&self) -> Moment {
        let (at, wall) = (instant(), clock_gettime(ClockId::Realtime));
        let known = self
            .synchronized
            .get()
            .filter(|(asked_at, _)| at.since(*asked_at) < QUALITY_KEPT);
        let (_, synchronized) = known.unwrap_or_else(|| (at, kernel_says_synchronized()));
        self.synchronized.set(known.or(Some((at, synchronized))));
        Moment {
            at,
            utc_ns: total_ns(wall),
            quality: quality(wall.tv_sec, synchronized),
        }
    }
}

/// The clock for decisions, now.
pub fn instant() -> Instant {
    Instant::from_ns(u64::try_from(total_ns(clock_gettime(ClockId::Boottime))).unwrap_or(0))
}

/// Time until `at`; zero if it is over.
pub fn until(at: Instant) -> Duration {
    at.since(instant())
}

fn total_ns(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NS_PER_S).saturating_add(time.tv_nsec)
}

fn quality(utc_s: i64, synchronized: bool) -> ClockQuality {
    if utc_s < FIRST_PLAUSIBLE_UTC_S {
        ClockQuality::Unset
    } else if synchronized {
        ClockQuality::Synchronized
    } else {
        ClockQuality::Free
    }
}

/// Whether a time service (NTP, PTP, chrony) keeps the kernel's clock now.
fn kernel_says_synchronized() -> bool {
    // SAFETY: `timex` is plain numbers, for which all zeroes is a value; `modes` 0 means "only read".
    let mut state: libc::timex = unsafe { core::mem::zeroed() };
    // SAFETY: `state` is a valid, writable `timex` for the length of the call, and the call keeps no pointer to it.
    let code = unsafe { libc::adjtimex(&mut state) };
    code >= 0 && code != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_goes_on_and_agrees_with_the_kernel() {
        let first = instant();
        let second = instant();
        assert!(second >= first);
        let text = std::fs::read_to_string("/proc/uptime").expect("a kernel tells its uptime");
        let up_s: f64 = text
            .split(' ')
            .next()
            .and_then(|word| word.parse().ok())
            .expect("seconds first");
        let difference_s = up_s - second.boot_ns as f64 / 1e9;
        assert!(difference_s.abs() < 5.0, "{difference_s}");
    }

    #[test]
    fn wall_time_is_the_systems() {
        let system = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970");
        let ours_s = Clocks::default().now().utc_ns / NS_PER_S;
        assert!((ours_s - system.as_secs() as i64).abs() <= 2);
    }

    #[test]
    fn a_clock_before_the_product_was_never_set() {
        assert_eq!(quality(0, true), ClockQuality::Unset);
        assert_eq!(quality(FIRST_PLAUSIBLE_UTC_S - 1, false), ClockQuality::Unset);
        assert_eq!(quality(FIRST_PLAUSIBLE_UTC_S, false), ClockQuality::Free);
        assert_eq!(quality(FIRST_PLAUSIBLE_UTC_S, true), ClockQuality::Synchronized);
    }

    #[test]
    fn past_deadlines_are_due_at_once() {
        assert_eq!(until(Instant::from_ns(0)), Duration::ZERO);
    }
}
