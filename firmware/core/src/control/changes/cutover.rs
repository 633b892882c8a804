//! From an old archive of this appliance to a new one: a job hauls the one into the other over the appliance's own door, then the
//! recorders and the jobs of the old one move to the new one, all in one change of the settings.
//!
//! Invariant: each step asks what is, and does what is left of it: it may be said again after a crash at any point.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use hal::{ClientId, Fingerprint, Route};

use super::Change;
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::{Context, Ready};
use crate::control::reply;
use crate::control::types::{
    CutOver, GrantCreate, GuardCount, JobMode, JobPlan, Migrated, MoveCall, Peer, RecorderCreate, Refusal, RefusalCode,
};
use crate::settings::tenants::Reach;
use crate::settings::{JobSetting, Settings};

/// Name of the peer that is the appliance itself.
const OWN_NAME: &str = "this-appliance";

/// What hauling one archive here into another takes.
#[derive(Clone, Debug, Hash)]
pub struct Migration {
    /// This appliance as its own peer, if it is not there yet.
    pub peer: Option<Peer>,
    /// The right of its token.
    pub grant: GrantCreate,
    /// The token.
    pub token: [u8; 32],
    /// The job.
    pub job: JobSetting,
}

impl Migration {
    /// The changes that it consists of.
    pub(super) fn steps(&self) -> Vec<Change> {
        let peer = self.peer.clone().map(Change::AddPeer);
        let rest = [
            Change::AddGrant(self.grant.clone(), self.token),
            Change::AddJob(self.job.clone()),
        ];
        peer.into_iter().chain(rest).collect()
    }
}

/// Who moves with a cut-over, as the settings are.
#[derive(Clone, Debug, Default)]
struct Moving {
    recorders: Vec<Name>,
    jobs: Vec<Name>,
    staying: Vec<Name>,
}

impl Moving {
    /// `own` is the job that hauls the old archive into the new one.
    fn of(settings: &Settings, from: &Name, to: &Name, own: Option<&Name>) -> Result<Moving, Refusal> {
        let mut moving = Moving::default();
        for recorder in settings.recorders.iter().filter(|recorder| recorder.archive == *from) {
            let same =
                |other: &&RecorderCreate| other.archive == *to && other.camera == recorder.camera && other.kind == recorder.kind;
            if let Some(other) = settings.recorders.iter().find(same) {
                let sentence = format!(
                    "Camera {} is recorded into {to} by recorder {} already.",
                    recorder.camera, other.name
                );
                let next = format!("Remove one of the two: blockhaul recorder remove {}", recorder.name);
                return Err(refusal(RefusalCode::Refused, sentence, next));
            }
            moving.recorders.push(recorder.name.clone());
        }
        for job in settings.jobs.iter().filter(|job| job.from == *from && Some(&job.name) != own) {
            let same = |other: &JobSetting| other.from == *to && (&other.peer, &other.archive) == (&job.peer, &job.archive);
            let place = if settings.jobs.iter().any(same) {
                &mut moving.staying
            } else {
                &mut moving.jobs
            };
            place.push(job.name.clone());
        }
        Ok(moving)
    }
}

/// The settings with everything moved.
pub(super) fn cut_over(settings: &mut Settings, from: &Name, to: &Name, own: Option<&Name>) -> Result<(), Refusal> {
    let moving = Moving::of(settings, from, to, own)?;
    for recorder in &mut settings.recorders {
        if moving.recorders.contains(&recorder.name) {
            recorder.archive = to.clone();
        }
    }
    for job in &mut settings.jobs {
        if moving.jobs.contains(&job.name) {
            job.from = to.clone();
        }
    }
    for rule in &mut settings.macros {
        rule.rename_archive(from, to);
    }
    // Whose acknowledgements count goes with the jobs that were named.
    let counted = settings.archives.iter_mut().find(|archive| archive.name == *from);
    let Some(old) = counted.map(|archive| &mut archive.retention) else {
        return Ok(());
    };
    if !old.jobs.iter().any(|job| moving.jobs.contains(job)) {
        return Ok(());
    }
    let (count, jobs) = (old.count, core::mem::take(&mut old.jobs));
    old.count = GuardCount::All;
    let (gone, left): (Vec<Name>, Vec<Name>) = jobs.into_iter().partition(|job| moving.jobs.contains(job));
    if !left.is_empty() {
        (old.count, old.jobs) = (count, left);
    }
    if let Some(new) = settings.archives.iter_mut().find(|archive| archive.name == *to)
        && new.retention.jobs.is_empty()
    {
        (new.retention.count, new.retention.jobs) = (count, gone);
    }
    Ok(())
}

impl Parts {
    /// Where this appliance can be reached by itself.
    pub(crate) fn own_routes(&self) -> Vec<Route> {
        let route = |address: &String| {
            let (host, port) = address.rsplit_once(':')?;
            let host = match host.trim_matches(['[', ']']) {
                "0.0.0.0" => "127.0.0.1",
                "::" => "::1",
                host => host,
            };
            let (host, nic) = (String::from(host), None);
            Some(Route {
                host,
                port: port.parse().ok()?,
                nic,
            })
        };
        self.listening.iter().filter_map(route).collect()
    }

    fn is_own(&self, key: &Fingerprint) -> bool {
        *key == self.fingerprint
    }

    /// The job that hauls one archive here into another.
    fn migration(&self, from: &Name, to: &Name) -> Option<&JobSetting> {
        let own = self.settings.peers.iter().find(|peer| self.is_own(&peer.key))?;
        let mut jobs = self.settings.jobs.iter();
        jobs.find(|job| job.from == *from && job.archive == *to && job.peer == own.name)
    }

    /// Blocks of one archive here that another does not have, and the bytes that they take.
    fn blocks_left(&self, from: &Name, to: &Name) -> (u64, u64) {
        let (Some(old), Some(new)) = (self.archive_named(from), self.archive_named(to)) else {
            return (0, 0);
        };
        let left = old
            .catalog
            .tracks()
            .iter()
            .filter(|track| track.tip.key.origin != new.uuid)
            .map(|track| {
                let there = new
                    .catalog
                    .find(&track.tip.key)
                    .map_or(0, |id| new.catalog.track(id).durable_next);
                track.durable_next.saturating_sub(there.max(track.first))
            });
        let blocks = left.sum::<u64>();
        (blocks, blocks * u64::from(old.superblock.block_bytes))
    }

    /// Whether the second archive can take the place of the first.
    fn check_move(&self, call: &MoveCall) -> Result<(), Refusal> {
        let find = |name: &Name| {
            self.archive_named(name).ok_or_else(|| {
                let sentence = format!("There is no archive {name}.");
                refusal(RefusalCode::NotFound, sentence, "See what there is: blockhaul archive list")
            })
        };
        let (from, to) = (find(&call.from)?, find(&call.to)?);
        if from.index == to.index {
            let sentence = "An archive cannot take its own place.";
            return Err(refusal(
                RefusalCode::Usage,
                sentence,
                "Create another one: blockhaul archive create",
            ));
        }
        if !to.takes() || to.is_full() {
            return Err(to.takes_nothing());
        }
        let sizes = (from.superblock.block_bytes, to.superblock.block_bytes);
        if from.gives() && sizes.0 != sizes.1 {
            let sentence = format!(
                "Archive {} has blocks of {} KiB, and {} of {} KiB.",
                call.from,
                sizes.0 >> 10,
                call.to,
                sizes.1 >> 10
            );
            let next = format!("Create one with --block-size {}KiB", sizes.0 >> 10);
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
        Ok(())
    }

    /// `Migrate`: makes the job that hauls the one into the other, if it is not there yet.
    pub(in crate::control) fn migrate(
        &mut self,
        client: ClientId,
        call: &MoveCall,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        self.check_move(call)?;
        if call.dry_run || self.migration(&call.from, &call.to).is_some() {
            self.tell_migrated(client, call, context);
            return Ok(());
        }
        if self.own_routes().is_empty() {
            let sentence = "This appliance listens nowhere, and hauls between its own archives through its own door.";
            return Err(refusal(
                RefusalCode::Refused,
                sentence,
                "Start it with --listen 127.0.0.1:7411",
            ));
        }
        let own = self.settings.peers.iter().find(|peer| self.is_own(&peer.key));
        let name = match own {
            Some(own) => own.name.clone(),
            None => OWN_NAME.parse().expect("a name"),
        };
        let peer = own.is_none().then(|| Peer {
            name: name.clone(),
            routes: Vec::new(),
            key: self.fingerprint,
        });
        let grant = GrantCreate {
            peer: name.clone(),
            archive: call.to.clone(),
            cameras: Vec::new(),
            tenants: Vec::new(),
        };
        let token = context.shared.entropy.bytes();
        let made: String = format!("{}-into-{}", call.from, call.to)
            .chars()
            .take(crate::NAME_BYTES_MAX)
            .collect();
        let job = JobSetting {
            name: made.parse().unwrap_or_else(|_| call.from.clone()),
            from: call.from.clone(),
            peer: name,
            archive: call.to.clone(),
            cameras: Vec::new(),
            tenants: Vec::new(),
            reach: Reach::default(),
            mode: JobMode::Always,
            full: false,
            token: hal::Digest(token),
            enabled: true,
            created_utc_ns: context.now.utc_ns,
            released: false,
            target: None,
            plan: JobPlan::default(),
        };
        let migration = Migration { peer, grant, token, job };
        self.change(Some(client), Change::Migrate(Box::new(migration), call.clone()), context);
        Ok(())
    }

    /// How far it is.
    pub(super) fn tell_migrated(&mut self, client: ClientId, call: &MoveCall, context: &mut Context) {
        let job = self.migration(&call.from, &call.to).map(|job| job.name.clone());
        let (blocks, bytes) = self.blocks_left(&call.from, &call.to);
        let done = job.is_some();
        reply(
            client,
            &Migrated {
                job,
                blocks,
                bytes,
                done,
            },
            false,
            context,
        );
    }

    /// `CutOver`: moves the recorders and the jobs.
    pub(in crate::control) fn cut_over(
        &mut self,
        client: ClientId,
        call: &MoveCall,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        self.check_move(call)?;
        let (blocks, _) = self.blocks_left(&call.from, &call.to);
        let own = match self.migration(&call.from, &call.to) {
            Some(job) => Some(job.name.clone()),
            // What cannot be read any more is not waited for.
            None if blocks == 0 || self.archive_named(&call.from).is_some_and(|from| !from.gives()) => None,
            None => {
                let sentence = format!(
                    "{blocks} blocks of archive {} are not in {}, and no job hauls them there.",
                    call.from, call.to
                );
                let next = format!("blockhaul archive migrate {} --to {}", call.from, call.to);
                return Err(refusal(RefusalCode::Refused, sentence, next));
            }
        };
        let moving = Moving::of(&self.settings, &call.from, &call.to, own.as_ref())?;
        let told = CutOver {
            recorders: moving.recorders,
            jobs: moving.jobs,
            staying: moving.staying,
            cards: self.cards_into(&call.from),
            blocks,
            done: !call.dry_run,
        };
        if call.dry_run || told.recorders.is_empty() && told.jobs.is_empty() {
            reply(client, &told, false, context);
            return Ok(());
        }
        self.change(Some(client), Change::CutOver(call.clone(), own, Box::new(told)), context);
        Ok(())
    }

    /// Cards whose files go into an archive. They do not move by themselves: two archives must never take from one card, and the new one
    /// knows what was taken only when everything has been hauled.
    fn cards_into(&self, archive: &Name) -> Vec<Name> {
        let cards = self.settings.cards.iter().filter(|card| card.archive == *archive);
        cards.map(|card| card.name.clone()).collect()
    }

    /// The settings say so: recorders come to their end and open again, jobs begin anew, where they are now.
    pub(super) fn move_over(&mut self, call: &MoveCall, context: &mut Context) {
        let Some(old) = self.archive_place(&call.from) else { return };
        let settings = &self.settings.recorders;
        let moved = self.recorders.values_mut().filter(|live| {
            live.archive == old
                && settings
                    .iter()
                    .any(|setting| setting.name == live.name && setting.archive == call.to)
        });
        for recorder in moved {
            if let Some(archive) = &mut self.archives[old] {
                recorder.close(archive, context);
                context.wake(Ready::Recorder(recorder.index));
            }
        }
        let now_from = |name: &Name| self.settings.jobs.iter().find(|job| job.name == *name);
        let live = self.live_jobs().filter(|job| job.setting.from == call.from);
        let moved = live.filter_map(|job| now_from(&job.setting.name).map(|setting| (job.index, setting.clone())));
        let moved: Vec<(usize, JobSetting)> = moved.filter(|(_, setting)| setting.from == call.to).collect();
        for (index, setting) in moved {
            if let Some(job) = &mut self.jobs[index] {
                job.enable(false, context);
            }
            self.forget_job(index, context);
            self.add_job(setting, context);
        }
        self.retention_changed(&call.from, context);
        self.retention_changed(&call.to, context);
    }
}
