//! Verbs of tenants.

use blockhaul_core::Name;
use clap::{Args, Subcommand};

/// `blockhaul tenant …`
#[derive(Debug, Subcommand)]
pub enum Tenant {
    /// Say to whom cameras belong; a camera belongs to one tenant at most
    #[command(after_help = "Example:\n  blockhaul tenant create acme --camera lobby --camera gate\n  \
        blockhaul grant create --peer cam7 --archive main --tenant acme")]
    Create(Create),
    /// Give a tenant cameras, or take some from it; jobs and links that it concerns begin again
    #[command(after_help = "Example:\n  blockhaul tenant change acme --add yard --drop gate")]
    Change(Change),
    /// List all tenants, and the jobs and grants that name them
    List,
    /// Forget a tenant that no job and no grant names
    Remove(Named),
}

/// A tenant by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the tenant
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// `blockhaul tenant create`
#[derive(Debug, Args)]
pub struct Create {
    /// Its name
    pub name: Name,
    /// Camera that belongs to it; may be given several times
    #[arg(long = "camera", value_name = "ID")]
    pub cameras: Vec<Name>,
}

/// `blockhaul tenant change`
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Change {
    /// Name of the tenant
    pub name: Name,
    /// Camera that belongs to it from now on; may be given several times
    #[arg(long, value_name = "ID", group = "what")]
    pub add: Vec<Name>,
    /// Camera that does not belong to it any more; may be given several times
    #[arg(long, value_name = "ID", group = "what")]
    pub drop: Vec<Name>,
}
