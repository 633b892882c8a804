//! Stopping: in good order, at once, or drained.
//!
//! In good order: doors and links first, then what was accepted becomes durable, then the machine. At once: the machine, as a
//! power cut would, but told. Drained: when the named jobs have caught up the doors are closed, and when they have caught up with
//! that too, the appliance stops in good order; if the time is over first, it goes on as before.

use alloc::collections::BTreeSet;

use super::*;
use crate::Name;
use crate::control::types::RefusalCode;
use crate::haul::run::Order;

/// An appliance that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stopping {
    /// Over by then.
    pub until: Instant,
    /// Nothing is waited for.
    at_once: bool,
}

/// An appliance that stops when jobs have caught up.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Draining {
    client: ClientId,
    jobs: Vec<Name>,
    until: Instant,
    /// The doors are closed.
    closed: bool,
    /// What was recorded last is durable here, and the jobs have been told to fetch it.
    last_run: bool,
}

impl Parts {
    /// Closes every door and link; what was accepted still becomes durable.
    pub fn begin_stop(&mut self, context: &mut Context) {
        if self.stopping.is_some() {
            return;
        }
        let until = context.now.at + STOP_WITHIN;
        self.stopping = Some(Stopping { until, at_once: false });
        context.ask_at(Ready::Waiting, Some(until));
        self.close_doors(context);
        for job in self.jobs.iter_mut().flatten() {
            job.enable(false, context);
        }
        for incoming in self.incoming.values_mut() {
            incoming.hang_up(context);
        }
        self.cards.wake_all(context);
        self.cards.stop_checks();
        context.say(Code::Stopped, "appliance", "The appliance stops in good order.".to_string());
    }

    /// Ends as a power cut would: what is acknowledged is durable, what is not is lost.
    pub fn stop_at_once(&mut self, context: &mut Context) {
        self.stopping = Some(Stopping {
            until: context.now.at,
            at_once: true,
        });
        context.say(Code::Stopped, "appliance", "The appliance stops at once.".to_string());
    }

    fn close_doors(&mut self, context: &mut Context) {
        for recorder in self.recorders.values_mut().filter(|recorder| !recorder.is_closing()) {
            if let Some(archive) = &mut self.archives[recorder.archive] {
                recorder.close(archive, context);
            }
        }
    }

    /// Opens the doors of the settings that nobody has open.
    pub fn reopen_doors(&mut self, context: &mut Context) {
        if self.stopping.is_some() || self.draining.as_ref().is_some_and(|draining| draining.closed) {
            return;
        }
        let open: BTreeSet<Name> = self.recorders.values().map(|recorder| recorder.name.clone()).collect();
        let missing = self.settings.recorders.iter().filter(|setting| !open.contains(&setting.name));
        for setting in missing.cloned().collect::<Vec<_>>() {
            self.open_recorder(&setting, context);
        }
    }

    /// Whether it stops.
    pub fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether there is a drained stop under way.
    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    /// Begins a drained stop.
    pub fn begin_drain(&mut self, client: ClientId, jobs: Vec<Name>, until: Instant, context: &mut Context) {
        self.draining = Some(Draining {
            client,
            jobs,
            until,
            closed: false,
            last_run: false,
        });
        self.run_drained(context);
        context.wake(Ready::Waiting);
    }

    /// Runs the jobs of a drained stop that are not running.
    fn run_drained(&mut self, context: &mut Context) {
        let names = self.draining.as_ref().map_or(Vec::new(), |draining| draining.jobs.clone());
        for job in self.jobs.iter_mut().flatten() {
            if !job.deleted && job.setting.enabled && names.contains(&job.setting.name) {
                job.run(&Order::default(), context);
            }
        }
    }

    pub(super) fn go_on_draining(&mut self, context: &mut Context) {
        let Some(draining) = &self.draining else { return };
        let left: Vec<&Job> = self
            .live_jobs()
            .filter(|job| draining.jobs.contains(&job.setting.name) && !job.is_caught_up())
            .collect();
        if self.stopping.is_some() {
            self.end_drain("Somebody stopped it meanwhile.".to_string(), context);
        } else if context.now.at >= draining.until {
            let words = left.iter().map(|job| {
                let archive = self.archives[job.archive].as_ref();
                let status = job.status(&self.archive_name(job.archive), archive, context.now);
                format!("job {} has {} blocks left", job.setting.name, status.backlog_blocks)
            });
            let words: Vec<String> = words.collect();
            let what = if words.is_empty() {
                "what was recorded last is not durable yet".to_string()
            } else {
                words.join(", ")
            };
            self.end_drain(
                format!("The time given was over first: {what}. Nothing was stopped."),
                context,
            );
        } else if left.is_empty() {
            self.drain_further(context);
        }
    }

    /// Everything has caught up: the next step of a drained stop.
    fn drain_further(&mut self, context: &mut Context) {
        let busy = self.recorders.values().any(|recorder| !recorder.is_finished())
            || self.archives.iter().flatten().any(|archive| !archive.is_at_rest());
        let Some(draining) = &mut self.draining else { return };
        if !draining.closed {
            draining.closed = true;
            self.close_doors(context);
            context.wake(Ready::Waiting);
        } else if !busy && !draining.last_run {
            draining.last_run = true;
            self.run_drained(context);
            context.wake(Ready::Waiting);
        } else if !busy {
            let client = draining.client;
            self.draining = None;
            crate::control::answer_nothing(client, context);
            self.begin_stop(context);
        }
    }

    fn end_drain(&mut self, sentence: String, context: &mut Context) {
        if let Some(draining) = self.draining.take() {
            let next = "See `blockhaul status`; wait longer with --timeout, or stop without --drain: nothing is lost.";
            crate::control::answer_refused(draining.client, RefusalCode::TimedOut, sentence, next, context);
            self.reopen_doors(context);
        }
    }

    /// The client that asked for a drained stop is gone: the appliance goes on.
    pub fn on_drainer_gone(&mut self, client: ClientId, context: &mut Context) {
        if self.draining.as_ref().is_some_and(|draining| draining.client == client) {
            self.draining = None;
            self.reopen_doors(context);
        }
    }

    /// When a stop must be over, or a drained stop is given up.
    pub fn stop_due(&self) -> Option<Instant> {
        let stop = self.stopping.map(|stopping| stopping.until);
        stop.or(self.draining.as_ref().map(|draining| draining.until))
    }

    pub(super) fn go_on_stopping(&mut self, context: &mut Context) {
        let Some(Stopping { until, at_once }) = self.stopping else {
            return;
        };
        if self.stopped {
            return;
        }
        let busy = self.recorders.values().any(|recorder| !recorder.is_finished())
            || self.archives.iter().flatten().any(|archive| !archive.is_at_rest())
            || !self.incoming.is_empty()
            || !self.cards.are_quiet()
            || self.changes.is_saving();
        if busy && context.now.at < until {
            return;
        }
        if !busy
            && !at_once
            && self
                .archives
                .iter_mut()
                .flatten()
                .any(|archive| archive.mark_before_stop(context))
        {
            return;
        }
        self.stopped = true;
        context.submit(Op::Stop);
    }
}
