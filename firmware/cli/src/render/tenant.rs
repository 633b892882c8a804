//! Tenants, and what a job or a grant reaches, in words.

use blockhaul_core::Name;
use blockhaul_core::control::types::TenantInfo;

use super::Look;
use super::table::Table;

fn names(names: &[Name], none: &str) -> String {
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    if names.is_empty() { none.into() } else { names.join(", ") }
}

/// Which cameras, of which tenants.
pub fn reach(cameras: &[Name], tenants: &[Name]) -> String {
    let cameras = names(cameras, "all");
    if tenants.is_empty() {
        return cameras;
    }
    format!("{cameras} of {}", names(tenants, ""))
}

/// One row for each tenant.
pub fn table(tenants: &[TenantInfo], look: &Look) -> String {
    let mut table = Table::new(&["TENANT", "CAMERAS", "JOBS", "GRANTS"]);
    for tenant in tenants {
        let grants = if tenant.grants.is_empty() {
            "-".into()
        } else {
            tenant.grants.join(", ")
        };
        table.row([
            tenant.name.to_string(),
            names(&tenant.cameras, "-"),
            names(&tenant.jobs, "-"),
            grants,
        ]);
    }
    if table.is_empty() {
        "There is no tenant. Make one: blockhaul tenant create NAME --camera ID\n".into()
    } else {
        table.lines(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn tenants_and_who_names_them() {
        let name = |text: &str| text.parse::<Name>().unwrap();
        let acme = TenantInfo {
            name: name("acme"),
            cameras: vec![name("gate"), name("lobby")],
            jobs: vec![name("out")],
            grants: Vec::new(),
        };
        assert_eq!(
            table(&[acme], &sample::plain()),
            "TENANT  CAMERAS      JOBS  GRANTS\nacme    gate, lobby  out   -\n"
        );
        assert_eq!(reach(&[], &[]), "all");
        assert_eq!(reach(&[name("gate")], &[name("acme"), name("bank")]), "gate of acme, bank");
    }
}
