//! `io.blockhaul.Tenant`: whose cameras are whose.

use hal::{ClientId, Role};

use super::{Done, no_such_method, parse};
use crate::appliance::Parts;
use crate::context::Context;
use crate::control::changes::Change;
use crate::control::reply;
use crate::control::types::{Call, Named, TenantChange, TenantInfo, Tenants};
use crate::settings::tenants::Tenant;

/// Methods, and the least role for each.
pub(super) const METHODS: &[(&str, Role)] = &[
    ("Create", Role::Admin),
    ("Change", Role::Admin),
    ("List", Role::Read),
    ("Remove", Role::Admin),
];

impl Parts {
    pub(super) fn call_tenant(&mut self, client: ClientId, method: &str, call: &Call, context: &mut Context) -> Done {
        match method {
            "Create" => {
                let tenant: Tenant = parse(call)?;
                self.change(Some(client), Change::AddTenant(tenant), context);
            }
            "Change" => {
                let change: TenantChange = parse(call)?;
                self.change(
                    Some(client),
                    Change::AlterTenant(change.name, change.add, change.drop),
                    context,
                );
            }
            "List" => {
                let (jobs, grants) = (&self.settings.jobs, &self.settings.grants);
                let tenants = self.settings.tenants.iter().map(|tenant| {
                    let jobs = jobs.iter().filter(|job| job.tenants.contains(&tenant.name));
                    let grants = grants.iter().filter(|grant| grant.tenants.contains(&tenant.name));
                    TenantInfo {
                        name: tenant.name.clone(),
                        cameras: tenant.cameras.clone(),
                        jobs: jobs.map(|job| job.name.clone()).collect(),
                        grants: grants.map(|grant| grant.id.clone()).collect(),
                    }
                });
                let tenants = tenants.collect();
                reply(client, &Tenants { tenants }, false, context);
            }
            "Remove" => {
                let name = parse::<Named>(call)?.name;
                self.change(Some(client), Change::RemoveTenant(name), context);
            }
            _ => return Err(no_such_method()),
        }
        Ok(())
    }
}
