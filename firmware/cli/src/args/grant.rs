//! Verbs of grants.

use blockhaul_core::Name;
use clap::{Args, Subcommand};

/// `blockhaul grant …`
#[derive(Debug, Subcommand)]
pub enum Grant {
    /// Let a peer append to an archive here; prints the token, this once
    Create(Create),
    /// List all grants
    List,
    /// Take a grant back; links that use it go down
    Revoke(Revoke),
}

/// `blockhaul grant create`
#[derive(Debug, Args)]
pub struct Create {
    /// Peer that may use it
    #[arg(long, value_name = "NAME")]
    pub peer: Name,
    /// Archive it may append to
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Only this camera; may be given several times; all if none
    #[arg(long = "camera", value_name = "ID")]
    pub cameras: Vec<Name>,
    /// Only cameras of this tenant; may be given several times
    #[arg(long = "tenant", value_name = "NAME")]
    pub tenants: Vec<Name>,
}

/// `blockhaul grant revoke`
#[derive(Debug, Args)]
pub struct Revoke {
    /// From `blockhaul grant list`
    pub id: String,
}
