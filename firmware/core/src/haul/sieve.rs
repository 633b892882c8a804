//! Which blocks a run takes, which it leaves out, and which are too young to leave: the job's filter, the run's period, the delay.
//!
//! Pure: from what the index tells of a block and the clock to an answer. Cameras and kinds are not asked here: tracks that are
//! not wanted are not opened. Tags and the mark of a bound are those that the archive had when it was looked at last.

use alloc::collections::BTreeMap;

use crate::archive::tagged::Tagged;
use crate::archive::{Catalog, TrackId};
use crate::calendar::Timetable;
use crate::control::types::{Filter, JobPlan, Period};
use crate::{Name, format::checkpoint::Entry};

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

/// A block, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its track in the source archive.
    pub track: TrackId,
    /// Its number there.
    pub number: u64,
    /// When it began.
    pub begin_utc_ns: i64,
}

impl Seen {
    /// As the index has it.
    pub fn indexed(track: TrackId, entry: &Entry) -> Seen {
        Seen {
            track,
            number: entry.track_sequence,
            begin_utc_ns: entry.begin_utc_ns,
        }
    }
}

/// All that decides it, for one run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sieve {
    filter: Filter,
    window: Window,
    delay_ns: i64,
    /// Blocks that began before this time leave whatever the delay.
    released_utc_ns: Option<i64>,
    /// The tags that the filter asks for; none if they have changed since.
    tagged: Option<Tagged>,
    /// The mark at which the run ends, and where it stands.
    mark: Option<(Name, BTreeMap<TrackId, u64>)>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Window {
    #[default]
    All,
    Between(i64, i64),
    Open(Timetable),
    Holes(Holes),
}

/// Only what falls into times that nothing else covers at the target: which of them, the target must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holes {
    /// By so much both clocks may differ: a block that is so near to a hole belongs into it.
    pub margin_ns: i64,
    /// A block that ended so long ago waits no more for others to cover its time.
    pub wait_ns: i64,
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
            Period::Offline { margin_ms, wait_ms } => Window::Holes(Holes {
                margin_ns: ms(*margin_ms),
                wait_ns: ms(*wait_ms),
            }),
        };
        Sieve {
            filter: plan.filter.clone(),
            window,
            delay_ns: ms(plan.delay_ms),
            ..Sieve::default()
        }
    }

    /// Looks the tags of the filter and the mark of the bound up, if that was not done or they have changed.
    pub fn look(&mut self, catalog: &Catalog, mark: Option<&Name>) {
        if self.asks_tags() && self.tagged.is_none() {
            let asked = |name: &Name| self.filter.has.contains(name) || self.filter.lacks.contains(name);
            self.tagged = Some(catalog.tagged.only(asked));
        }
        if let Some(name) = mark
            && self.mark.is_none()
        {
            // A mark that is gone ends the run at once.
            let points = catalog.marks.named(name).map(|mark| &mark.points);
            let stands = points.into_iter().flatten().map(|(track, point)| (*track, point.next));
            self.mark = Some((name.clone(), stands.collect()));
        }
    }

    /// If only what falls into holes is taken: which holes.
    pub fn holes(&self) -> Option<Holes> {
        match self.window {
            Window::Holes(holes) => Some(holes),
            Window::All | Window::Between(..) | Window::Open(_) => None,
        }
    }

    /// Whether the filter asks for tags.
    pub fn asks_tags(&self) -> bool {
        !self.filter.has.is_empty() || !self.filter.lacks.is_empty()
    }

    /// Tags of the archive have changed. Whether that matters.
    pub fn tags_changed(&mut self) -> bool {
        self.tagged = None;
        self.asks_tags()
    }

    /// Whether the run ends at a mark.
    pub fn ends_at_mark(&self) -> bool {
        self.mark.is_some()
    }

    fn is_labelled(&self, block: Seen) -> bool {
        let has = |name: &Name| {
            let tagged = self.tagged.as_ref();
            tagged.is_some_and(|tagged| tagged.has(block.track, block.number, name))
        };
        self.filter.has.iter().all(has) && !self.filter.lacks.iter().any(has)
    }

    /// The plan has changed while the run is on: its period stays.
    pub fn change(&mut self, plan: &JobPlan) {
        self.filter = plan.filter.clone();
        self.tagged = None;
        self.delay_ns = ms(plan.delay_ms);
    }

    /// Whatever began before this time may leave.
    pub fn release(&mut self, utc_ns: i64) {
        self.released_utc_ns = Some(utc_ns);
    }

    /// What is to become of a block.
    pub fn judge(&self, block: Seen, now_utc_ns: i64) -> Judged {
        let begin_utc_ns = block.begin_utc_ns;
        let filter = &self.filter;
        if filter.from_utc_ns.is_some_and(|from| begin_utc_ns < from) || filter.to_utc_ns.is_some_and(|to| begin_utc_ns >= to) {
            return Judged::Filtered;
        }
        if !self.is_labelled(block) {
            return Judged::Filtered;
        }
        if let Some((_, stands)) = &self.mark
            && stands.get(&block.track).is_none_or(|next| block.number >= *next)
        {
            return Judged::OutOfPeriod;
        }
        let open = match &self.window {
            Window::All | Window::Holes(_) => true,
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
        let at = |sieve: &Sieve, begin: i64, now: i64| {
            let block = Seen {
                track: TrackId(0),
                number: 0,
                begin_utc_ns: begin * SECOND,
            };
            sieve.judge(block, now * SECOND)
        };
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

    #[test]
    fn tags_and_a_mark_as_they_stood_when_looked_at() {
        let [done, night]: [Name; 2] = ["done", "night"].map(|name| name.parse().unwrap());
        let plan = JobPlan {
            filter: Filter {
                has: alloc::vec![night.clone()],
                lacks: alloc::vec![done.clone()],
                ..Filter::default()
            },
            ..JobPlan::default()
        };
        let mut catalog = Catalog::default();
        catalog.tagged.set(TrackId(0), &night, 2..8, 100);
        catalog.tagged.set(TrackId(0), &done, 3..5, 101);
        let mut sieve = Sieve::new(&plan, &Period::Everything, 0);
        sieve.look(&catalog, None);
        let taken = |sieve: &Sieve| -> alloc::vec::Vec<u64> {
            let block = |number| Seen {
                track: TrackId(0),
                number,
                begin_utc_ns: 0,
            };
            (0..10)
                .filter(|number| sieve.judge(block(*number), 0) == Judged::Taken)
                .collect()
        };
        assert_eq!(taken(&sieve), [2, 5, 6, 7]);
        catalog.tagged.unset(TrackId(0), &done, 0..10);
        sieve.look(&catalog, None);
        assert_eq!(taken(&sieve), [2, 5, 6, 7], "nobody has said that they changed");
        assert!(sieve.tags_changed());
        sieve.look(&catalog, None);
        assert_eq!(taken(&sieve), [2, 3, 4, 5, 6, 7]);
        sieve.look(&catalog, Some(&done));
        assert!(sieve.ends_at_mark() && taken(&sieve).is_empty(), "there is no such mark");
    }
}
