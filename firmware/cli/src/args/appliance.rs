//! Verbs of the appliance as a whole: devices, status, events, and what the command says about itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::value;

/// `blockhaul device …`
#[derive(Debug, Subcommand)]
pub enum Device {
    /// List disks, cards, partitions and network interfaces
    List,
    /// Say how fast all jobs together may send over a network interface that their routes name
    #[command(after_help = "Examples:\n  \
        blockhaul device rate eth1 --rate '2MiB/s mon-fri 08:00-18:00' --rate 20MiB/s --tz Europe/Berlin\n  \
        blockhaul device rate eth1 --rate none\n\n\
        It holds for routes with %eth1: blockhaul peer add nvr --route nvr.example:7411%eth1 …")]
    Rate(DeviceRate),
}

/// `blockhaul device rate`
#[derive(Debug, Args)]
pub struct DeviceRate {
    /// The interface
    #[arg(value_name = "INTERFACE")]
    pub name: String,
    /// No faster than this, like 20MiB/s; with a timetable behind it only then. May be given several times: the first that is open
    /// holds. `none` for as fast as it can
    #[arg(long = "rate", value_name = "RATE", required = true)]
    pub rates: Vec<String>,
    /// Time zone of the timetables, like Europe/Berlin
    #[arg(long, value_name = "ZONE", default_value = "UTC", hide_default_value = true, value_parser = super::plan::zone)]
    pub tz: blockhaul_core::calendar::Zone,
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

/// `blockhaul topology`
#[derive(Debug, Args)]
#[command(
    after_help = "The route in use is marked with *; the others are possible. Whoever dials is responsible for the job.\n\n\
    Example:\n  blockhaul topology --dot | dot -Tsvg > site.svg"
)]
pub struct Topology {
    /// As a graph in the language of Graphviz
    #[arg(long, conflicts_with = "json")]
    pub dot: bool,
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
