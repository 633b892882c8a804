//! One execution of a job: its id, what it is to bring over, what it has brought, and how it ended.
//!
//! Not the link (`session.rs`), not the records of earlier runs (`history.rs`).
//!
//! Invariant: a run has one id at both ends, whatever links it goes through.

use alloc::format;
use alloc::string::ToString;
use hal::{Moment, Uuid};

use super::job::Stats;
use super::session::Full;
use super::sieve::Sieve;
use crate::Name;
use crate::archive::creation::refusal;
use crate::control::types::{Bounds, JobPlan, Period, Refusal, RefusalCode, RunRecord, RunResult};
use crate::journal::Code;

/// What was asked of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Order {
    /// Of which time, if not that of the job.
    pub period: Option<Period>,
    /// Where to end before everything is over there.
    pub bounds: Bounds,
    /// Everything that both ends should have is compared.
    pub full: bool,
    /// And nothing is sent.
    pub dry_run: bool,
}

impl Order {
    /// Why it cannot be.
    pub fn check(&self) -> Result<(), Refusal> {
        if let Some(period) = &self.period {
            period.check()?;
        }
        if self.bounds.blocks == Some(0) || self.bounds.below == Some(0) {
            let sentence = "A run that ends before its first block brings nothing over.";
            return Err(refusal(RefusalCode::Usage, sentence, "Choose a higher bound, or none."));
        }
        if self.dry_run && (!self.full || self.bounds != Bounds::default()) {
            let sentence = "Only a full run, without bounds, can be one that only looks.";
            return Err(refusal(
                RefusalCode::Usage,
                sentence,
                "blockhaul job run NAME --full --dry-run",
            ));
        }
        if let Some(code) = self.bounds.event.as_ref().filter(|code| Code::named(code).is_none()) {
            let sentence = format!("There is no event code {code}.");
            return Err(refusal(RefusalCode::Usage, sentence, "The codes are in docs/operations.md."));
        }
        Ok(())
    }
}

/// A run that is on, or the last one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Run {
    /// Runs of this job since the daemon started, this one included.
    pub number: u64,
    /// Which; none before the first.
    pub id: Option<Uuid>,
    /// Whether it is on.
    pub on: bool,
    /// How it ended.
    pub result: Option<RunResult>,
    /// What it takes.
    pub sieve: Sieve,
    /// Where it ends.
    pub bounds: Bounds,
    /// Blocks sent, as its bound counts them.
    pub sent_blocks: u64,
    /// Blocks that were missing there when the first tips were known.
    pub total_blocks: Option<u64>,
    /// It only looks: nothing leaves.
    pub dry_run: bool,
    /// If it is a full one, how far it has come.
    pub full: Option<Full>,
    /// People and the other end were told that it began.
    pub said: bool,
    begun_utc_ns: i64,
    ended_utc_ns: i64,
    before: Counts,
}

/// What a job had done when the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Counts {
    blocks: u64,
    bytes: u64,
    duplicates: u64,
    gaps: u64,
    connections: u64,
}

impl Counts {
    fn of(stats: &Stats) -> Counts {
        Counts {
            blocks: stats.blocks,
            bytes: stats.bytes,
            duplicates: stats.duplicates,
            gaps: stats.gaps,
            connections: stats.connections,
        }
    }
}

impl Run {
    /// The next one, beginning now.
    pub fn begin(&self, id: Uuid, plan: &JobPlan, order: &Order, stats: &Stats, now: Moment) -> Run {
        let period = order.period.as_ref().unwrap_or(&plan.period);
        Run {
            number: self.number + 1,
            id: Some(id),
            on: true,
            sieve: Sieve::new(plan, period, now.utc_ns),
            bounds: order.bounds.clone(),
            dry_run: order.dry_run,
            begun_utc_ns: now.utc_ns,
            before: Counts::of(stats),
            ..Run::default()
        }
    }

    /// It is over.
    pub fn end(&mut self, result: RunResult, now: Moment) {
        self.on = false;
        self.result = Some(result);
        self.ended_utc_ns = now.utc_ns;
    }

    /// Whether it ends before what is durable below that log sequence is over there.
    pub fn is_cut(&self, durable: u64) -> bool {
        self.bounds.below.is_some_and(|below| below < durable) || self.sieve.ends_at_mark()
    }

    /// Blocks that it may still send.
    pub fn blocks_left(&self) -> u64 {
        if self.dry_run {
            return 0;
        }
        self.bounds
            .blocks
            .map_or(u64::MAX, |most| most.saturating_sub(self.sent_blocks))
    }

    /// Blocks that it has brought there.
    pub fn blocks(&self, stats: &Stats) -> u64 {
        stats.blocks - self.before.blocks
    }

    /// Whether anything was moved or stated.
    pub fn has_moved(&self, stats: &Stats) -> bool {
        stats.blocks > self.before.blocks || stats.gaps > self.before.gaps
    }

    /// For the history.
    pub fn record(&self, job: &Name, to: &str, stats: &Stats) -> Option<RunRecord> {
        let before = &self.before;
        Some(RunRecord {
            run: self.id?,
            of: job.clone(),
            to: to.to_string(),
            incoming: false,
            begun_utc_ns: self.begun_utc_ns,
            ended_utc_ns: self.ended_utc_ns,
            result: self.result.unwrap_or(RunResult::Running),
            blocks: stats.blocks - before.blocks,
            bytes: stats.bytes - before.bytes,
            duplicates: stats.duplicates - before.duplicates,
            gaps: stats.gaps - before.gaps,
            // The first connection of a run that goes on over an old link was made before it.
            retries: (stats.connections - before.connections).saturating_sub(1),
        })
    }
}
