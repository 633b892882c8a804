//! The settings as they would be with a change, or why they cannot be.
//!
//! Pure: nothing takes effect here.

use alloc::format;
use alloc::vec::Vec;

use super::{Change, Plan, cutover, grant_id, removal, retention, tenant};
use crate::Name;
use crate::archive::creation::refusal;
use crate::control::dispatch::check_door;
use crate::control::types::{JobMode, NicRate, Period, RecorderCreate, Refusal, RefusalCode};
use crate::haul::plan::holes_are_not_full;
use crate::limits::{NAMED_MAX, NIC_NAME_BYTES_MAX, RATES_MAX, SCRUB_RATE_MIN};
use crate::settings::{ArchiveSetting, GrantSetting, JobSetting, Settings};

pub(super) fn not_found(what: &str, name: &str) -> Refusal {
    refusal(
        RefusalCode::NotFound,
        format!("There is no {what} {name}."),
        format!("See what there is: blockhaul {what} list"),
    )
}

pub(super) fn taken(what: &str, name: &str) -> Refusal {
    refusal(
        RefusalCode::Refused,
        format!("There is a {what} {name} already."),
        "Choose another name, or remove that one first.",
    )
}

/// Removes the one that fits; says whether there was one.
fn remove<T>(list: &mut Vec<T>, fits: impl Fn(&T) -> bool) -> bool {
    let before = list.len();
    list.retain(|one| !fits(one));
    list.len() < before
}

/// Whether a rate of an interface can be.
fn check_nic(nic: &NicRate) -> Result<(), Refusal> {
    let is_word = |byte: u8| byte.is_ascii_graphic() && byte != b'/';
    if nic.name.is_empty() || nic.name.len() > NIC_NAME_BYTES_MAX || !nic.name.bytes().all(is_word) {
        let sentence = format!("{:?} is no name of a network interface.", nic.name);
        return Err(refusal(
            RefusalCode::Usage,
            sentence,
            "See what there is: blockhaul device list",
        ));
    }
    if nic.rates.len() > RATES_MAX {
        let sentence = format!("An interface has {RATES_MAX} rates at most.");
        return Err(refusal(RefusalCode::Usage, sentence, "Join some of their timetables."));
    }
    Ok(())
}

/// Refuses a job that hauls a camera from the same archive to the same archive as another.
pub(super) fn one_job(setting: &JobSetting, settings: &Settings) -> Result<(), Refusal> {
    let same = |job: &&JobSetting| job.from == setting.from && job.peer == setting.peer && job.archive == setting.archive;
    let mut others = settings.jobs.iter().filter(same).filter(|job| job.name != setting.name);
    let Some(other) = others.find(|job| job.reach.meets(&setting.reach)) else {
        return Ok(());
    };
    let sentence = format!(
        "Job {} hauls the same cameras from {} to {}/{}.",
        other.name, setting.from, setting.peer, setting.archive
    );
    let next = "Choose other cameras or another target.";
    Err(refusal(RefusalCode::Refused, sentence, next))
}

/// Refuses a job that would bring a camera to where a job from another archive brings it already, and does not only fill holes. Where only one of the two
/// archives is recorded into, the other one has its past, and both may go there.
pub(super) fn one_source(setting: &JobSetting, settings: &Settings) -> Result<(), Refusal> {
    let fills = |job: &JobSetting| matches!(job.plan.period, Period::Offline { .. });
    if fills(setting) {
        return Ok(());
    }
    let records = |archive: &Name, camera: &Name| {
        let mut recorders = settings.recorders.iter();
        recorders.any(|recorder| recorder.archive == *archive && recorder.camera == *camera)
    };
    let cameras = |job: &JobSetting| -> Vec<Name> {
        if let Some(cameras) = job.reach.cameras() {
            return cameras.to_vec();
        }
        let recorders = settings.recorders.iter().filter(|recorder| recorder.archive == job.from);
        recorders.map(|recorder| recorder.camera.clone()).collect()
    };
    let (wanted, target) = (cameras(setting), (&setting.peer, &setting.archive));
    let others = settings
        .jobs
        .iter()
        .filter(|job| (&job.peer, &job.archive) == target && job.from != setting.from && job.name != setting.name)
        .filter(|job| !fills(job));
    for other in others {
        let theirs = cameras(other);
        let both = |camera: &&Name| theirs.contains(camera) && records(&setting.from, camera) == records(&other.from, camera);
        if let Some(camera) = wanted.iter().find(both) {
            let sentence = format!(
                "Camera {camera} comes into {}/{} from archive {} by job {} already.",
                target.0, target.1, other.from, other.name
            );
            let next = "Leave the camera out, or haul to another archive: a camera comes into an archive from one source.";
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
    }
    Ok(())
}

impl Change {
    /// The settings with this change, if it can be.
    pub(in crate::control) fn apply(&self, settings: &mut Settings) -> Result<(), Refusal> {
        let archive = |settings: &Settings, name: &Name| {
            if settings.archives.iter().any(|archive| archive.name == *name) {
                Ok(())
            } else {
                Err(not_found("archive", name))
            }
        };
        // Something is to be appended to it.
        let writable = |settings: &Settings, name: &Name| {
            archive(settings, name)?;
            let is_only_read = |archive: &ArchiveSetting| archive.name == *name && archive.read_only;
            if !settings.archives.iter().any(is_only_read) {
                return Ok(());
            }
            let sentence = format!("Archive {name} is only read here.");
            let next = "Name another archive; or `blockhaul archive remove` this one, and `blockhaul archive open` it without --read-only.";
            Err(refusal(RefusalCode::Refused, sentence, next))
        };
        let peer = |settings: &Settings, name: &Name| {
            if settings.peers.iter().any(|peer| peer.name == *name) {
                Ok(())
            } else {
                Err(not_found("peer", name))
            }
        };
        let adds_to = match self {
            Change::AddRecorder(_) => settings.recorders.len(),
            Change::AddPeer(_) => settings.peers.len(),
            Change::AddGrant(..) => settings.grants.len(),
            Change::AddJob(_) => settings.jobs.len(),
            Change::AddMacro(_) => settings.macros.len(),
            Change::SetNicRate(_) => settings.nics.len(),
            Change::AddCard(_) => settings.cards.len(),
            Change::AddTenant(_) => settings.tenants.len(),
            _ => 0,
        };
        if adds_to >= NAMED_MAX {
            let sentence = format!("There are {NAMED_MAX} of that kind already.");
            return Err(refusal(RefusalCode::Refused, sentence, "Remove what is not needed."));
        }
        match self {
            Change::AddArchive(_, setting) => settings.archives.push(setting.clone()),
            Change::RemoveArchive(name) => removal::remove_archive(settings, name)?,
            Change::AddRecorder(setting) => {
                check_door(setting)?;
                writable(settings, &setting.archive)?;
                if settings.recorders.iter().any(|recorder| recorder.name == setting.name) {
                    return Err(taken("recorder", &setting.name));
                }
                let same_track = |other: &&RecorderCreate| {
                    other.archive == setting.archive && other.camera == setting.camera && other.kind == setting.kind
                };
                if let Some(other) = settings.recorders.iter().find(same_track) {
                    let sentence = format!(
                        "Camera {} is recorded into {} by recorder {} already.",
                        setting.camera, setting.archive, other.name
                    );
                    return Err(refusal(
                        RefusalCode::Refused,
                        sentence,
                        "Choose another camera, kind or archive.",
                    ));
                }
                settings.recorders.push(setting.clone());
            }
            Change::RemoveRecorder(name) => {
                if !remove(&mut settings.recorders, |recorder| recorder.name == *name) {
                    return Err(not_found("recorder", name));
                }
            }
            Change::AddPeer(setting) => {
                if settings.peers.iter().any(|peer| peer.name == setting.name) {
                    return Err(taken("peer", &setting.name));
                }
                if let Some(other) = settings.peers.iter().find(|peer| peer.key == setting.key) {
                    let sentence = format!("That key belongs to peer {} already.", other.name);
                    return Err(refusal(
                        RefusalCode::Refused,
                        sentence,
                        "Compare the fingerprint with `blockhaul identity` there.",
                    ));
                }
                settings.peers.push(setting.clone());
            }
            Change::RemovePeer(name) => {
                let user = settings
                    .jobs
                    .iter()
                    .find(|job| job.peer == *name)
                    .map(|job| format!("job {}", job.name));
                let user = user.or(settings
                    .grants
                    .iter()
                    .find(|grant| grant.peer == *name)
                    .map(|grant| format!("grant {}", grant.id)));
                if let Some(user) = user {
                    let sentence = format!("Peer {name} is used by {user}.");
                    return Err(refusal(
                        RefusalCode::Busy,
                        sentence,
                        "Delete the job or revoke the grant first.",
                    ));
                }
                if !remove(&mut settings.peers, |peer| peer.name == *name) {
                    return Err(not_found("peer", name));
                }
            }
            Change::AddGrant(call, token) => {
                peer(settings, &call.peer)?;
                writable(settings, &call.archive)?;
                tenant::are_there(settings, &call.tenants)?;
                settings.grants.push(GrantSetting {
                    id: grant_id(token),
                    peer: call.peer.clone(),
                    archive: call.archive.clone(),
                    cameras: call.cameras.clone(),
                    tenants: call.tenants.clone(),
                    token_hash: hal::Digest(*blake3::hash(token).as_bytes()),
                });
            }
            Change::RevokeGrant(id) => {
                if !remove(&mut settings.grants, |grant| grant.id == *id) {
                    return Err(not_found("grant", id));
                }
            }
            Change::AddJob(setting) => {
                archive(settings, &setting.from)?;
                peer(settings, &setting.peer)?;
                if settings.jobs.iter().any(|job| job.name == setting.name) {
                    return Err(taken("job", &setting.name));
                }
                setting.plan.check(setting.mode)?;
                holes_are_not_full(&setting.plan.period, setting.full)?;
                tenant::are_there(settings, &setting.tenants)?;
                let mut setting = setting.clone();
                setting.reach = settings.reach(&setting.cameras, &setting.tenants);
                one_job(&setting, settings)?;
                one_source(&setting, settings)?;
                settings.jobs.push(setting);
            }
            Change::EnableJob(name, enabled) => match settings.jobs.iter_mut().find(|job| job.name == *name) {
                Some(job) => job.enabled = *enabled,
                None => return Err(not_found("job", name)),
            },
            Change::SwitchJob(name, mode, plan) => {
                let job = settings.jobs.iter_mut().find(|job| job.name == *name);
                let job = job.ok_or_else(|| not_found("job", name))?;
                job.mode = mode.unwrap_or(job.mode);
                if let Some(plan) = plan {
                    job.plan = plan.clone();
                }
                if job.mode != JobMode::Schedule && plan.is_none() {
                    job.plan.schedule = None;
                }
                job.plan.check(job.mode)?;
                holes_are_not_full(&job.plan.period, job.full)?;
            }
            Change::FreezeJob(name, frozen) => match settings.jobs.iter_mut().find(|job| job.name == *name) {
                Some(job) => job.plan.frozen = *frozen,
                None => return Err(not_found("job", name)),
            },
            Change::DeleteJob(name) => {
                if let Some(rule) = settings.macros.iter().find(|rule| rule.jobs().any(|job| job == name)) {
                    let sentence = format!("Job {name} is named by the macro {}.", rule.name);
                    let next = format!("blockhaul macro remove {}", rule.name);
                    return Err(refusal(RefusalCode::Busy, sentence, next));
                }
                let job = settings.jobs.iter().find(|job| job.name == *name);
                match job {
                    None => return Err(not_found("job", name)),
                    Some(job) if job.enabled => {
                        let next = format!("blockhaul job disable {name}");
                        return Err(refusal(RefusalCode::Busy, format!("Job {name} is switched on."), next));
                    }
                    Some(job) => {
                        let counts =
                            |archive: &&ArchiveSetting| archive.name == job.from && archive.retention.jobs.contains(name);
                        if let Some(archive) = settings.archives.iter().find(counts) {
                            let sentence = format!("The retention of archive {} counts job {name}.", archive.name);
                            let next = format!("blockhaul retention set {} --guards all", archive.name);
                            return Err(refusal(RefusalCode::Busy, sentence, next));
                        }
                        settings.jobs.retain(|job| job.name != *name);
                    }
                }
            }
            Change::AddTenant(tenant) => tenant::add(settings, tenant)?,
            Change::AlterTenant(name, add, drop) => tenant::alter(settings, name, add, drop)?,
            Change::RemoveTenant(name) => tenant::remove(settings, name)?,
            Change::AddCard(setting) => {
                setting.check()?;
                writable(settings, &setting.archive)?;
                if settings.cards.iter().any(|card| card.name == setting.name) {
                    return Err(taken("card", &setting.name));
                }
                if let Some(other) = settings.cards.iter().find(|card| card.origin == setting.origin) {
                    let sentence = format!("That card is known already, as {}.", other.name);
                    let next = format!("blockhaul card remove {}", other.name);
                    return Err(refusal(RefusalCode::Refused, sentence, next));
                }
                settings.cards.push(setting.clone());
            }
            Change::RemoveCard(name) => {
                if !remove(&mut settings.cards, |card| card.name == *name) {
                    return Err(not_found("card", name));
                }
            }
            Change::AddMacro(rule) => {
                if settings.macros.iter().any(|other| other.name == rule.name) {
                    return Err(taken("macro", &rule.name));
                }
                rule.check(settings)?;
                settings.macros.push(rule.clone());
            }
            Change::RemoveMacro(name) => {
                if !remove(&mut settings.macros, |rule| rule.name == *name) {
                    return Err(not_found("macro", name));
                }
            }
            Change::EnableMacro(name, enabled) => match settings.macros.iter_mut().find(|rule| rule.name == *name) {
                Some(rule) => rule.enabled = *enabled,
                None => return Err(not_found("macro", name)),
            },
            Change::SetScrub(name, scrub) => {
                let found = settings.archives.iter_mut().find(|archive| archive.name == *name);
                let setting = found.ok_or_else(|| not_found("archive", name))?;
                if scrub.is_some_and(|scrub| scrub.rate_bytes < SCRUB_RATE_MIN) {
                    let sentence = format!("An archive is read at {} KiB a second at least.", SCRUB_RATE_MIN >> 10);
                    return Err(refusal(RefusalCode::Usage, sentence, "Give a higher --rate, or --off."));
                }
                setting.scrub = *scrub;
            }
            Change::SwitchService(on) => settings.hauling = *on,
            Change::OpenArchive(setting) => {
                let there = settings
                    .archives
                    .iter()
                    .find(|one| one.name == setting.name || one.uuid == setting.uuid);
                if let Some(there) = there {
                    return Err(taken("archive", &there.name));
                }
                settings.archives.push(setting.clone());
            }
            Change::RestoreGrant(setting) => {
                peer(settings, &setting.peer)?;
                writable(settings, &setting.archive)?;
                tenant::are_there(settings, &setting.tenants)?;
                settings.grants.push(setting.clone());
            }
            Change::Replace(document) => *settings = Plan::new(document, settings)?.settings,
            Change::SetRetention(name, retention) => retention::set(settings, name, retention)?,
            Change::SetNicRate(nic) => {
                remove(&mut settings.nics, |one| one.name == nic.name);
                check_nic(nic)?;
                if !nic.rates.is_empty() {
                    settings.nics.push(nic.clone());
                    settings.nics.sort_by(|one, other| one.name.cmp(&other.name));
                }
            }
            Change::Migrate(made, _) => {
                for step in made.steps() {
                    step.apply(settings)?;
                }
            }
            Change::CutOver(call, own, _) => cutover::cut_over(settings, &call.from, &call.to, own.as_ref())?,
            Change::GuardJob(name, guards) => match settings.jobs.iter_mut().find(|job| job.name == *name) {
                Some(job) => job.released = !guards,
                None => return Err(not_found("job", name)),
            },
            Change::LearnTarget(name, target) => {
                if let Some(job) = settings.jobs.iter_mut().find(|job| job.name == *name) {
                    job.target = *target;
                }
            }
        }
        Ok(())
    }
}
