//! When a job runs: somebody says so, its schedule does, or it is always on; and how a run ends.
//!
//! Invariants: at most one run of a job is on; each begins and ends once, and both ends know it by one id.

use super::*;
use crate::control::types::FullRun;

impl Job {
    /// Begins a run, or joins the one that is on, whose order stays, but that it becomes full. Returns its number and whether it was
    /// joined.
    pub fn run(&mut self, order: &Order, context: &mut Context) -> (u64, bool) {
        let joined = self.run.on;
        let is_comparing = self.is_comparing();
        if !joined {
            self.begin_run(order, context);
        } else if order.full && !is_comparing {
            // A run that is on becomes full.
            self.run.full = Some(Full::new(order.dry_run));
            if let Link::Live(session) = &mut self.link {
                session.caught_up = false;
            }
        }
        context.wake(Ready::Job(self.index));
        (self.run.number, joined)
    }

    fn begin_run(&mut self, order: &Order, context: &mut Context) {
        let id = context.shared.entropy.uuid();
        self.run = self.run.begin(id, &self.setting.plan, order, &self.stats, context.now);
        self.run.full = (order.full || self.setting.full).then(|| Full::new(order.dry_run));
        self.run_begun_at = context.now.at;
        self.trouble = None;
        self.moved_at = context.now.at;
        if let Link::Waiting(_) = self.link {
            self.link = Link::None;
        }
        // A schedule may begin many runs that find nothing to do: these are not told.
        if self.setting.mode != JobMode::Schedule {
            self.tell_run(context);
        }
    }

    /// Tells people that the run has begun, once.
    pub(super) fn tell_run(&mut self, context: &mut Context) {
        if core::mem::replace(&mut self.run.said, true) {
            return;
        }
        let name = self.setting.name.clone();
        if let Some(record) = self.run.record(&name, &self.to(), &self.stats) {
            let sentence = format!("Run {} of job {name} has begun.", self.run.number);
            context.say_run(record, Code::RunStarted, &name, sentence);
        }
    }

    /// The run is over: both ends are told, and the link goes.
    pub fn end_run(&mut self, result: RunResult, context: &mut Context) {
        if !self.run.on {
            return;
        }
        self.run.end(result, context.now);
        if let Link::Live(session) = &mut self.link {
            session.send(&Message::Ended { result }, None, context);
        }
        if self.run.said || result != RunResult::Completed {
            let name = self.setting.name.clone();
            if let Some(record) = self.run.record(&name, &self.to(), &self.stats) {
                let sentence = format!(
                    "Run {} of job {name} has ended: {}, {} blocks.",
                    self.run.number,
                    result_word(result),
                    record.blocks
                );
                context.say_run(record, Code::RunCompleted, &name, sentence);
            }
        }
        self.hang_up(context);
        context.wake(Ready::Job(self.index));
        context.wake(Ready::Waiting);
    }

    /// Begins a run if it is time. If not, it asks to be asked then.
    pub(super) fn begin_if_due(&mut self, context: &mut Context) {
        if !self.setting.enabled || self.run.on || self.held || self.deleted {
            return;
        }
        match self.setting.mode {
            JobMode::OnDemand => {}
            JobMode::Always => self.begin_run(&Order::default(), context),
            JobMode::Schedule => {
                let due = self.due(context.now);
                if due <= Some(context.now.at) && due.is_some() {
                    self.next_utc_ns = None;
                    self.begin_run(&Order::default(), context);
                } else {
                    // A clock that is set meanwhile changes what is due.
                    let look = context.now.at + CLOCK_LOOK;
                    context.ask_at(Ready::Job(self.index), Some(due.map_or(look, |due| due.min(look))));
                }
            }
        }
    }

    /// When the next run of a schedule begins; none if nobody knows, for want of a clock.
    fn due(&mut self, now: Moment) -> Option<Instant> {
        let schedule = self.setting.plan.schedule.as_ref()?;
        if let Some(every_ms) = schedule.every_ms {
            // The first at once, later ones counted from the beginning of the one before.
            let every = core::time::Duration::from_millis(every_ms);
            return Some(self.run.id.map_or(now.at, |_| self.run_begun_at + every));
        }
        let cron = schedule.cron.as_ref()?;
        if now.quality == hal::ClockQuality::Unset {
            return None;
        }
        let next = cron.next_after(now.utc_ns);
        // A clock that was put back makes the next time an earlier one; a time that has come stays due.
        self.next_utc_ns = match (self.next_utc_ns, next) {
            (Some(known), Some(next)) => Some(known.min(next)),
            (known, next) => known.or(next),
        };
        let left_ns = self.next_utc_ns?.saturating_sub(now.utc_ns).max(0);
        Some(now.at + core::time::Duration::from_nanos(left_ns.unsigned_abs()))
    }

    /// When the next run begins by itself, by the wall clock.
    pub(super) fn next_run_utc_ns(&self, now: Moment) -> Option<i64> {
        if self.run.on || !self.setting.enabled || self.setting.mode != JobMode::Schedule {
            return None;
        }
        match self.setting.plan.schedule.as_ref()?.every_ms {
            Some(every_ms) => {
                let at = self.run_begun_at + core::time::Duration::from_millis(every_ms);
                Some(now.utc_ns.saturating_add(i64::try_from(at.since(now.at).as_nanos()).ok()?))
            }
            None => self.next_utc_ns,
        }
    }

    /// Switches on or off. Off ends the run and closes the link.
    pub fn enable(&mut self, enabled: bool, context: &mut Context) {
        self.setting.enabled = enabled;
        self.trouble = None;
        if !enabled {
            self.end_run(RunResult::Aborted, context);
            self.hang_up(context);
        }
        context.wake(Ready::Job(self.index));
    }

    /// Another mode or plan from now on. A run that is on goes on: always on, or to its end.
    pub fn switch(&mut self, mode: JobMode, plan: JobPlan, context: &mut Context) {
        let other_blocks = plan.filter != self.setting.plan.filter || plan.period != self.setting.plan.period;
        if mode == JobMode::Always {
            self.run.bounds = Bounds::default();
        }
        self.setting.mode = mode;
        self.setting.plan = plan;
        self.next_utc_ns = None;
        if other_blocks {
            // Tracks are opened anew with what is wanted now.
            self.run.sieve = Sieve::new(&self.setting.plan, &self.setting.plan.period, context.now.utc_ns);
            self.attempts = 0;
            self.hang_up(context);
        } else {
            self.run.sieve.change(&self.setting.plan);
        }
        context.wake(Ready::Job(self.index));
    }

    /// It reaches other cameras: its tracks are opened anew.
    pub fn reach(&mut self, reach: crate::settings::tenants::Reach, context: &mut Context) {
        self.setting.reach = reach;
        self.attempts = 0;
        self.hang_up(context);
        context.wake(Ready::Job(self.index));
    }

    /// What is held because it is too young leaves now.
    pub fn release_held(&mut self, context: &mut Context) {
        self.run.sieve.release(context.now.utc_ns);
        context.wake(Ready::Job(self.index));
    }

    /// Whether a full run is on and not through.
    pub fn is_comparing(&self) -> bool {
        self.run.on && self.run.full.is_some_and(|full| !full.done)
    }

    /// The comparison of the run that is on, or of the last one.
    pub fn full_run(&self) -> Option<FullRun> {
        let full = self.run.full?;
        let (at, total) = full.progress();
        Some(FullRun {
            at,
            total,
            compared: full.compared,
            sent: full.sent,
            lost: full.lost,
            dry_run: full.dry_run,
            lacking: full.lacking,
            done: full.done,
        })
    }

    /// Whether the run that is on, or was the last, takes only what falls into holes.
    pub fn fills_holes(&self) -> bool {
        self.run.sieve.holes().is_some()
    }

    /// Whether a run is on.
    pub fn is_running(&self) -> bool {
        self.run.on
    }

    /// Whether its run ends when an event of that code is said.
    pub fn ends_at(&self, code: &str) -> bool {
        self.run.on && self.run.bounds.event.as_deref() == Some(code)
    }

    /// Number of the run that is on or was the last, and how it ended.
    pub fn last_run(&self) -> (u64, Option<RunResult>) {
        (self.run.number, self.run.result)
    }

    /// The record of the run that is on, as it is now.
    pub fn run_record(&self) -> Option<RunRecord> {
        let told = self.run.on && self.run.said;
        self.run.record(&self.setting.name, &self.to(), &self.stats).filter(|_| told)
    }

    /// Whether everything durable here was durable there when last looked.
    pub fn is_caught_up(&self) -> bool {
        matches!(&self.link, Link::Live(session) if session.caught_up)
            || (!self.run.on && self.run.result == Some(RunResult::Completed))
    }

    /// Where it hauls to, in words.
    pub(super) fn to(&self) -> String {
        format!("{}/{}", self.setting.peer, self.setting.archive)
    }
}

/// As it is said and written.
pub fn result_word(result: RunResult) -> &'static str {
    match result {
        RunResult::Running => "running",
        RunResult::Completed => "completed",
        RunResult::Partial => "partial",
        RunResult::Aborted => "aborted",
        RunResult::Unknown => "unknown",
    }
}
