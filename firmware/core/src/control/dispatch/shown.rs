//! What the whole appliance shows of itself: status, jobs, checks.
//!
//! Reads only.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use hal::Moment;

use crate::Name;
use crate::appliance::Parts;
use crate::archive::Archive;
use crate::context::Context;
use crate::control::types::{Check, Doctor, JobStatus, Status, VolumeState};

impl Parts {
    pub(crate) fn archive_name(&self, index: usize) -> Name {
        let archive = self.archives.get(index).and_then(|archive| archive.as_ref());
        archive.map_or_else(|| "none".parse().expect("a plain name"), |archive| archive.name.clone())
    }

    pub(super) fn job_states(&self, now: Moment) -> Vec<JobStatus> {
        let status =
            |job: &crate::haul::job::Job| job.status(&self.archive_name(job.archive), self.archives[job.archive].as_ref(), now);
        self.live_jobs().map(status).collect()
    }

    pub(in crate::control) fn job_status(&self, name: &Name, now: Moment) -> Option<JobStatus> {
        let job = self.live_jobs().find(|job| job.setting.name == *name)?;
        Some(job.status(&self.archive_name(job.archive), self.archives[job.archive].as_ref(), now))
    }

    pub(in crate::control) fn status(&self, context: &Context) -> Status {
        let now = context.now;
        let incoming = self.incoming.values().map(|incoming| {
            let archive = incoming.grant.as_ref().map(|grant| self.archive_name(grant.archive));
            incoming.status(archive.as_ref())
        });
        Status {
            utc_ns: now.utc_ns,
            clock: now.quality,
            up_ms: now.at.since(self.started.at).as_millis() as u64,
            memory_bytes: u64::from(context.shared.pool.size_bytes()),
            memory_used_bytes: u64::from(context.shared.pool.used_bytes()),
            hauling: self.settings.hauling,
            archives: self.configured_archives().map(Archive::status).collect(),
            recorders: self
                .recorders
                .values()
                .map(|recorder| recorder.status(&self.archive_name(recorder.archive)))
                .collect(),
            jobs: self.job_states(now),
            incoming: incoming.collect(),
            guards: self.guards(context.now),
        }
    }

    pub(super) fn doctor(&self, context: &Context) -> Doctor {
        let mut checks = Vec::new();
        let mut check = |what: &str, right: bool, found: String, action: &str| {
            let action = if right { String::new() } else { action.to_string() };
            checks.push(Check {
                what: what.to_string(),
                right,
                found,
                action,
            });
        };
        let pool = &context.shared.pool;
        let free = pool.free_bytes() >= pool.size_bytes() / 8;
        let found = format!("{} of {} MiB in use", pool.used_bytes() >> 20, pool.size_bytes() >> 20);
        check("block memory", free, found, "Restart the daemon with more --memory.");
        let set = context.now.quality != hal::ClockQuality::Unset;
        let found = match context.now.quality {
            hal::ClockQuality::Unset => "not set",
            hal::ClockQuality::Free => "set, not synchronized",
            hal::ClockQuality::Synchronized => "synchronized",
        };
        check(
            "wall clock",
            set,
            found.to_string(),
            "Set the clock; blocks recorded now carry a wrong time, and say so.",
        );
        let hauling = self.settings.hauling;
        let found = if hauling { "on" } else { "off" };
        check("replication service", hauling, found.to_string(), "blockhaul service on");
        for archive in self.archives.iter().flatten() {
            let (state, why, action) = archive.state();
            let right = matches!(state, VolumeState::Ready | VolumeState::Indexing);
            let word = crate::archive::state_word(state);
            let found = if why.is_empty() {
                word.to_string()
            } else {
                format!("{word}: {why}")
            };
            check(&format!("archive {}", archive.name), right, found, &action);
        }
        Doctor { checks }
    }
}
