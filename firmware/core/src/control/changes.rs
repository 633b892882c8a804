//! Changing the settings: checked (`applied.rs`), made durable, and only then in effect. One at a time.

mod applied;
mod cutover;
mod plan;
mod removal;
pub(crate) mod retention;
mod tenant;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use hal::{ClientId, IoError, Op, Uuid};

pub use cutover::Migration;
pub use plan::{Plan, base};

use super::types::{
    ConfigApplied, CutOver, GrantCreate, GrantCreated, JobMode, JobPlan, JobShown, MoveCall, NicRate, Nothing, Peer,
    RecorderCreate, RefusalCode, Retention,
};
use super::{refuse, reply};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::card::profile::CardSetting;
use crate::context::Context;
use crate::journal::Code;
use crate::limits::SETTINGS_BYTES_MAX;
use crate::macros::Macro;
use crate::purpose::Purpose;
use crate::settings::tenants::Tenant;
use crate::settings::{ArchiveSetting, GrantSetting, JobSetting, ScrubSetting, Settings};

/// Changes that wait, and the one that is being made durable.
#[derive(Clone, Debug, Default, Hash)]
pub struct Changes {
    waiting: VecDeque<(Option<ClientId>, Change)>,
    saving: Option<(Option<ClientId>, Change, Settings)>,
}

impl Changes {
    /// Whether a change has not taken effect yet.
    pub fn is_saving(&self) -> bool {
        self.saving.is_some()
    }
}

/// One change.
#[derive(Clone, Debug, Hash)]
pub enum Change {
    /// An archive that is on its volume already, with the place it will have.
    AddArchive(usize, ArchiveSetting),
    /// No archive of that name; its volume stays as it is.
    RemoveArchive(Name),
    /// A recorder.
    AddRecorder(RecorderCreate),
    /// No recorder of that name.
    RemoveRecorder(Name),
    /// A peer.
    AddPeer(Peer),
    /// No peer of that name.
    RemovePeer(Name),
    /// A grant and its token.
    AddGrant(GrantCreate, [u8; 32]),
    /// No grant of that id.
    RevokeGrant(String),
    /// A job.
    AddJob(JobSetting),
    /// A job on or off.
    EnableJob(Name, bool),
    /// Another mode or plan for a job.
    SwitchJob(Name, Option<JobMode>, Option<JobPlan>),
    /// A job that lets nothing leave, or does again.
    FreezeJob(Name, bool),
    /// No job of that name.
    DeleteJob(Name),
    /// A tenant.
    AddTenant(Tenant),
    /// More cameras, and fewer, for a tenant.
    AlterTenant(Name, Vec<Name>, Vec<Name>),
    /// No tenant of that name.
    RemoveTenant(Name),
    /// A card.
    AddCard(CardSetting),
    /// No card of that name.
    RemoveCard(Name),
    /// A macro.
    AddMacro(Macro),
    /// No macro of that name.
    RemoveMacro(Name),
    /// A macro on or off.
    EnableMacro(Name, bool),
    /// The replication service on or off.
    SwitchService(bool),
    /// An archive that is on its volume already, to be opened.
    OpenArchive(ArchiveSetting),
    /// A grant as a document has it.
    RestoreGrant(GrantSetting),
    /// All that a document says, in the place of all that is.
    Replace(alloc::boxed::Box<Settings>),
    /// How long an archive keeps its blocks.
    SetRetention(Name, Retention),
    /// A job guards its archive, or does not.
    GuardJob(Name, bool),
    /// What a job has learned of its target.
    LearnTarget(Name, Option<Uuid>),
    /// How fast jobs may send over a network interface.
    SetNicRate(NicRate),
    /// What hauling one archive here into another takes.
    Migrate(alloc::boxed::Box<Migration>, MoveCall),
    /// Recorders and jobs of one archive move to another, past the job that hauls the one into the other; and the answer.
    CutOver(MoveCall, Option<Name>, alloc::boxed::Box<CutOver>),
    /// How an archive is read for damage in the background.
    SetScrub(Name, Option<ScrubSetting>),
}

impl Change {
    /// What an operator reads later.
    fn words(&self) -> Option<String> {
        Some(match self {
            Change::AddArchive(_, archive) => format!("Archive {} was created on {}.", archive.name, archive.volume),
            Change::RemoveArchive(name) => {
                format!("Archive {name} was removed from the configuration; its volume was left as it is.")
            }
            Change::AddRecorder(recorder) => format!("Recorder {} was created.", recorder.name),
            Change::RemoveRecorder(name) => format!("Recorder {name} was removed."),
            Change::AddPeer(peer) => format!("Peer {} was added with key {}.", peer.name, peer.key),
            Change::RemovePeer(name) => format!("Peer {name} was removed."),
            Change::AddGrant(grant, token) => {
                format!(
                    "Grant {} was made for peer {} and archive {}.",
                    grant_id(token),
                    grant.peer,
                    grant.archive
                )
            }
            Change::RevokeGrant(id) => format!("Grant {id} was revoked."),
            Change::AddJob(job) => format!("Job {} was created.", job.name),
            Change::EnableJob(name, true) => format!("Job {name} was enabled."),
            Change::EnableJob(name, false) => format!("Job {name} was disabled."),
            Change::SwitchJob(name, Some(mode), _) => format!("Job {name} was switched to {}.", mode_word(*mode)),
            Change::SwitchJob(name, None, _) => format!("Job {name} has another plan."),
            Change::FreezeJob(name, true) => format!("Job {name} was frozen."),
            Change::FreezeJob(name, false) => format!("Job {name} was thawed."),
            Change::DeleteJob(name) => format!("Job {name} was deleted."),
            Change::AddTenant(tenant) => format!("Tenant {} was made.", tenant.name),
            Change::AlterTenant(name, ..) => format!("Tenant {name} has other cameras."),
            Change::RemoveTenant(name) => format!("Tenant {name} was removed."),
            Change::AddCard(card) => format!("Card {} was added: its files go to archive {}.", card.name, card.archive),
            Change::RemoveCard(name) => format!("Card {name} was removed."),
            Change::AddMacro(rule) => format!("Macro {} was made: on {}.", rule.name, rule.on),
            Change::RemoveMacro(name) => format!("Macro {name} was removed."),
            Change::EnableMacro(name, true) => format!("Macro {name} was enabled."),
            Change::EnableMacro(name, false) => format!("Macro {name} was disabled."),
            Change::SwitchService(true) => "The replication service was switched on.".into(),
            Change::SwitchService(false) => "The replication service was switched off.".into(),
            Change::OpenArchive(archive) => format!("Archive {} on {} was taken in.", archive.name, archive.volume),
            Change::RestoreGrant(grant) => format!("Grant {} was taken in.", grant.id),
            Change::Replace(_) => "The configuration was replaced by a document.".into(),
            Change::SetRetention(name, _) => format!("The retention of archive {name} was set."),
            Change::SetNicRate(nic) => format!("Jobs send over the interface {} at another rate.", nic.name),
            Change::Migrate(made, call) => format!("Archive {} is hauled into {} by job {}.", call.from, call.to, made.job.name),
            Change::CutOver(call, _, told) => format!(
                "{} recorders and {} jobs moved from archive {} to {}.",
                told.recorders.len(),
                told.jobs.len(),
                call.from,
                call.to
            ),
            Change::GuardJob(..) | Change::LearnTarget(..) => return None,
            Change::SetScrub(name, None) => format!("Archive {name} is not read for damage in the background any more."),
            Change::SetScrub(name, Some(scrub)) => format!(
                "Archive {name} is read for damage in the background, at {} KiB a second at most.",
                scrub.rate_bytes >> 10
            ),
        })
    }
}

/// As it is said and written.
pub fn mode_word(mode: JobMode) -> &'static str {
    match mode {
        JobMode::Always => "always",
        JobMode::OnDemand => "on-demand",
        JobMode::Schedule => "schedule",
    }
}

/// Public name of a grant: the first bytes of the hash of its token.
fn grant_id(token: &[u8; 32]) -> String {
    let hash = blake3::hash(token);
    let hex = hash.to_hex();
    String::from(&hex[..12])
}

impl Parts {
    /// Takes a change in. It is answered when it is in effect, or refused.
    pub fn change(&mut self, client: Option<ClientId>, change: Change, context: &mut Context) {
        self.changes.waiting.push_back((client, change));
        self.next_change(context);
    }

    fn next_change(&mut self, context: &mut Context) {
        while self.changes.saving.is_none() {
            let Some((client, change)) = self.changes.waiting.pop_front() else {
                return;
            };
            let mut settings = self.settings.clone();
            let applied = change.apply(&mut settings).and_then(|()| {
                let document = settings.document();
                if document.len() <= SETTINGS_BYTES_MAX {
                    return Ok(document);
                }
                let sentence = format!("The settings would be larger than {} KiB.", SETTINGS_BYTES_MAX >> 10);
                Err(refusal(RefusalCode::Refused, sentence, "Remove what is not needed."))
            });
            match applied {
                Err(refusal) => {
                    if let Some(client) = client {
                        refuse(client, &refusal, context);
                    }
                }
                Ok(document) => {
                    let tag = context.tag(Purpose::Settings);
                    context.submit(Op::SaveSettings { tag, document });
                    self.changes.saving = Some((client, change, settings));
                }
            }
        }
    }

    /// The settings are durable, or not.
    pub fn on_saved(&mut self, result: Result<(), IoError>, context: &mut Context) {
        let Some((client, change, settings)) = self.changes.saving.take() else {
            return;
        };
        match result {
            Ok(()) => {
                let before = core::mem::replace(&mut self.settings, settings);
                if let Some(words) = change.words() {
                    match &change {
                        Change::AddArchive(_, archive) => context.say(Code::ArchiveCreated, archive.name.as_str(), words),
                        _ => context.say(Code::Configured, "settings", words),
                    }
                }
                match change {
                    Change::Replace(document) => self.replace(client, &document, &before, context),
                    change => self.take_effect(client, change, context),
                }
            }
            Err(error) => {
                if let Some(client) = client {
                    let sentence = format!("The settings could not be kept ({error}); nothing was changed.");
                    refuse(
                        client,
                        &refusal(
                            RefusalCode::Failed,
                            sentence,
                            "See to the state folder: room, permissions, device.",
                        ),
                        context,
                    );
                }
            }
        }
        self.next_change(context);
    }

    fn take_effect(&mut self, client: Option<ClientId>, change: Change, context: &mut Context) {
        let done = |context: &mut Context| {
            if let Some(client) = client {
                reply(client, &Nothing {}, false, context);
            }
        };
        match change {
            Change::AddArchive(index, setting) => {
                self.open_archive(index, &setting, context);
                self.keep(index, context);
                if let Some(client) = client {
                    self.wait_for_archive(client, index, context);
                }
            }
            Change::RemoveArchive(name) => {
                let found = self.archive_place(&name);
                if let Some(archive) = found.and_then(|index| self.archives[index].as_mut()) {
                    archive.leave(context);
                }
                done(context);
            }
            Change::AddRecorder(setting) => {
                self.open_recorder(&setting, context);
                if let Some(client) = client {
                    self.wait_for_recorder(client, setting.name, context);
                }
            }
            Change::RemoveRecorder(name) => {
                let found = self.recorders.values_mut().find(|recorder| recorder.name == name);
                if let Some(recorder) = found
                    && let Some(archive) = &mut self.archives[recorder.archive]
                {
                    recorder.close(archive, context);
                    let index = recorder.index;
                    context.wake(crate::context::Ready::Recorder(index));
                }
                done(context);
            }
            Change::AddPeer(_) => {
                self.trust_keys(context);
                done(context);
            }
            Change::RemovePeer(_) => {
                self.trust_keys(context);
                done(context);
            }
            Change::AddGrant(_, token) => {
                let created = GrantCreated {
                    id: grant_id(&token),
                    token: alloc::string::ToString::to_string(&hal::Digest(token)),
                };
                if let Some(client) = client {
                    reply(client, &created, false, context);
                }
            }
            Change::RevokeGrant(id) => {
                let users = self
                    .incoming
                    .values_mut()
                    .filter(|link| link.grant.as_ref().is_some_and(|grant| grant.id == id));
                for link in users {
                    link.hang_up(context);
                }
                done(context);
            }
            Change::AddJob(setting) => {
                let name = setting.name;
                let setting = self.settings.jobs.iter().find(|job| job.name == name).cloned();
                if let Some(setting) = setting {
                    self.add_job(setting, context);
                }
                if let (Some(client), Some(job)) = (client, self.job_status(&name, context.now)) {
                    reply(client, &JobShown { job }, false, context);
                }
            }
            Change::EnableJob(name, enabled) => {
                if let Some(job) = self.job_place(&name).and_then(|index| self.jobs[index].as_mut()) {
                    job.enable(enabled, context);
                }
                done(context);
            }
            Change::SwitchJob(name, ..) | Change::FreezeJob(name, _) => {
                let setting = self.settings.jobs.iter().find(|job| job.name == name).cloned();
                if let (Some(setting), Some(index)) = (setting, self.job_place(&name))
                    && let Some(job) = &mut self.jobs[index]
                {
                    job.switch(setting.mode, setting.plan, context);
                }
                if let (Some(client), Some(job)) = (client, self.job_status(&name, context.now)) {
                    reply(client, &JobShown { job }, false, context);
                }
            }
            Change::DeleteJob(name) => {
                // Its link is down already, or going down: the place stays for what is still in flight.
                if let Some(index) = self.job_place(&name) {
                    self.forget_job(index, context);
                }
                done(context);
            }
            Change::SetScrub(name, _) => {
                if let Some(index) = self.archive_place(&name) {
                    context.wake(crate::context::Ready::Scrub(index));
                }
                done(context);
            }
            Change::SwitchService(on) => {
                self.switch_service(on, context);
                done(context);
            }
            Change::AddTenant(_) | Change::AlterTenant(..) | Change::RemoveTenant(_) => {
                self.tenants_changed(context);
                done(context);
            }
            Change::AddCard(setting) => {
                self.add_card(setting, context);
                self.find_cards(context);
                done(context);
            }
            Change::RemoveCard(name) => {
                self.remove_card(&name, context);
                done(context);
            }
            Change::AddMacro(_) | Change::RemoveMacro(_) | Change::EnableMacro(..) => done(context),
            Change::OpenArchive(setting) => {
                let index = self.archives.len();
                self.archives.push(None);
                self.open_archive(index, &setting, context);
                self.keep(index, context);
                if let Some(client) = client {
                    self.wait_for_archive(client, index, context);
                }
            }
            Change::SetNicRate(_) => {
                self.set_nic_rates(context);
                done(context);
            }
            Change::Migrate(made, call) => {
                for step in made.steps() {
                    self.take_effect(None, step, context);
                }
                if let Some(client) = client {
                    self.tell_migrated(client, &call, context);
                }
            }
            Change::CutOver(call, _, told) => {
                self.move_over(&call, context);
                if let Some(client) = client {
                    reply(client, &*told, false, context);
                }
            }
            Change::RestoreGrant(_) | Change::LearnTarget(..) => {}
            Change::Replace(_) => unreachable!("a document takes effect by its steps"),
            Change::SetRetention(name, _) => {
                self.retention_changed(&name, context);
                if let Some(client) = client {
                    self.show_retention(client, &name, context);
                }
            }
            Change::GuardJob(name, guards) => self.guard_changed(client, &name, guards, context),
        }
    }

    /// A document is durable: its steps take effect, one right after the other.
    fn replace(&mut self, client: Option<ClientId>, document: &Settings, before: &Settings, context: &mut Context) {
        let Ok(plan) = Plan::new(document, before) else { return };
        for step in plan.steps {
            self.take_effect(None, step, context);
        }
        if let Some(client) = client {
            let answer = ConfigApplied {
                applied: true,
                differences: plan.differences,
                notes: plan.notes,
                base: base(before),
            };
            reply(client, &answer, false, context);
        }
    }

    /// The settings of a first start: as if somebody applied the document.
    pub fn adopt(&mut self, document: &[u8], context: &mut Context) -> Result<(), String> {
        let settings = Settings::parse(document)?;
        Plan::new(&settings, &self.settings).map_err(|refusal| refusal.sentence)?;
        self.change(None, Change::Replace(alloc::boxed::Box::new(settings)), context);
        Ok(())
    }

    /// The rates of interfaces are as the settings say.
    pub fn set_nic_rates(&mut self, context: &mut Context) {
        context.shared.nics.set(&self.settings.nics);
        for job in self.live_jobs() {
            context.wake(crate::context::Ready::Job(job.index));
        }
    }

    /// A job has learned which archive its target is.
    pub fn keep_target(&mut self, name: Name, target: Option<Uuid>, context: &mut Context) {
        self.change(None, Change::LearnTarget(name, target), context);
    }
}
