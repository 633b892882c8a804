//! Verbs of the appliance as a whole: devices, status, events, and what the command says about itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::value;

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

/// `blockhaul stop`
#[derive(Debug, Args)]
#[command(
    after_help = "With --drain recorders are closed once the jobs have caught up, and the daemon stops when they have caught up with \
    the rest. If the time is over first it says what is left, with exit code 124, and everything goes on.\n\n\
    Example:\n  blockhaul stop --drain all --timeout 10m"
)]
pub struct Stop {
    /// Wait for nothing; what was acknowledged is safe
    #[arg(long, conflicts_with = "drain")]
    pub now: bool,
    /// Stop when this job has caught up; may be given several times; `all` for every enabled job
    #[arg(long, value_name = "JOB")]
    pub drain: Vec<String>,
    /// Give up draining after this long; one hour if not given
    #[arg(long, value_name = "TIME", requires = "drain", value_parser = value::duration_ms)]
    pub timeout: Option<u64>,
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
