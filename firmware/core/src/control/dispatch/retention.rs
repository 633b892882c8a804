//! `io.blockhaul.Retention`, and what a job guards.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{ClientId, Moment, Role};

use super::{Done, no_such, no_such_method, one_at_a_time, parse};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::Archive;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::changes::{Change, retention};
use crate::control::types::{
    Call, GuardCount, GuardStatus, JobRelease, JobReleased, Period, RefusalCode, Retention, RetentionSet, RetentionShow,
    RetentionShown,
};
use crate::control::{refuse, reply};
use crate::haul::job::Job;
use crate::journal::Code;
use crate::retention::keeper::{Keeper, Question};

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[("Show", Role::Read), ("Set", Role::Admin)];

impl Parts {
    pub(super) fn call_retention(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Show" => {
                let show: RetentionShow = parse(call)?;
                self.archive_named(&show.archive)
                    .ok_or_else(|| no_such("archive", &show.archive))?;
                self.show_retention(client, &show.archive, context);
            }
            "Set" => {
                let set: RetentionSet = parse(call)?;
                if set.dry_run {
                    self.try_retention(client, set, context)?;
                } else {
                    self.change(Some(client), Change::SetRetention(set.archive, set.retention), context);
                }
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }

    fn try_retention(&mut self, client: ClientId, set: RetentionSet, context: &mut Context) -> Done {
        if self.has_asked(client) {
            return Err(one_at_a_time());
        }
        retention::check(&self.settings, &set.archive, &set.retention)?;
        let index = self.giving(&set.archive)?.index;
        let policy = set.retention;
        let client = Some(client);
        self.ask_keeper(index, Question { client, policy }, context);
        Ok(())
    }

    /// Answers what a policy would free.
    pub(crate) fn answer_question(&mut self, question: &Question, keeper: &Keeper, context: &mut Context) {
        let (Some(archive), Some(client)) = (self.archives[keeper.archive].as_ref(), question.client) else {
            return;
        };
        let shown = self.shown(archive, question.policy.clone(), keeper, context.now);
        reply(client, &shown, false, context);
    }

    /// Answers with the retention of an archive as it is.
    pub(in crate::control) fn show_retention(&mut self, client: ClientId, name: &Name, context: &mut Context) {
        let known = self
            .archive_named(name)
            .and_then(|archive| Some((archive, self.keeper(archive.index)?)));
        match known {
            Some((archive, keeper)) => {
                let shown = self.shown(archive, self.retention_of(name), keeper, context.now);
                reply(client, &shown, false, context);
            }
            None => {
                let sentence = format!("Archive {name} is not open.");
                let next = "Look at it: blockhaul archive list";
                refuse(client, &refusal(RefusalCode::Busy, sentence, next), context);
            }
        }
    }

    fn shown(&self, archive: &Archive, policy: Retention, keeper: &Keeper, now: Moment) -> RetentionShown {
        let blocks = keeper.verdict.below.saturating_sub(archive.oldest());
        RetentionShown {
            archive: archive.name.clone(),
            oldest: archive.oldest(),
            release_mark: keeper.verdict.release_mark,
            blocks,
            bytes: blocks * u64::from(archive.superblock.block_bytes),
            freed_blocks: self.keeper(archive.index).map_or(0, |keeper| keeper.freed_blocks),
            next: keeper.verdict.next.clone(),
            notes: self.removal_notes(archive, &policy),
            guards: self
                .guards_of(archive)
                .map(|job| guard_status(job, archive, &policy, keeper, now))
                .collect(),
            retention: policy,
        }
    }

    /// Blocks that a job leaves out count as done: people are told.
    fn removal_notes(&self, archive: &Archive, policy: &Retention) -> Vec<String> {
        let counts = |job: &&Job| policy.count == GuardCount::All || policy.jobs.contains(&job.setting.name);
        let leaves_out = |job: &&Job| job.setting.plan.filter.thins() || job.setting.plan.period != Period::Everything;
        let jobs = self.guards_of(archive).filter(|_| policy.remove_after_success);
        let notes = jobs.filter(counts).filter(leaves_out).map(|job| {
            format!(
                "Job {} leaves blocks out by its filter or period. Those before a block that it takes count as done: they are removed \
                 here and are not at its target.",
                job.setting.name
            )
        });
        notes.collect()
    }

    fn guards_of(&self, archive: &Archive) -> impl Iterator<Item = &Job> {
        let index = archive.index;
        self.live_jobs().filter(move |job| job.archive == index && job.is_guard())
    }

    /// Who holds how much of every archive.
    pub(in crate::control) fn guards(&self, now: Moment) -> Vec<GuardStatus> {
        let mut all = Vec::new();
        for archive in self.archives.iter().flatten().filter(|archive| archive.gives()) {
            if let Some(keeper) = self.keeper(archive.index) {
                let policy = self.retention_of(&archive.name);
                all.extend(
                    self.guards_of(archive)
                        .map(|job| guard_status(job, archive, &policy, keeper, now)),
                );
            }
        }
        all
    }

    fn guard_of(&self, name: &Name, now: Moment) -> Option<GuardStatus> {
        let job = self.live_jobs().find(|job| job.setting.name == *name)?;
        let archive = self.archives.get(job.archive)?.as_ref()?;
        let keeper = self.keeper(archive.index)?;
        Some(guard_status(job, archive, &self.retention_of(&archive.name), keeper, now))
    }

    pub(super) fn release_job(&mut self, client: ClientId, call: &JobRelease, context: &mut Context) -> Done {
        let guard = self
            .guard_of(&call.name, context.now)
            .ok_or_else(|| no_such("job", &call.name))?;
        let released = self.settings.jobs.iter().any(|job| job.name == call.name && job.released);
        if released {
            let sentence = format!("Job {} guards nothing: it was released before.", call.name);
            let next = format!("blockhaul job guard {}", call.name);
            return Err(refusal(RefusalCode::Busy, sentence, next).into());
        }
        if call.dry_run {
            reply(client, &JobReleased { guard, done: false }, false, context);
        } else {
            self.change(Some(client), Change::GuardJob(call.name.clone(), false), context);
        }
        Ok(())
    }

    /// A job guards its archive from now on, or does not.
    pub(in crate::control) fn guard_changed(
        &mut self,
        client: Option<ClientId>,
        name: &Name,
        guards: bool,
        context: &mut Context,
    ) {
        let Some(index) = self.job_place(name) else { return };
        let Some(job) = &mut self.jobs[index] else { return };
        job.setting.released = !guards;
        let archive = job.archive;
        let Some(guard) = self.guard_of(name, context.now) else {
            return;
        };
        let sentence = if guards {
            format!("Job {name} guards archive {} again, from its oldest block on.", guard.archive)
        } else {
            format!(
                "Job {name} was released: {} blocks of archive {} ({} MiB) that are not known to be at its target may be freed.",
                guard.blocks,
                guard.archive,
                guard.bytes >> 20
            )
        };
        context.say(Code::GuardReleased, name, sentence);
        self.guards_changed(archive, context);
        if let Some(client) = client {
            reply(client, &JobReleased { guard, done: true }, false, context);
        }
    }
}

fn guard_status(job: &Job, archive: &Archive, policy: &Retention, keeper: &Keeper, now: Moment) -> GuardStatus {
    let blocks = job.guarded_blocks(archive);
    let (state, why, _) = job.state(Some(archive), now);
    let known = keeper.guarded(job.index).and_then(|(_, oldest)| oldest);
    GuardStatus {
        archive: archive.name.clone(),
        job: job.setting.name.clone(),
        counts: policy.count == GuardCount::All || policy.jobs.contains(&job.setting.name),
        blocks,
        bytes: blocks * u64::from(archive.superblock.block_bytes),
        oldest_utc_ns: known.filter(|_| blocks > 0),
        since_utc_ns: job.setting.created_utc_ns,
        state,
        why: match (blocks, why.is_empty()) {
            (0, _) => String::new(),
            (_, false) => why,
            (_, true) => "they are on their way".to_string(),
        },
    }
}
