//! Who is asked after an event, and what the appliance does with what a part has decided.
//!
//! Not here: what a part decides, and which event concerns whom (`appliance.rs`).
//!
//! Invariant: this ends; a part that has nothing to do does not wake itself.

use super::*;
use crate::control::types::RunResult;

impl Parts {
    /// Whatever may now happen.
    pub(super) fn decide(&mut self, context: &mut Context) {
        loop {
            while let Some(part) = context.shared.timers.due(context.now.at) {
                context.wake(part);
            }
            if context.shared.pool.take_freed() {
                while let Some(part) = context.shared.starved.take() {
                    context.wake(part);
                }
            }
            let Some(part) = context.shared.ready.take() else {
                if self.end_runs_at_events(context) {
                    continue;
                }
                break;
            };
            match part {
                Ready::Archive(index) => self.decide_archive(index, context),
                Ready::Recorder(index) => self.decide_recorder(index, context),
                Ready::Job(index) => self.decide_job(index, context),
                Ready::Incoming(link) => self.decide_incoming(link, context),
                Ready::Reading(client) => self.decide_reading(client, context),
                Ready::Keeper(id) => self.decide_keeper(id, context),
                Ready::Scrub(index) => self.decide_scrub(index, context),
                Ready::Waiting => self.decide_waiting(context),
                Ready::Silence => self.look_for_silence(context),
                Ready::Again => self.read_again(context),
                Ready::Macros => self.decide_macros(context),
                Ready::Card(index) => self.decide_card(index, context),
            }
        }
        self.mind_silence(context);
        self.go_on_draining(context);
        self.go_on_stopping(context);
    }

    /// Ends runs that were to end at an event. True if one did.
    fn end_runs_at_events(&mut self, context: &mut Context) -> bool {
        let since = core::mem::replace(&mut self.events_seen, context.shared.journal.next());
        if since == self.events_seen {
            return false;
        }
        let codes: Vec<String> = context.shared.journal.since(since).map(|event| event.code.clone()).collect();
        let mut ended = false;
        for job in self.jobs.iter_mut().flatten() {
            if codes.iter().any(|code| job.ends_at(code)) {
                job.end_run(RunResult::Partial, context);
                ended = true;
            }
        }
        ended
    }

    fn decide_archive(&mut self, index: usize, context: &mut Context) {
        let Some(mut archive) = self.archives[index].take() else {
            return;
        };
        let durable = archive.log.durable;
        archive.pump(context);
        archive.look_at_suspects(context);
        let settled = core::mem::take(&mut archive.settled);
        let mut gaps: Vec<TrackKey> = Vec::new();
        let mut tags_changed = false;
        for entry in &settled {
            match &entry.what {
                SettledWhat::Record(Record::Gap { key, .. }) => gaps.push(key.clone()),
                SettledWhat::Record(Record::Tag { .. }) => tags_changed = true,
                SettledWhat::Record(_) | SettledWhat::Block { .. } => {}
            }
            match (entry.owner, &entry.what) {
                (Owner::Recorder(recorder), SettledWhat::Block { payload_bytes, .. }) => {
                    if let Some(recorder) = self.recorders.get_mut(&recorder) {
                        recorder.on_settled(*payload_bytes, entry.durable, context);
                    }
                }
                (Owner::Recorder(_), SettledWhat::Record(_)) | (Owner::Archive, _) => {}
                (Owner::Card(card), what) => self.cards.on_settled(card, what, entry.durable, context),
                (Owner::Client(client), _) => self.on_noted(client, &archive, entry.durable, context),
                (Owner::Link(link), what) => {
                    if let Some(incoming) = self.incoming.get_mut(&link) {
                        incoming.on_settled(what, entry.durable, &archive, context);
                    }
                }
            }
        }
        context.ask_at(Ready::Archive(index), archive.deadline());
        let moved = !settled.is_empty() || archive.log.durable != durable || archive.is_changed();
        if moved {
            context.wake(Ready::Keeper(index));
            // Only those who read or feed this archive.
            for reader in self.readers.get(&index).into_iter().flatten() {
                let Some(job) = &mut self.jobs[*reader] else { continue };
                for key in &gaps {
                    job.suspect(key, &archive);
                }
                if tags_changed {
                    job.tags_changed(context);
                }
                context.wake(Ready::Job(job.index));
            }
            if tags_changed && let Some(keeper) = self.keepers.get_mut(&index) {
                keeper.policy_changed();
                if archive.is_protecting() {
                    archive.hold_everything();
                }
            }
            for recorder in &self.waiting_recorders {
                context.wake(Ready::Recorder(*recorder));
            }
            self.cards.wake_those_of(index, context);
            for incoming in self.incoming.values().filter(|incoming| incoming.waits_for(index)) {
                context.wake(Ready::Incoming(incoming.link));
            }
            context.wake(Ready::Waiting);
        }
        self.archives[index] = Some(archive);
    }

    fn decide_recorder(&mut self, index: usize, context: &mut Context) {
        let Some(recorder) = self.recorders.get_mut(&index) else {
            return;
        };
        if let Some(archive) = &self.archives[recorder.archive] {
            recorder.poll(archive, context);
        }
        if recorder.is_waiting() {
            self.waiting_recorders.insert(index);
        } else {
            self.waiting_recorders.remove(&index);
        }
        if recorder.is_finished() {
            self.finish_recorder(index, context);
        }
    }

    /// Forgets a recorder that has come to its end.
    pub fn forget_recorder(&mut self, index: usize, context: &mut Context) {
        self.waiting_recorders.remove(&index);
        if let Some(recorder) = self.recorders.remove(&index) {
            self.feeds.remove(&recorder.feed());
            context.ask_at(Ready::Recorder(index), None);
            self.reopen_doors(context);
        }
    }

    fn decide_job(&mut self, index: usize, context: &mut Context) {
        let Some(mut job) = self.jobs[index].take() else { return };
        if let Some(archive) = &mut self.archives[job.archive] {
            let next_link = &mut self.next_link;
            let links = &mut self.links;
            let mut new_link = || {
                let link = LinkId(*next_link);
                *next_link += 2;
                links.insert(link, index);
                link
            };
            job.poll(archive, &mut new_link, context);
        }
        if job.guard.take_moved() {
            if job.guard.went_back {
                self.guards_changed(job.archive, context);
            }
            context.wake(Ready::Keeper(job.archive));
        }
        if core::mem::take(&mut job.learned) {
            self.keep_target(job.setting.name.clone(), job.setting.target, context);
        }
        self.jobs[index] = Some(job);
    }

    fn decide_incoming(&mut self, link: LinkId, context: &mut Context) {
        let Some(mut incoming) = self.incoming.remove(&link) else {
            return;
        };
        let archive = incoming
            .grant
            .as_ref()
            .map(|grant| grant.archive)
            .and_then(|index| self.archives[index].as_mut());
        incoming.poll(archive, context);
        self.incoming.insert(link, incoming);
    }
}
