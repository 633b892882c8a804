//! Calls that are answered later: when a run ends, an archive is open, something is durable, an event happens.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::{ClientId, DeviceFacts, Instant, NicFacts, Span, VolumeId};

use super::noting::mark_info;
use super::types::{
    ArchiveInfo, Call, Devices, EventRecord, Exported, MarkShown, Nothing, RefusalCode, RunResult, RunStarted, ScrubInfo,
    TrackInfo, VolumeState, WaitFor,
};
use super::{Control, Reading, export, refuse, reply, verify};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::{Creation, Made, refusal};
use crate::archive::taking::Taking;
use crate::archive::{Archive, Phase, TrackId};
use crate::context::{Context, Ready};
use crate::control::changes::Change;
use crate::control::types::Refusal;
use crate::format::{NO_HASH, Superblock};
use crate::settings::{ArchiveSetting, ScrubSetting};

/// Time between two states that one caller of `Status` is sent.
const STATUS_EVERY: core::time::Duration = core::time::Duration::from_secs(1);

/// One call that waits.
#[derive(Clone, Debug, Hash)]
pub(super) struct Waiter {
    pub client: ClientId,
    pub what: What,
    pub until: Option<Instant>,
}

/// What it waits for.
#[derive(Clone, Debug, Hash)]
pub(super) enum What {
    /// An archive that is being opened, and what to ask of it then.
    Opened { archive: usize, call: Box<Call> },
    /// An archive that was just made.
    ArchiveOpen(usize),
    /// The door of a recorder that was just made.
    RecorderOpen(Name),
    /// The end of a run.
    Run { job: Name, run: u64, joined: bool },
    /// A state of a job.
    Job { job: Name, wait_for: WaitFor },
    /// Events from that number on.
    Events { since: u64 },
    /// The next state.
    Status { sent_at: Instant },
    /// Everything that a mark names.
    Mark { archive: usize, name: Name },
}

impl Parts {
    pub(super) fn wait(&mut self, client: ClientId, what: What, until: Option<Instant>, context: &mut Context) {
        self.control.waiters.push(Waiter { client, what, until });
        context.wake(Ready::Waiting);
    }

    pub(super) fn wait_for_archive(&mut self, client: ClientId, index: usize, context: &mut Context) {
        self.wait(client, What::ArchiveOpen(index), None, context);
    }

    pub(super) fn wait_for_recorder(&mut self, client: ClientId, name: Name, context: &mut Context) {
        self.wait(client, What::RecorderOpen(name), None, context);
    }

    /// Answers whoever has got what he waited for.
    pub fn decide_waiting(&mut self, context: &mut Context) {
        let waiters = core::mem::take(&mut self.control.waiters);
        let mut still: Vec<Waiter> = Vec::new();
        for mut waiter in waiters {
            if self.answer_waiter(&mut waiter, context) {
                continue;
            }
            if waiter.until.is_some_and(|until| until <= context.now.at) {
                let next = "It goes on; wait again, or look at `blockhaul status`.";
                let sentence = match &waiter.what {
                    What::Run { job, .. } => format!("The time given for the run of job {job} was over first."),
                    What::Job { job, .. } => format!("The time given to wait for job {job} was over first."),
                    What::Mark { archive, name } => self.mark_sentence(*archive, name),
                    What::Opened { archive, .. } => {
                        let opening = self.archives[*archive]
                            .as_ref()
                            .map(|archive| (&archive.name, archive.state().1));
                        opening.map_or_else(String::new, |(name, why)| format!("Archive {name} is not open yet: {why}."))
                    }
                    _ => "The time given was over first.".to_string(),
                };
                refuse(waiter.client, &refusal(RefusalCode::TimedOut, sentence, next), context);
                continue;
            }
            still.push(waiter);
        }
        let due = |waiter: &Waiter| match waiter.what {
            What::Status { sent_at } => Some(sent_at + STATUS_EVERY),
            _ => waiter.until,
        };
        let next = still.iter().filter_map(due).min();
        still.append(&mut self.control.waiters);
        self.control.waiters = still;
        let stop = self.stop_due().filter(|due| *due > context.now.at);
        context.ask_at(Ready::Waiting, [next, stop].into_iter().flatten().min());
    }

    /// What there is of a mark that was waited for.
    fn mark_sentence(&self, archive: usize, name: &Name) -> alloc::string::String {
        let Some(archive) = self.archives[archive].as_ref() else {
            return "The time given was over first.".to_string();
        };
        let (mark, here) = (archive.catalog.marks.named(name), &archive.name);
        match mark.map(|mark| mark_info(mark, archive)) {
            None => format!("Mark {name} had not come to archive {here} when the time given was over."),
            Some(mark) => format!(
                "Archive {here} awaited {} of {} blocks of mark {name} when the time given was over.",
                mark.awaited, mark.blocks
            ),
        }
    }

    pub(super) fn scrub_setting(&self, name: &Name) -> Option<ScrubSetting> {
        let setting = self.settings.archives.iter().find(|archive| archive.name == *name);
        setting.and_then(|setting| setting.scrub)
    }

    /// True if the waiter is done with.
    fn answer_waiter(&mut self, waiter: &mut Waiter, context: &mut Context) -> bool {
        let client = waiter.client;
        match &mut waiter.what {
            What::Opened { archive, call } => {
                if self.archives[*archive].as_ref().is_some_and(Archive::is_opening) {
                    return false;
                }
                let call = (**call).clone();
                self.answer_call(client, call, context);
            }
            What::ArchiveOpen(index) => match self.archives[*index].as_ref() {
                Some(archive) if matches!(archive.phase, Phase::Opening(_)) => return false,
                Some(archive) if archive.gives() => {
                    let info = archive_info(archive, self.scrub_setting(&archive.name));
                    reply(client, &info, false, context);
                }
                Some(archive) => {
                    let (_, why, action) = archive.state();
                    let sentence = format!("Archive {} is in the configuration now, but {why}.", archive.name);
                    refuse(client, &refusal(RefusalCode::Failed, sentence, action), context);
                }
                None => {
                    let sentence = "The archive is in the configuration now, and cannot be opened: the block memory is used up.";
                    refuse(
                        client,
                        &refusal(RefusalCode::Failed, sentence, "Restart the daemon with more --memory."),
                        context,
                    );
                }
            },
            What::RecorderOpen(name) => match self.recorders.values().find(|recorder| recorder.name == *name) {
                Some(recorder) if !recorder.is_settled() => return false,
                Some(recorder) if !recorder.why().is_empty() => {
                    let sentence = format!("Recorder {name} was made, and {}.", recorder.why());
                    let next = format!(
                        "Remove it (blockhaul recorder remove {name}) and choose a path that is free, in a folder that is there."
                    );
                    refuse(client, &refusal(RefusalCode::Failed, sentence, next), context);
                }
                Some(_) => reply(client, &Nothing {}, false, context),
                None => {
                    let sentence = format!("Recorder {name} is gone again.");
                    refuse(
                        client,
                        &refusal(RefusalCode::NotFound, sentence, "blockhaul recorder list"),
                        context,
                    );
                }
            },
            What::Run { job, run, joined } => {
                let Some(found) = self.job_place(job).and_then(|index| self.jobs[index].as_ref()) else {
                    refuse(
                        client,
                        &refusal(RefusalCode::NotFound, format!("Job {job} is gone."), "blockhaul job list"),
                        context,
                    );
                    return true;
                };
                let (last, ended) = found.last_run();
                if found.is_running() && last == *run && !found.is_caught_up() {
                    return false;
                }
                let result = ended.filter(|_| last == *run).unwrap_or(RunResult::Completed);
                let started = RunStarted {
                    run: *run,
                    joined: *joined,
                    result: Some(result),
                    full: found.full_run().filter(|_| last == *run),
                };
                reply(client, &started, false, context);
            }
            What::Job { job, wait_for } => {
                let Some(found) = self.job_place(job).and_then(|index| self.jobs[index].as_ref()) else {
                    refuse(
                        client,
                        &refusal(RefusalCode::NotFound, format!("Job {job} is gone."), "blockhaul job list"),
                        context,
                    );
                    return true;
                };
                let reached = match wait_for {
                    WaitFor::CaughtUp => found.is_caught_up(),
                    WaitFor::Idle => !found.is_running() || found.is_caught_up(),
                    WaitFor::Failed => found.has_failed(self.archives[found.archive].as_ref(), context.now),
                };
                if !reached {
                    return false;
                }
                reply(client, &Nothing {}, false, context);
            }
            What::Mark { archive, name } => {
                let found = self.archives[*archive].as_ref();
                let found = found.and_then(|archive| Some((archive.catalog.marks.named(name)?, archive)));
                let Some((mark, archive)) = found else { return false };
                let mark = mark_info(mark, archive);
                if mark.awaited > 0 {
                    return false;
                }
                reply(client, &MarkShown { mark }, false, context);
            }
            What::Events { since } => {
                let new: Vec<EventRecord> = context.shared.journal.since(*since).cloned().collect();
                *since = context.shared.journal.next();
                for record in new {
                    reply(client, &record, true, context);
                }
                return false;
            }
            What::Status { sent_at } => {
                if context.now.at.since(*sent_at) < STATUS_EVERY {
                    return false;
                }
                *sent_at = context.now.at;
                let status = self.status(context);
                reply(client, &status, true, context);
                return false;
            }
        }
        true
    }

    /// A creation goes on; when it has ended its caller is told, or the archive is opened.
    pub fn on_creation(
        &mut self,
        index: usize,
        context: &mut Context,
        go_on: impl FnOnce(&mut Creation, &mut Context) -> Option<Result<Made, Refusal>>,
    ) {
        let Some((mut creation, client)) = self.creations.remove(&index) else {
            return;
        };
        match go_on(&mut creation, context) {
            None => {
                self.creations.insert(index, (creation, client));
            }
            Some(Err(refusal)) => refuse(client, &refusal, context),
            Some(Ok(Made::DryRun(superblock))) => {
                let sentence = format!("Nothing was written. It would be {}.", Creation::words(&superblock));
                let answer =
                    serde_json::json!({ "plan": sentence, "slots": superblock.slots, "block_bytes": superblock.block_bytes });
                reply(client, &answer, false, context);
            }
            Some(Ok(Made::Archive(superblock))) => {
                let call = creation.call;
                let setting = ArchiveSetting::new(call.name, superblock.archive, call.volume, false);
                self.change(Some(client), Change::AddArchive(index, setting), context);
            }
        }
    }

    /// The look at a volume goes on; when it has ended its caller is told, or the archive on it is opened.
    pub fn on_taking(
        &mut self,
        volume: VolumeId,
        context: &mut Context,
        go_on: impl FnOnce(&mut Taking, &mut Context) -> Option<Result<Superblock, Refusal>>,
    ) {
        let Some((mut taking, client)) = self.takings.remove(&volume) else {
            return;
        };
        match go_on(&mut taking, context) {
            None => {
                self.takings.insert(volume, (taking, client));
            }
            Some(Err(refusal)) => refuse(client, &refusal, context),
            Some(Ok(superblock)) if taking.call.uuid.is_some_and(|uuid| uuid != superblock.archive) => {
                let sentence = format!(
                    "{} holds archive {}, which was made as {}. Nothing was written to it.",
                    taking.call.volume, superblock.archive, superblock.label
                );
                let next = "Name another volume, or the identity that is on this one.";
                refuse(client, &refusal(RefusalCode::Refused, sentence, next), context);
            }
            Some(Ok(superblock)) => {
                let call = taking.call;
                let setting = ArchiveSetting::new(call.name, superblock.archive, call.volume, call.read_only);
                self.change(Some(client), Change::OpenArchive(setting), context);
            }
        }
    }

    /// A reading call goes on.
    pub fn decide_reading(&mut self, client: ClientId, context: &mut Context) {
        let Some(mut reading) = self.control.readings.remove(&client) else {
            return;
        };
        let place = match &reading {
            Reading::Verify { verify, .. } => verify.archive,
            Reading::Export(export) => export.archive,
            Reading::Merged(merged) => merged.archive,
            Reading::Survey { survey, .. } => survey.archive,
            Reading::Compare { compare, .. } => compare.archive(),
            Reading::Restore { restore, .. } => restore.archive,
        };
        if let Some(archive) = self.archives[place].as_ref().filter(|archive| !archive.gives()) {
            let (_, why, action) = archive.state();
            let sentence = format!("Archive {} can no longer be read: {why}.", archive.name);
            refuse(client, &refusal(RefusalCode::Failed, sentence, action), context);
            self.control.readings.insert(client, reading);
            self.control.retire(client, context);
            return;
        }
        let done = match &mut reading {
            Reading::Verify { verify, more } => {
                let Some(archive) = self.archives[verify.archive].as_mut() else {
                    return;
                };
                match verify.poll(archive, context) {
                    verify::Progress::On => false,
                    verify::Progress::Report => {
                        if *more {
                            reply(client, &verify.verified, true, context);
                        }
                        false
                    }
                    verify::Progress::Done => {
                        let found = &verify.verified;
                        let at = archive.log.durable.min(verify.position());
                        archive.verify_ended(-1, at, found.total, found.damaged_count, context);
                        reply(client, &verify.verified, false, context);
                        true
                    }
                }
            }
            Reading::Export(export) => {
                let Some(archive) = self.archives[export.archive].as_mut() else {
                    return;
                };
                // The first answer must leave before the first chunk; `poll` submits chunks.
                let (begun, ops_before) = (export.has_begun(), context.ops.len());
                let progress = export.poll(archive, context);
                if !begun && export.has_begun() {
                    answer_first(client, ops_before, context);
                }
                go_on_exporting(client, progress, &export.exported, context)
            }
            Reading::Merged(merged) => {
                let Some(archive) = self.archives[merged.archive].as_mut() else {
                    return;
                };
                let (begun, ops_before) = (merged.has_begun(), context.ops.len());
                let progress = merged.poll(archive, context);
                if !begun && merged.has_begun() {
                    answer_first(client, ops_before, context);
                }
                go_on_exporting(client, progress, &merged.exported, context)
            }
            Reading::Survey { survey, ask } => self.go_on_surveying(client, survey, ask, context),
            Reading::Compare { compare, more } => self.go_on_comparing(client, compare, *more, context),
            Reading::Restore { restore, more } => self.go_on_restoring(client, restore, *more, context),
        };
        self.control.readings.insert(client, reading);
        if done {
            self.control.retire(client, context);
        }
    }

    /// A chunk has left, or the client is gone.
    pub fn on_delivered(&mut self, client: ClientId, lent: (u32, u32), well: bool, context: &mut Context) {
        if lent.1 > 0 {
            context.give(Span {
                offset_bytes: lent.0,
                length_bytes: lent.1,
            });
        }
        let chunks = match self.control.readings.get_mut(&client) {
            Some(Reading::Export(export)) => Some(&mut export.chunks),
            Some(Reading::Merged(merged)) => Some(&mut merged.chunks),
            Some(_) | None => None,
        };
        if let Some(chunks) = chunks {
            chunks.sending -= 1;
            if well {
                context.wake(Ready::Reading(client));
            } else {
                self.control.retire(client, context);
            }
        }
    }

    /// A control client is gone: nothing is read or waited for on its behalf.
    pub fn on_client_gone(&mut self, client: ClientId, context: &mut Context) {
        self.control.retire(client, context);
        self.on_drainer_gone(client, context);
        self.cards.stop_checks_of(client);
        self.macros.looked_up.remove(&client);
        self.control.waiters.retain(|waiter| waiter.client != client);
        self.drop_questions(client);
        self.control.notings.remove(&client);
    }

    pub(super) fn read_for(control: &mut Control, client: ClientId, reading: Reading, context: &mut Context) {
        control.readings.insert(client, reading);
        context.wake(Ready::Reading(client));
    }

    pub(crate) fn answer_devices(
        &mut self,
        client: ClientId,
        disks: Vec<DeviceFacts>,
        nics: Vec<NicFacts>,
        context: &mut Context,
    ) {
        let rates = self.settings.nics.clone();
        reply(client, &Devices { disks, nics, rates }, false, context);
    }

    /// A recorder has come to its end; a control client's is answered.
    pub fn finish_recorder(&mut self, index: usize, context: &mut Context) {
        let Some(recorder) = self.recorders.get(&index) else { return };
        if let crate::recorder::Door::Client(client) = recorder.door {
            let (recorded, lost) = recorder.recorded();
            if recorder.why().is_empty() && !lost {
                reply(client, &recorded, false, context);
            } else {
                let sentence = match recorder.why() {
                    "" => format!(
                        "{} blocks ({} bytes) are durable; {} bytes were dropped because the archive did not take them.",
                        recorded.blocks, recorded.bytes, recorded.dropped_bytes
                    ),
                    why => format!("Nothing was recorded: {why}."),
                };
                let next = "See why: blockhaul status, blockhaul events.";
                refuse(client, &refusal(RefusalCode::Failed, sentence, next), context);
            }
            self.forget_recorder(index, context);
        } else if recorder.is_closing() || !self.settings.recorders.iter().any(|setting| setting.name == recorder.name) {
            self.forget_recorder(index, context);
        }
    }
}

/// Puts the first answer of an export in front of the chunks that were submitted since.
fn answer_first(client: ClientId, ops_before: usize, context: &mut Context) {
    let chunks = context.ops.split_off(ops_before);
    reply(client, &Nothing {}, false, context);
    context.ops.extend(chunks);
}

/// Answers an export that has come to its end. True if it has.
fn go_on_exporting(client: ClientId, progress: export::Progress, exported: &Exported, context: &mut Context) -> bool {
    match progress {
        export::Progress::On => return false,
        export::Progress::Done => reply(client, exported, false, context),
        export::Progress::Refused(why) => refuse(client, &why, context),
        export::Progress::Nothing => {
            let sentence = "There are no blocks in that range.";
            let next = "See what there is: blockhaul archive info, blockhaul gaps.";
            refuse(client, &refusal(RefusalCode::NotFound, sentence, next), context);
        }
    }
    true
}

/// Everything about an archive, and how it is read for damage.
pub(super) fn archive_info(archive: &Archive, scrub: Option<ScrubSetting>) -> ArchiveInfo {
    let state = &archive.catalog.scrub;
    let tracks = archive.catalog.tracks().iter().zip(0..).map(|(track, place)| TrackInfo {
        origin: track.tip.key.origin,
        camera: track.tip.key.camera.clone(),
        kind: track.tip.key.kind,
        next: track.durable_next,
        tip: (track.durable_hash != NO_HASH).then_some(track.durable_hash),
        last_utc_ns: track.tip.last_utc_ns,
        back_filled: archive.catalog.filled(TrackId(place)),
    });
    let offline = archive.state().0 == VolumeState::Offline;
    ArchiveInfo {
        archive: archive.status(),
        volume: archive.facts.clone().filter(|_| !offline),
        tracks: tracks.collect(),
        scrub: ScrubInfo {
            rate_bytes: scrub.map(|scrub| scrub.rate_bytes),
            pause_ms: scrub.map_or(0, |scrub| scrub.pause_ms),
            ended_utc_ns: state.ended_utc_ns,
            ended_blocks: state.ended_blocks,
            ended_damaged: state.ended_damaged,
            began_utc_ns: state.began_utc_ns,
            position: state.position,
            damaged: state.damaged,
        },
    }
}
