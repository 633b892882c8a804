//! Which blocks a run takes, which it leaves out, and which are too young to leave: the job's filter, the run's period, the delay.
//!
//! Pure: from the times of a block and the clock to an answer. Cameras and kinds are not asked here: tracks that are not wanted
//! are not opened.

use crate::calendar::Timetable;
use crate::control::types::{Filter, JobPlan, Period};

/// What is to become of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Judged {
    /// It is sent.
    Taken,
    /// The job's filter leaves it out.
    Filtered,
    /// It is not of the run's time.
    OutOfPeriod,
    /// It is held until the wall clock shows this time.
    TooYoung {
        /// Nanoseconds since 1970 UTC.
        until_utc_ns: i64,
    },
}

/// All that decides it, for one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sieve {
    filter: Filter,
    window: Window,
    delay_ns: i64,
    /// Blocks that began before this time leave whatever the delay.
    released_utc_ns: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Window {
    #[default]
    All,
    Between(i64, i64),
    Open(Timetable),
}

fn ms(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000_000)
}

impl Sieve {
    /// For a run that begins at that time.
    pub fn new(plan: &JobPlan, period: &Period, now_utc_ns: i64) -> Sieve {
        let window = match period {
            Period::Everything => Window::All,
            Period::Range { from_utc_ns, to_utc_ns } => Window::Between(*from_utc_ns, *to_utc_ns),
            Period::Last { duration_ms, offset_ms } => {
                let to = now_utc_ns.saturating_sub(ms(*offset_ms));
                Window::Between(to.saturating_sub(ms(*duration_ms)), to)
            }
            Period::Timetable { hours } => Window::Open(hours.clone()),
        };
        Sieve {
            filter: plan.filter.clone(),
            window,
            delay_ns: ms(plan.delay_ms),
            released_utc_ns: None,
        }
    }

    /// The plan has changed while the run is on: its period stays.
    pub fn change(&mut self, plan: &JobPlan) {
        self.filter = plan.filter.clone();
        self.delay_ns = ms(plan.delay_ms);
    }

    /// Whatever began before this time may leave.
    pub fn release(&mut self, utc_ns: i64) {
        self.released_utc_ns = Some(utc_ns);
    }

    /// Of a block that began at that time.
    pub fn judge(&self, begin_utc_ns: i64, now_utc_ns: i64) -> Judged {
        let filter = &self.filter;
        if filter.from_utc_ns.is_some_and(|from| begin_utc_ns < from) || filter.to_utc_ns.is_some_and(|to| begin_utc_ns >= to) {
            return Judged::Filtered;
        }
        let open = match &self.window {
            Window::All => true,
            Window::Between(from, to) => (*from..*to).contains(&begin_utc_ns),
            Window::Open(hours) => hours.is_open(begin_utc_ns),
        };
        if !open {
            return Judged::OutOfPeriod;
        }
        let until_utc_ns = begin_utc_ns.saturating_add(self.delay_ns);
        let released = self.released_utc_ns.is_some_and(|released| begin_utc_ns < released);
        if self.delay_ns > 0 && until_utc_ns > now_utc_ns && !released {
            return Judged::TooYoung { until_utc_ns };
        }
        Judged::Taken
    }

    /// Whether a block without a place where a decoder can begin is left out.
    pub fn thins(&self) -> bool {
        self.filter.key_frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_filter_leaves_out_a_period_passes_a_delay_holds() {
        let plan = JobPlan {
            filter: Filter {
                from_utc_ns: Some(100 * SECOND),
                to_utc_ns: Some(900 * SECOND),
                ..Filter::default()
            },
            delay_ms: 60_000,
            ..JobPlan::default()
        };
        let last = Period::Last {
            duration_ms: 300_000,
            offset_ms: 100_000,
        };
        // The run begins at 1,000: its time is 600 to 900.
        let mut sieve = Sieve::new(&plan, &last, 1_000 * SECOND);
        let at = |sieve: &Sieve, begin: i64, now: i64| sieve.judge(begin * SECOND, now * SECOND);
        assert_eq!(at(&sieve, 99, 1_000), Judged::Filtered);
        assert_eq!(at(&sieve, 100, 1_000), Judged::OutOfPeriod);
        assert_eq!(at(&sieve, 599, 1_000), Judged::OutOfPeriod);
        assert_eq!(at(&sieve, 600, 1_000), Judged::Taken);
        assert_eq!(at(&sieve, 899, 1_000), Judged::Taken);
        assert_eq!(at(&sieve, 900, 1_000), Judged::Filtered);
        let until_utc_ns = 860 * SECOND;
        assert_eq!(at(&sieve, 800, 859), Judged::TooYoung { until_utc_ns });
        assert_eq!(at(&sieve, 800, 860), Judged::Taken);
        sieve.release(801 * SECOND);
        assert_eq!(at(&sieve, 800, 802), Judged::Taken);
        assert!(matches!(at(&sieve, 802, 803), Judged::TooYoung { .. }));
    }
}
