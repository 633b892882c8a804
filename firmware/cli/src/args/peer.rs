//! Verbs of peers.

use blockhaul_core::Name;
use clap::{Args, Subcommand};
use hal::{Fingerprint, Route};

use super::value;

/// `blockhaul peer …`
#[derive(Debug, Subcommand)]
pub enum Peer {
    /// Make another appliance known by its key; each side adds the other
    Add(Add),
    /// List all peers
    List,
    /// Forget a peer; its links go down
    Remove(Named),
}

/// A peer by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the peer
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// `blockhaul peer add`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    blockhaul peer add nvr --route nvr.example:7440 --key 9f86d0…     # the key is what `blockhaul identity` prints there\n  \
    blockhaul peer add cam7 --key 60303a…                             # a peer that only calls us")]
pub struct Add {
    /// Its name here
    pub name: Name,
    /// Where to reach it, best first; %NIC behind it binds to a network interface
    #[arg(long = "route", value_name = "HOST:PORT[%NIC]", value_parser = value::route)]
    pub routes: Vec<Route>,
    /// Fingerprint of its key, with or without colons
    #[arg(long, value_name = "FINGERPRINT", value_parser = value::key)]
    pub key: Fingerprint,
}
