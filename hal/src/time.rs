//! Time as it crosses the seam: an argument, never a call.
//!
//! Order, leases and deadlines use [`Instant`] only. Wall time is information for people.

use core::ops::Add;
use core::time::Duration;
use serde::{Deserialize, Serialize};

/// Nanoseconds since this machine booted, suspend included (`CLOCK_BOOTTIME`). Never goes back within one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant {
    /// Nanoseconds since boot.
    pub boot_ns: u64,
}

impl Instant {
    /// An instant from nanoseconds since boot.
    pub const fn from_ns(boot_ns: u64) -> Self {
        Self { boot_ns }
    }

    /// Time passed since `earlier`; zero if `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_nanos(self.boot_ns.saturating_sub(earlier.boot_ns))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, span: Duration) -> Instant {
        let ns = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Instant {
            boot_ns: self.boot_ns.saturating_add(ns),
        }
    }
}

/// How far the wall clock can be trusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum ClockQuality {
    /// Nobody set it: before the build date, or the kernel says so.
    #[default]
    Unset = 0,
    /// Set at some time, not disciplined now.
    Free = 1,
    /// The kernel says a time service keeps it.
    Synchronized = 2,
}

/// One reading of every clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Moment {
    /// For decisions.
    pub at: Instant,
    /// For people: nanoseconds since 1970-01-01 UTC.
    pub utc_ns: i64,
    /// How far `utc_ns` can be trusted.
    pub quality: ClockQuality,
}
