//! Whether a plan can work, before it is saved.
//!
//! Not what the plan does: `sieve.rs`, `pace.rs`, `job/running.rs`.

use alloc::format;
use alloc::string::String;

use crate::archive::creation::refusal;
use crate::control::types::{JobMode, JobPlan, Period, Refusal, RefusalCode, Schedule};
use crate::limits::{DELAY_MS_MAX, EVERY_MS_MAX, EVERY_MS_MIN, RATES_MAX, TAGS_OF_JOB_MAX};

impl JobPlan {
    /// Why it cannot be, for a job of that mode.
    pub fn check(&self, mode: JobMode) -> Result<(), Refusal> {
        let usage = |sentence: String, next: &str| Err(refusal(RefusalCode::Usage, sentence, next));
        match (mode, &self.schedule) {
            (
                JobMode::Schedule,
                Some(Schedule {
                    every_ms: Some(ms),
                    cron: None,
                }),
            ) => {
                if !(EVERY_MS_MIN..=EVERY_MS_MAX).contains(ms) {
                    let sentence = format!("A run every {ms} ms is out of range.");
                    return usage(sentence, "Choose 1s to 365 days.");
                }
            }
            (
                JobMode::Schedule,
                Some(Schedule {
                    every_ms: None,
                    cron: Some(_),
                }),
            ) => {}
            (JobMode::Schedule, _) => {
                let sentence = "A schedule is either a time between runs or a cron expression.".into();
                return usage(sentence, "Say --every 60s, or --cron '0 2 * * *' --tz Europe/Berlin.");
            }
            (JobMode::Always | JobMode::OnDemand, Some(_)) => {
                let sentence = "Only a job of the mode `schedule` has a schedule.".into();
                return usage(sentence, "Say --mode schedule, or leave --every and --cron out.");
            }
            (JobMode::Always | JobMode::OnDemand, None) => {}
        }
        if self.delay_ms > DELAY_MS_MAX {
            return usage(
                format!("A delay of {} ms is out of range.", self.delay_ms),
                "Choose 365 days at most.",
            );
        }
        if self.rates.len() > RATES_MAX {
            return usage(
                format!("A job has {RATES_MAX} rates at most."),
                "Join some of their timetables.",
            );
        }
        let filter = &self.filter;
        if let (Some(from), Some(to)) = (filter.from_utc_ns, filter.to_utc_ns)
            && from >= to
        {
            return usage("The filter's time ends before it begins.".into(), "Exchange from and to.");
        }
        if let Some(tag) = filter.has.iter().find(|tag| filter.lacks.contains(tag)) {
            return usage(
                format!("No block both has and lacks the tag {tag}."),
                "Leave one of the two out.",
            );
        }
        if let Some(tag) = self.after.tag.iter().find(|tag| self.after.untag.contains(tag)) {
            return usage(
                format!("The tag {tag} would be set and taken away."),
                "Leave one of the two out.",
            );
        }
        let tags = [&filter.has, &filter.lacks, &self.after.tag, &self.after.untag];
        if tags.iter().any(|tags| tags.len() > TAGS_OF_JOB_MAX) {
            let sentence = format!("A job names {TAGS_OF_JOB_MAX} tags at most for one purpose.");
            return usage(sentence, "Use fewer tags.");
        }
        self.period.check()?;
        if mode == JobMode::Always && self.period.ends() {
            let sentence = "A job that is always on has no time at which its period ends.".into();
            return usage(sentence, "Choose --mode on-demand or schedule, or a filter by time.");
        }
        Ok(())
    }
}

/// Longest margin of a period of holes: an hour.
const MARGIN_MS_MAX: u64 = 3_600_000;

/// Why a job or a run that fills holes cannot compare everything: what it left out is missing below the tip on purpose.
pub fn holes_are_not_full(period: &Period, full: bool) -> Result<(), Refusal> {
    if !full || !matches!(period, Period::Offline { .. }) {
        return Ok(());
    }
    let sentence = "A full run sends everything that is missing, and the period `offline` leaves out what others have.";
    Err(refusal(
        RefusalCode::Usage,
        sentence,
        "Leave --full out, or choose another period.",
    ))
}

impl Period {
    /// Why it cannot be.
    pub fn check(&self) -> Result<(), Refusal> {
        let (sentence, next) = match self {
            Period::Range { from_utc_ns, to_utc_ns } if from_utc_ns >= to_utc_ns => {
                ("The period ends before it begins.", "Exchange its two times.")
            }
            Period::Last { duration_ms: 0, .. } => ("The period has no length.", "Say how much, like `last 2h`."),
            Period::Offline { margin_ms, wait_ms } if *margin_ms > MARGIN_MS_MAX || *wait_ms > DELAY_MS_MAX => (
                "The margin or the wait of the period is out of range.",
                "Choose a margin of 1 h and a wait of 365 days at most.",
            ),
            Period::Everything
            | Period::Range { .. }
            | Period::Last { .. }
            | Period::Timetable { .. }
            | Period::Offline { .. } => return Ok(()),
        };
        Err(refusal(RefusalCode::Usage, sentence, next))
    }

    /// Whether blocks of the future cannot be in it.
    fn ends(&self) -> bool {
        matches!(self, Period::Range { .. } | Period::Last { .. })
    }
}
