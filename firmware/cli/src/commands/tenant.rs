//! `tenant …`

use blockhaul_core::control::types::{Named, Nothing, TenantChange, Tenants};
use blockhaul_core::settings::tenants::Tenant as Parameters;

use super::Context;
use crate::args::tenant::Tenant;
use crate::failure::{Exit, Failure};
use crate::render::tenant;

/// `blockhaul tenant …`
pub fn run(context: &Context, tenant: Tenant) -> Result<Exit, Failure> {
    match tenant {
        Tenant::Create(create) => {
            let done = format!(
                "Tenant {} is known. Name it in jobs and grants: --tenant {}",
                create.name, create.name
            );
            let parameters = Parameters {
                name: create.name,
                cameras: create.cameras,
            };
            context.order("io.blockhaul.Tenant.Create", parameters, &done)
        }
        Tenant::Change(change) => {
            let done = format!("Tenant {} has other cameras.", change.name);
            let parameters = TenantChange {
                name: change.name,
                add: change.add,
                drop: change.drop,
            };
            context.order("io.blockhaul.Tenant.Change", parameters, &done)
        }
        Tenant::List => context.ask("io.blockhaul.Tenant.List", Nothing {}, |all: &Tenants, look| {
            tenant::table(&all.tenants, look)
        }),
        Tenant::Remove(named) => {
            let done = format!("Tenant {} is forgotten.", named.name);
            context.order("io.blockhaul.Tenant.Remove", Named { name: named.name }, &done)
        }
    }
}
