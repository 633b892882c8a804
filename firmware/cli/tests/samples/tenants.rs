//! Samples of `io.blockhaul.Tenant`.

use blockhaul_core::control::types::{Named, Nothing, TenantChange, TenantInfo, Tenants};
use blockhaul_core::settings::tenants::Tenant;
use serde_json::json;

use super::{Sample, name, plain, with_least};

/// All of them.
pub fn samples() -> Vec<Sample> {
    let tenant = Tenant {
        name: name(),
        cameras: vec![name()],
    };
    let change = TenantChange {
        name: name(),
        add: vec![name()],
        drop: vec![name()],
    };
    let info = TenantInfo {
        name: name(),
        cameras: vec![name()],
        jobs: vec![name()],
        grants: vec!["4f".into()],
    };
    vec![
        with_least("io.blockhaul.Tenant.Create", tenant, json!({ "name": "acme" }), Nothing {}),
        with_least("io.blockhaul.Tenant.Change", change, json!({ "name": "acme" }), Nothing {}),
        plain("io.blockhaul.Tenant.List", Nothing {}, Tenants { tenants: vec![info] }),
        plain("io.blockhaul.Tenant.Remove", Named { name: name() }, Nothing {}),
    ]
}
