//! How fast a job may send, and all jobs over one interface: bytes a second, by a weekly timetable.
//!
//! A bucket of one second. A block is sent while it is not empty, and may leave it in debt: blocks are not cut.
//!
//! Invariant: over any stretch no more is sent than the rate allows and one second and one block more.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use hal::{Instant, Moment};

use crate::control::types::{NicRate, Rate};

/// A rate that depends on the wall clock is looked at that often at least.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The rate in force; none if there is no limit.
pub fn in_force(rates: &[Rate], utc_ns: i64) -> Option<u64> {
    let open = |rate: &&Rate| rate.hours.as_ref().is_none_or(|hours| hours.is_open(utc_ns));
    rates.iter().find(open).map(|rate| rate.bytes_a_second)
}

/// The bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Pace {
    /// Bytes that may be sent; below zero: debt.
    bytes: i64,
    /// When that was so. None: full.
    at: Option<Instant>,
}

impl Pace {
    /// Whether a block may be sent now; if not, when to ask again.
    pub fn allows(&mut self, rates: &[Rate], now: Moment) -> Result<(), Instant> {
        let Some(rate) = in_force(rates, now.utc_ns) else {
            self.at = None;
            return Ok(());
        };
        if rate == 0 {
            self.at = Some(now.at);
            self.bytes = 0;
            return Err(now.at + LOOK_EVERY);
        }
        let rate = i64::try_from(rate).unwrap_or(i64::MAX);
        self.bytes = match self.at {
            None => rate,
            Some(at) => {
                let ns = now.at.since(at).as_nanos().min(3_600_000_000_000) as i128;
                let new = ns * i128::from(rate) / 1_000_000_000;
                i64::try_from((i128::from(self.bytes) + new).min(i128::from(rate))).unwrap_or(rate)
            }
        };
        self.at = Some(now.at);
        if self.bytes > 0 {
            return Ok(());
        }
        let wait_ns = (i128::from(-self.bytes) + 1) * 1_000_000_000 / i128::from(rate) + 1;
        let wait = Duration::from_nanos(u64::try_from(wait_ns).unwrap_or(u64::MAX));
        Err(now.at + wait.min(LOOK_EVERY))
    }

    /// So much was sent.
    pub fn spend(&mut self, bytes: u64) {
        if self.at.is_some() {
            self.bytes = self.bytes.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }
}

/// The buckets of network interfaces, which all jobs share whose routes name them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct NicPaces(BTreeMap<String, (Vec<Rate>, Pace)>);

impl NicPaces {
    /// The rates are these from now on.
    pub fn set(&mut self, rates: &[NicRate]) {
        self.0.retain(|name, _| rates.iter().any(|rate| rate.name == *name));
        for rate in rates {
            self.0.entry(rate.name.clone()).or_default().0.clone_from(&rate.rates);
        }
    }

    /// Whether a block may be sent over an interface now; if not, when to ask again.
    pub fn allows(&mut self, nic: Option<&str>, now: Moment) -> Result<(), Instant> {
        match nic.and_then(|nic| self.0.get_mut(nic)) {
            Some((rates, pace)) => pace.allows(rates, now),
            None => Ok(()),
        }
    }

    /// So much was sent.
    pub fn spend(&mut self, nic: Option<&str>, bytes: u64) {
        if let Some((_, pace)) = nic.and_then(|nic| self.0.get_mut(nic)) {
            pace.spend(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn moment(ms: u64) -> Moment {
        Moment {
            at: Instant::from_ns(ms * 1_000_000),
            ..Moment::default()
        }
    }

    #[test]
    fn a_minute_at_a_rate_is_a_minute_at_that_rate() {
        let rates = vec![Rate {
            bytes_a_second: 2_000_000,
            hours: None,
        }];
        let (mut pace, mut now_ms, mut sent) = (Pace::default(), 0, 0u64);
        while now_ms < 60_000 {
            match pace.allows(&rates, moment(now_ms)) {
                Ok(()) => {
                    pace.spend(1 << 20);
                    sent += 1 << 20;
                }
                Err(again) => {
                    assert!(again > moment(now_ms).at);
                    now_ms = (again.boot_ns / 1_000_000).max(now_ms + 1);
                }
            }
        }
        assert!((120_000_000..=124_100_000).contains(&sent), "{sent}");
    }

    #[test]
    fn nothing_at_rate_zero_and_everything_without_one() {
        let none = vec![Rate {
            bytes_a_second: 0,
            hours: None,
        }];
        let mut pace = Pace::default();
        assert!(pace.allows(&none, moment(5)).is_err());
        assert_eq!(pace.allows(&[], moment(6)), Ok(()));
    }
}
