//! Changes of tenants: whether they can be, and what they do to jobs and links.
//!
//! Invariant: after a change no camera belongs to two tenants and no two jobs bring the same camera to the same place.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::applied::{not_found, one_job, one_source, taken};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::context::Context;
use crate::control::types::{Refusal, RefusalCode};
use crate::settings::Settings;
use crate::settings::tenants::Tenant;

/// Refuses tenants that are not there.
pub(super) fn are_there(settings: &Settings, tenants: &[Name]) -> Result<(), Refusal> {
    let is_there = |name: &&Name| settings.tenants.iter().any(|tenant| tenant.name == **name);
    match tenants.iter().find(|name| !is_there(name)) {
        Some(name) => Err(not_found("tenant", name)),
        None => Ok(()),
    }
}

/// Adds a tenant.
pub(super) fn add(settings: &mut Settings, tenant: &Tenant) -> Result<(), Refusal> {
    if settings.tenants.iter().any(|other| other.name == tenant.name) {
        return Err(taken("tenant", &tenant.name));
    }
    let cameras = Vec::new();
    let name = tenant.name.clone();
    settings.tenants.push(Tenant { name, cameras });
    alter(settings, &tenant.name, &tenant.cameras, &[])
}

/// Gives a tenant cameras, and takes some from it.
pub(super) fn alter(settings: &mut Settings, name: &Name, add: &[Name], drop: &[Name]) -> Result<(), Refusal> {
    are_there(settings, core::slice::from_ref(name))?;
    for camera in add {
        if let Some(holder) = settings.tenant_of(camera).filter(|holder| holder.name != *name) {
            let sentence = format!("Camera {camera} belongs to tenant {} already.", holder.name);
            let next = format!("blockhaul tenant change {} --drop {camera}", holder.name);
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
    }
    let Some(tenant) = settings.tenants.iter_mut().find(|tenant| tenant.name == *name) else {
        return Ok(());
    };
    if let Some(camera) = drop.iter().find(|camera| !tenant.cameras.contains(camera)) {
        let sentence = format!("Camera {camera} does not belong to tenant {name}.");
        return Err(refusal(RefusalCode::NotFound, sentence, "blockhaul tenant list"));
    }
    tenant.cameras.retain(|camera| !drop.contains(camera));
    for camera in add {
        if !tenant.cameras.contains(camera) {
            tenant.cameras.push(camera.clone());
        }
    }
    settings.resolve();
    for job in settings.jobs.iter().filter(|job| job.tenants.contains(name)) {
        one_job(job, settings)?;
        one_source(job, settings)?;
    }
    Ok(())
}

/// Removes a tenant that nothing names.
pub(super) fn remove(settings: &mut Settings, name: &Name) -> Result<(), Refusal> {
    are_there(settings, core::slice::from_ref(name))?;
    let jobs = settings.jobs.iter().filter(|job| job.tenants.contains(name));
    let grants = settings.grants.iter().filter(|grant| grant.tenants.contains(name));
    let users = jobs.map(|job| format!("job {}", job.name));
    let users: Vec<String> = users.chain(grants.map(|grant| format!("grant {}", grant.id))).collect();
    if !users.is_empty() {
        let sentence = format!("Tenant {name} is named by {}.", users.join(", "));
        let next = "Delete the jobs and revoke the grants first.";
        return Err(refusal(RefusalCode::Busy, sentence, next));
    }
    settings.tenants.retain(|tenant| tenant.name != *name);
    Ok(())
}

impl Parts {
    /// Tenants have other cameras: jobs that reach others now open their tracks anew, and links whose grant does begin again.
    pub(super) fn tenants_changed(&mut self, context: &mut Context) {
        let mut guarded = Vec::new();
        for job in self.jobs.iter_mut().flatten() {
            let now = self.settings.jobs.iter().find(|setting| setting.name == job.setting.name);
            if let Some(now) = now.filter(|now| now.reach != job.setting.reach) {
                job.reach(now.reach.clone(), context);
                guarded.push(job.archive);
            }
        }
        for archive in guarded {
            self.guards_changed(archive, context);
        }
        for link in self.incoming.values_mut() {
            let Some(grant) = &link.grant else { continue };
            let now = self.settings.grants.iter().find(|setting| setting.id == grant.id);
            if now.is_some_and(|now| self.settings.reach(&now.cameras, &now.tenants) != grant.reach) {
                link.hang_up(context);
            }
        }
    }
}
