//! Finds the method of a call, checks role and parameters, and does it or starts it.

mod shown;

use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;
use hal::{ClientId, Digest, Moment, Op, Role};
use serde::de::DeserializeOwned;

use super::changes::Change;
use super::export::Export;
use super::types::{
    ArchiveCreate, Archives, Call, Check, Doctor, EventsCall, ExportCall, Gap, Gaps, GapsCall, GrantCreate, GrantInfo,
    GrantRevoke, Grants, Identity, JobCreate, JobRun, JobShown, JobStatus, JobWait, Jobs, Named, Nothing, Peer, Peers,
    RecordCall, RecorderCreate, Recorders, Refusal, RefusalCode, RunStarted, Status, VolumeState,
};
use super::verify::Verify;
use super::waiting::{What, archive_info};
use super::{NOBODY, Reading, refuse, reply, varlink_error, wants_answer};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::Archive;
use crate::archive::creation::{Creation, refusal};
use crate::context::{Context, Ready};
use crate::haul::wire::PROTOCOL;
use crate::limits::{ARCHIVES_MAX, FLUSH_AFTER_MAX, FLUSH_AFTER_MIN};
use crate::purpose::Purpose;
use crate::recorder::{Door, client_name};
use crate::settings::JobSetting;

/// Interfaces and their descriptions.
const INTERFACES: [(&str, &str); 8] = [
    ("io.blockhaul", include_str!("io.blockhaul.varlink")),
    ("io.blockhaul.Appliance", include_str!("io.blockhaul.Appliance.varlink")),
    ("io.blockhaul.Archive", include_str!("io.blockhaul.Archive.varlink")),
    ("io.blockhaul.Device", include_str!("io.blockhaul.Device.varlink")),
    ("io.blockhaul.Grant", include_str!("io.blockhaul.Grant.varlink")),
    ("io.blockhaul.Job", include_str!("io.blockhaul.Job.varlink")),
    ("io.blockhaul.Peer", include_str!("io.blockhaul.Peer.varlink")),
    ("io.blockhaul.Recorder", include_str!("io.blockhaul.Recorder.varlink")),
];

/// Why a call is not done.
enum Outcome {
    /// It cannot be.
    Refused(Refusal),
    /// The parameters cannot be read.
    BadParameters(String),
}

impl From<Refusal> for Outcome {
    fn from(refusal: Refusal) -> Outcome {
        Outcome::Refused(refusal)
    }
}

type Done = Result<(), Outcome>;

/// The least role for a method; none if there is no such method.
fn role_for(method: &str) -> Option<Role> {
    Some(match method.strip_prefix("io.blockhaul.")? {
        "Appliance.Identity" | "Appliance.Status" | "Appliance.Doctor" | "Appliance.Events" => Role::Read,
        "Device.List" | "Archive.List" | "Archive.Info" | "Archive.Verify" | "Archive.Gaps" => Role::Read,
        "Recorder.List" | "Peer.List" | "Grant.List" | "Job.List" | "Job.Show" | "Job.Wait" => Role::Read,
        "Recorder.Record" | "Archive.Export" => Role::Operate,
        "Job.Run" | "Job.Enable" | "Job.Disable" | "Job.Kick" => Role::Operate,
        "Appliance.Stop" | "Archive.Create" | "Recorder.Create" | "Recorder.Remove" => Role::Admin,
        "Peer.Add" | "Peer.Remove" | "Grant.Create" | "Grant.Revoke" | "Job.Create" | "Job.Delete" => Role::Admin,
        _ => return None,
    })
}

fn parse<T: DeserializeOwned>(call: &Call) -> Result<T, Outcome> {
    let parameters = if call.parameters.is_null() {
        serde_json::json!({})
    } else {
        call.parameters.clone()
    };
    serde_json::from_value(parameters).map_err(|error| Outcome::BadParameters(error.to_string()))
}

fn no_such(what: &str, name: &Name) -> Outcome {
    let next = format!("See what there is: blockhaul {what} list");
    Outcome::Refused(refusal(RefusalCode::NotFound, format!("There is no {what} {name}."), next))
}

/// A long call of this client is on, and this is another.
fn one_at_a_time() -> Outcome {
    let sentence = "This connection has a call that is not answered yet.";
    Outcome::Refused(refusal(RefusalCode::Busy, sentence, "Open another connection."))
}

fn flush_after(ms: u64) -> Result<Duration, Outcome> {
    let time = Duration::from_millis(ms);
    if (FLUSH_AFTER_MIN..=FLUSH_AFTER_MAX).contains(&time) {
        return Ok(time);
    }
    let sentence = format!("flush-after of {ms} ms is out of range.");
    Err(Outcome::Refused(refusal(
        RefusalCode::Usage,
        sentence,
        "Choose 1 s to 300 s; 10 s suits most.",
    )))
}

impl Parts {
    /// A call has come.
    pub fn on_call(&mut self, client: ClientId, role: Role, uid: u32, message: &[u8], context: &mut Context) {
        let call: Call = match serde_json::from_slice(message) {
            Ok(call) => call,
            Err(_) => {
                return varlink_error(
                    client,
                    "InvalidParameter",
                    "parameter",
                    "the message is not a Varlink call",
                    context,
                );
            }
        };
        let mut call = call;
        let mut client = client;
        // Who hands the connection over waits for an answer.
        if call.oneway && !call.upgrade {
            if wants_answer(&call.method) {
                return;
            }
            call.more = false;
            client = NOBODY;
        }
        if call.method.starts_with("org.varlink.service.") {
            return self.on_service_call(client, &call, context);
        }
        let Some(least) = role_for(&call.method) else {
            return varlink_error(client, "MethodNotFound", "method", &call.method, context);
        };
        if role < least {
            let sentence = format!("User {uid} may not call {}.", call.method);
            let next = "Ask root, or have the user added to the operators' group of the daemon.";
            return refuse(client, &refusal(RefusalCode::Refused, sentence, next), context);
        }
        match self.do_call(client, &call, context) {
            Ok(()) => {}
            Err(Outcome::Refused(refusal)) => refuse(client, &refusal, context),
            Err(Outcome::BadParameters(why)) => {
                refuse(
                    client,
                    &refusal(
                        RefusalCode::Usage,
                        format!("{}: {why}.", call.method),
                        "See docs/control.md for its parameters.",
                    ),
                    context,
                );
            }
        }
    }

    fn on_service_call(&mut self, client: ClientId, call: &Call, context: &mut Context) {
        match call.method.as_str() {
            "org.varlink.service.GetInfo" => {
                let names: Vec<&str> = ["org.varlink.service"]
                    .into_iter()
                    .chain(INTERFACES.map(|(name, _)| name))
                    .collect();
                let info = serde_json::json!({
                    "vendor": "blockhaul", "product": "blockhaul", "version": self.version,
                    "url": "https://blockhaul.invalid", "interfaces": names
                });
                reply(client, &info, false, context);
            }
            "org.varlink.service.GetInterfaceDescription" => {
                let wanted = call
                    .parameters
                    .get("interface")
                    .and_then(|name| name.as_str())
                    .unwrap_or_default();
                match INTERFACES.iter().find(|(name, _)| *name == wanted) {
                    Some((_, description)) => reply(client, &serde_json::json!({ "description": description }), false, context),
                    None => varlink_error(client, "InterfaceNotFound", "interface", wanted, context),
                }
            }
            other => varlink_error(client, "MethodNotFound", "method", other, context),
        }
    }

    fn do_call(&mut self, client: ClientId, call: &Call, context: &mut Context) -> Done {
        let name = || parse::<Named>(call).map(|named| named.name);
        match call.method.strip_prefix("io.blockhaul.").unwrap_or_default() {
            "Appliance.Identity" => {
                let identity = Identity {
                    fingerprint: self.fingerprint,
                    version: self.version.to_string(),
                    protocol: PROTOCOL,
                    listening: self.listening.clone(),
                };
                reply(client, &identity, false, context);
            }
            "Appliance.Status" => {
                let status = self.status(context);
                reply(client, &status, call.more, context);
                if call.more {
                    self.wait(client, What::Status { sent_at: context.now.at }, None, context);
                }
            }
            "Appliance.Doctor" => {
                let doctor = self.doctor(context);
                reply(client, &doctor, false, context);
            }
            "Appliance.Events" => self.events(client, call, context)?,
            "Appliance.Stop" => {
                reply(client, &Nothing {}, false, context);
                self.begin_stop(context);
            }
            "Device.List" => {
                let tag = context.tag(Purpose::Devices(client));
                context.submit(Op::ListDevices { tag });
            }
            "Archive.Create" => self.create_archive(client, parse(call)?, context)?,
            "Archive.List" => {
                let archives = self.archives.iter().flatten().map(Archive::status).collect();
                reply(client, &Archives { archives }, false, context);
            }
            "Archive.Info" => {
                let name = name()?;
                let archive = self.archive_named(&name).ok_or_else(|| no_such("archive", &name))?;
                reply(client, &archive_info(archive), false, context);
            }
            "Archive.Verify" => self.verify(client, &name()?, call.more, context)?,
            "Archive.Export" => self.export(client, parse(call)?, context)?,
            "Archive.Gaps" => self.gaps(client, &parse(call)?, context)?,
            "Recorder.Create" => {
                let setting: RecorderCreate = parse(call)?;
                flush_after(setting.flush_after_ms)?;
                if !setting.listen.starts_with('/') || setting.listen.len() > 107 {
                    let sentence =
                        "The path of the socket is not absolute, or longer than the 107 bytes that a socket's path may have.";
                    return Err(refusal(
                        RefusalCode::Usage,
                        sentence,
                        "Choose a short absolute path, for example under /run.",
                    )
                    .into());
                }
                self.change(Some(client), Change::AddRecorder(setting), context);
            }
            "Recorder.List" => {
                let recorders = self
                    .recorders
                    .values()
                    .map(|recorder| recorder.status(&self.archive_name(recorder.archive)));
                let recorders = Recorders {
                    recorders: recorders.collect(),
                };
                reply(client, &recorders, false, context);
            }
            "Recorder.Remove" => self.change(Some(client), Change::RemoveRecorder(name()?), context),
            "Recorder.Record" => self.record_stream(client, parse(call)?, context)?,
            "Peer.Add" => {
                let peer: Peer = parse(call)?;
                if peer.key == self.fingerprint {
                    return Err(refusal(
                        RefusalCode::Usage,
                        "That is this appliance's own key.",
                        "Ask the peer: blockhaul identity",
                    )
                    .into());
                }
                self.change(Some(client), Change::AddPeer(peer), context);
            }
            "Peer.List" => reply(
                client,
                &Peers {
                    peers: self.settings.peers.clone(),
                },
                false,
                context,
            ),
            "Peer.Remove" => self.change(Some(client), Change::RemovePeer(name()?), context),
            "Grant.Create" => {
                let grant: GrantCreate = parse(call)?;
                let token = context.shared.entropy.bytes();
                self.change(Some(client), Change::AddGrant(grant, token), context);
            }
            "Grant.List" => {
                let grants = self.settings.grants.iter().map(|grant| GrantInfo {
                    id: grant.id.clone(),
                    peer: grant.peer.clone(),
                    archive: grant.archive.clone(),
                    cameras: grant.cameras.clone(),
                });
                let grants = Grants {
                    grants: grants.collect(),
                };
                reply(client, &grants, false, context);
            }
            "Grant.Revoke" => {
                let revoke: GrantRevoke = parse(call)?;
                self.change(Some(client), Change::RevokeGrant(revoke.id), context);
            }
            "Job.Create" => self.create_job(client, parse(call)?, context)?,
            "Job.List" => {
                let jobs = self.job_states(context.now);
                reply(client, &Jobs { jobs }, false, context);
            }
            "Job.Show" => {
                let name = name()?;
                let job = self.job_status(&name, context.now).ok_or_else(|| no_such("job", &name))?;
                reply(client, &JobShown { job }, false, context);
            }
            "Job.Run" => self.run_job(client, &parse(call)?, context)?,
            "Job.Wait" => {
                let wait: JobWait = parse(call)?;
                self.job_place(&wait.name).ok_or_else(|| no_such("job", &wait.name))?;
                let until = wait.timeout_ms.map(|ms| context.now.at + Duration::from_millis(ms));
                self.wait(
                    client,
                    What::Job {
                        job: wait.name,
                        wait_for: wait.wait_for,
                    },
                    until,
                    context,
                );
            }
            "Job.Enable" => self.change(Some(client), Change::EnableJob(name()?, true), context),
            "Job.Disable" => self.change(Some(client), Change::EnableJob(name()?, false), context),
            "Job.Delete" => self.change(Some(client), Change::DeleteJob(name()?), context),
            "Job.Kick" => {
                let name = name()?;
                let index = self.job_place(&name).ok_or_else(|| no_such("job", &name))?;
                if let Some(job) = &mut self.jobs[index] {
                    job.kick(context);
                }
                reply(client, &Nothing {}, false, context);
            }
            _ => return Err(Outcome::BadParameters("no such method".to_string())),
        }
        Ok(())
    }

    fn events(&mut self, client: ClientId, call: &Call, context: &mut Context) -> Done {
        let wanted: EventsCall = parse(call)?;
        if !call.more {
            let sentence = "Events are a stream.";
            return Err(refusal(RefusalCode::Usage, sentence, "Make the call with `more`.").into());
        }
        let records: Vec<_> = context.shared.journal.since(wanted.since).cloned().collect();
        let (last, first) = if wanted.follow {
            (None, &records[..])
        } else {
            records
                .split_last()
                .map_or((None, &records[..]), |(last, first)| (Some(last), first))
        };
        for record in first {
            reply(client, record, true, context);
        }
        if wanted.follow {
            let since = context.shared.journal.next();
            self.wait(client, What::Events { since }, None, context);
        } else {
            match last {
                Some(record) => reply(client, record, false, context),
                None => {
                    let sentence = format!("There is no event with number {} or a higher one.", wanted.since);
                    return Err(refusal(RefusalCode::NotFound, sentence, "Leave --since out to see all.").into());
                }
            }
        }
        Ok(())
    }

    fn create_archive(&mut self, client: ClientId, call: ArchiveCreate, context: &mut Context) -> Done {
        let being_made = self.creations.values().any(|(creation, _)| creation.call.name == call.name);
        if being_made || self.settings.archives.iter().any(|archive| archive.name == call.name) {
            let sentence = format!("There is an archive {} already.", call.name);
            return Err(refusal(RefusalCode::Refused, sentence, "Choose another name.").into());
        }
        if let Some(other) = self.settings.archives.iter().find(|archive| archive.volume == call.volume) {
            let sentence = format!("{} is the volume of archive {}.", call.volume, other.name);
            return Err(refusal(RefusalCode::Busy, sentence, "Choose another volume.").into());
        }
        if self.settings.archives.len() + self.creations.len() >= ARCHIVES_MAX {
            let sentence = format!("An appliance has {ARCHIVES_MAX} archives at most.");
            return Err(refusal(RefusalCode::Refused, sentence, "Use another appliance.").into());
        }
        let index = self.archives.len();
        let volume = self.new_volume();
        let creation = Creation::start(index, call, volume, context)?;
        self.archives.push(None);
        self.creations.insert(index, (creation, client));
        Ok(())
    }

    fn verify(&mut self, client: ClientId, name: &Name, more: bool, context: &mut Context) -> Done {
        if self.control.readings.contains_key(&client) {
            return Err(one_at_a_time());
        }
        let archive = self.archive_named(name).ok_or_else(|| no_such("archive", name))?;
        if !archive.gives() {
            let (_, why, action) = archive.state();
            return Err(refusal(RefusalCode::Busy, format!("Archive {name} cannot be read: {why}."), action).into());
        }
        let verify = Box::new(Verify::start(client, archive, context.now.at));
        Parts::read_for(&mut self.control, client, Reading::Verify { verify, more }, context);
        Ok(())
    }

    fn export(&mut self, client: ClientId, call: ExportCall, context: &mut Context) -> Done {
        if self.control.readings.contains_key(&client) {
            return Err(one_at_a_time());
        }
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        if !archive.gives() {
            let (_, why, action) = archive.state();
            return Err(refusal(
                RefusalCode::Busy,
                format!("Archive {} cannot be read: {why}.", call.archive),
                action,
            )
            .into());
        }
        let keys = archive.catalog.tracks().iter().map(|track| &track.tip.key);
        let mut fitting = keys.filter(|key| {
            key.camera == call.camera && key.kind == call.kind && call.origin.is_none_or(|origin| key.origin == origin)
        });
        let Some(key) = fitting.next() else {
            let sentence = format!("Archive {} has no {} of camera {}.", call.archive, call.kind, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        };
        if let Some(other) = fitting.next() {
            let sentence = format!(
                "Camera {} was recorded by several archives: {} and {}.",
                call.camera, key.origin, other.origin
            );
            return Err(refusal(RefusalCode::Usage, sentence, "Name one with --origin.").into());
        }
        let Some(track) = archive.catalog.find(key) else {
            return Ok(());
        };
        let Some(export) = Export::start(client, call, track, archive, context) else {
            let sentence = "The block memory is used up at the moment.";
            return Err(refusal(RefusalCode::Busy, sentence, "Try again.").into());
        };
        Parts::read_for(&mut self.control, client, Reading::Export(Box::new(export)), context);
        Ok(())
    }

    fn gaps(&mut self, client: ClientId, call: &GapsCall, context: &mut Context) -> Done {
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        if !archive
            .catalog
            .tracks()
            .iter()
            .any(|track| track.tip.key.camera == call.camera)
        {
            let sentence = format!("Archive {} has no camera {}.", call.archive, call.camera);
            let next = format!("See its tracks: blockhaul archive info {}", call.archive);
            return Err(refusal(RefusalCode::NotFound, sentence, next).into());
        }
        let of_camera = archive.catalog.gaps().filter_map(|(id, gap)| {
            let key = &archive.catalog.track(id).tip.key;
            (key.camera == call.camera).then_some(Gap {
                origin: key.origin,
                kind: key.kind,
                from: gap.from,
                to: gap.to,
                reason: gap.reason,
            })
        });
        let mut gaps: Vec<Gap> = of_camera.collect();
        gaps.sort_by_key(|gap| (gap.origin, gap.kind, gap.from));
        reply(client, &Gaps { gaps }, false, context);
        Ok(())
    }

    fn record_stream(&mut self, client: ClientId, call: RecordCall, context: &mut Context) -> Done {
        let time = flush_after(call.flush_after_ms)?;
        let archive = self
            .archive_named(&call.archive)
            .ok_or_else(|| no_such("archive", &call.archive))?;
        if !archive.takes() || archive.is_full() {
            let (_, why, action) = archive.state();
            return Err(refusal(
                RefusalCode::Busy,
                format!("Archive {} takes no blocks: {why}.", call.archive),
                action,
            )
            .into());
        }
        let index = archive.index;
        let same_track = |archive: usize, camera: &Name, kind| archive == index && *camera == call.camera && kind == call.kind;
        if let Some(other) = self
            .recorders
            .values()
            .find(|other| same_track(other.archive, &other.camera, other.kind))
        {
            let sentence = format!(
                "Camera {} is being recorded into {} by recorder {}.",
                call.camera, call.archive, other.name
            );
            return Err(refusal(
                RefusalCode::Busy,
                sentence,
                "Choose another camera or kind, or remove that recorder.",
            )
            .into());
        }
        let name = client_name(client).unwrap_or_else(|| call.camera.clone());
        self.new_recorder(name, index, (call.camera, call.kind), Door::Client(client), time, context);
        Ok(())
    }

    fn create_job(&mut self, client: ClientId, call: JobCreate, context: &mut Context) -> Done {
        let token: Digest = call.token.trim().parse().map_err(|_| {
            Outcome::Refused(refusal(
                RefusalCode::Usage,
                "The token is not 64 hexadecimal digits.",
                "Use the token that `blockhaul grant create` printed on the target.",
            ))
        })?;
        let made = || format!("{}-to-{}-{}", call.from, call.peer, call.archive);
        let shortened: String = made().chars().take(crate::NAME_BYTES_MAX).collect();
        let name = match &call.name {
            Some(name) => name.clone(),
            None => shortened.parse().unwrap_or_else(|_| call.from.clone()),
        };
        let setting = JobSetting {
            name,
            from: call.from,
            peer: call.peer,
            archive: call.archive,
            cameras: call.cameras,
            mode: call.mode,
            token,
            enabled: true,
            target: None,
        };
        self.change(Some(client), Change::AddJob(setting), context);
        Ok(())
    }

    fn run_job(&mut self, client: ClientId, call: &JobRun, context: &mut Context) -> Done {
        let index = self.job_place(&call.name).ok_or_else(|| no_such("job", &call.name))?;
        let Some(job) = &mut self.jobs[index] else { return Ok(()) };
        if !job.setting.enabled {
            let next = format!("blockhaul job enable {}", call.name);
            return Err(refusal(RefusalCode::Busy, format!("Job {} is switched off.", call.name), next).into());
        }
        let (run, joined) = job.run(context);
        if call.wait {
            let until = call.timeout_ms.map(|ms| context.now.at + Duration::from_millis(ms));
            self.wait(
                client,
                What::Run {
                    job: call.name.clone(),
                    run,
                    joined,
                },
                until,
                context,
            );
        } else {
            reply(
                client,
                &RunStarted {
                    run,
                    joined,
                    result: None,
                },
                false,
                context,
            );
        }
        Ok(())
    }

    /// Forgets a job whose link has been closed.
    pub(super) fn forget_job(&mut self, index: usize, context: &mut Context) {
        if let Some(job) = &mut self.jobs[index] {
            job.hang_up(context);
        }
        self.retire_job(index);
        context.ask_at(Ready::Job(index), None);
    }
}
