//! Verbs of the appliance as a whole: devices, status, events, and what the command says about itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `blockhaul device …`
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List disks, cards, partitions and network interfaces
    List,
}

/// `blockhaul status`
#[derive(Debug, Args)]
pub struct Status {
    /// Print once and end, on a terminal too
    #[arg(long, conflicts_with = "watch")]
    pub once: bool,
    /// Go on and print at each change, without a terminal too
    #[arg(long, short)]
    pub watch: bool,
}

/// `blockhaul events`
#[derive(Debug, Args)]
pub struct Events {
    /// Go on with events as they happen
    #[arg(long, short)]
    pub follow: bool,
    /// Only events with this number or a higher one
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    pub since: u64,
}

/// `blockhaul completions`
#[derive(Debug, Args)]
#[command(after_help = "Example: blockhaul completions bash > /etc/bash_completion.d/blockhaul")]
pub struct Completions {
    /// For which shell
    pub shell: clap_complete::Shell,
}

/// `blockhaul man`
#[derive(Debug, Args)]
pub struct Man {
    /// Folder for the pages; it is made if it is not there
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}
