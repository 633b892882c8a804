//! Verbs of jobs.

use std::path::PathBuf;

use blockhaul_core::Name;
use blockhaul_core::control::types;
use clap::{Args, Subcommand, ValueEnum};

use super::plan;
use super::value::{self, Target};

/// `blockhaul job …`
#[derive(Debug, Subcommand)]
pub enum Job {
    /// Haul an archive to a peer; active as soon as it is saved
    Create(Box<Create>),
    /// List all jobs
    List,
    /// Show one job
    Show(Named),
    /// Run a job now, or join the run that is on
    Run(Run),
    /// End the run that is on
    Stop(Named),
    /// Wait for a job
    Wait(Wait),
    /// List runs of the past, of jobs here and of peers that haul in
    History(History),
    /// Change when a job runs, what it takes and how fast; a run that is on goes on
    Switch(Box<Switch>),
    /// Switch to always on: from the run that is on, or a new one
    Synchronize(Named),
    /// Switch to on-demand; the run that is on ends when it has caught up
    StopSynchronizing(Named),
    /// Whether a job is always on; exit code 0 if so, 10 if not
    IsSynchronizing(Named),
    /// Let nothing leave until it is thawed
    Freeze(Named),
    /// Let blocks leave again
    Thaw(Named),
    /// Switch a job on
    Enable(Named),
    /// Switch a job off; its blocks stay guarded at the source
    Disable(Named),
    /// Forget a disabled job
    Delete(Named),
    /// Try again now instead of waiting for the next attempt
    Kick(Named),
    /// Give up its guard: what is not known to be at its target may be freed. With --now: let blocks leave that a delay holds
    Release(Release),
    /// Guard again, after it was released
    Guard(Named),
}

/// A job by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the job
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// `blockhaul job release`
#[derive(Debug, Args)]
#[command(after_help = "The job goes on hauling. Look first:\n  blockhaul job release lobby --dry-run")]
pub struct Release {
    /// Name of the job
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// Let blocks leave now that a delay holds; the guard stays
    #[arg(long, conflicts_with = "dry_run")]
    pub now: bool,
    /// Say what it would give up, and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `blockhaul job create`
#[derive(Debug, Args)]
#[command(
    after_help = "The token is made on the target: `blockhaul grant create --peer THIS-APPLIANCE --archive ARCHIVE`.\n\n\
    Examples:\n  blockhaul job create lobby --from card --to nvr/main --mode always --token-file token\n  \
    blockhaul job create night --from card --to nvr/main --mode schedule --cron '0 2 * * *' --tz Europe/Berlin --token-file token\n  \
    blockhaul job create late --from card --to nvr/main --mode always --delay 24h --rate '2MiB/s mon-fri 08:00-18:00' --token-file token"
)]
pub struct Create {
    /// Its name; made from source and target if none is given
    pub name: Option<Name>,
    /// Archive here to haul from
    #[arg(long, value_name = "ARCHIVE")]
    pub from: Name,
    /// Peer, and its name of the archive to haul to
    #[arg(long, value_name = "PEER/ARCHIVE", value_parser = value::target)]
    pub to: Target,
    /// Only this camera; may be given several times; all if none
    #[arg(long = "camera", value_name = "ID")]
    pub cameras: Vec<Name>,
    /// Only cameras of this tenant; may be given several times
    #[arg(long = "tenant", value_name = "NAME")]
    pub tenants: Vec<Name>,
    /// When it runs
    #[arg(long, value_enum)]
    pub mode: Mode,
    /// What it takes, when, and how fast
    #[command(flatten)]
    pub plan: plan::Plan,
    /// Every run compares everything and sends what is missing or damaged at the target
    #[arg(long)]
    pub full: bool,
    /// File that holds the target's token; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// `blockhaul job run`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples, after a disk of the target was damaged:\n  blockhaul job run lobby --full --dry-run --wait\n  blockhaul job run lobby --full --wait"
)]
pub struct Run {
    /// Name of the job
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// Where it takes blocks, and where it ends
    #[command(flatten)]
    pub order: plan::Order,
    /// Compare everything that both ends should have, and send what is missing or damaged at the target
    #[arg(long)]
    pub full: bool,
    /// With --full: only compare and say what is missing or damaged there; nothing is sent
    #[arg(long, short = 'n', requires = "full")]
    pub dry_run: bool,
    /// Wait until the run has ended
    #[arg(long)]
    pub wait: bool,
    /// Stop waiting after this long, with exit code 124; the run goes on
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = value::duration_ms)]
    pub timeout: Option<u64>,
}

/// `blockhaul job wait`
#[derive(Debug, Args)]
pub struct Wait {
    /// Name of the job
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// What to wait for
    #[arg(long = "for", value_enum, value_name = "STATE")]
    pub wait_for: WaitFor,
    /// Stop waiting after this long, with exit code 124
    #[arg(long, value_name = "TIME", value_parser = value::duration_ms)]
    pub timeout: Option<u64>,
}

/// `blockhaul job history`
#[derive(Debug, Args)]
pub struct History {
    /// Only of this job, or of this peer that hauls in
    #[arg(value_name = "NAME")]
    pub name: Option<Name>,
}

/// `blockhaul job switch`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    blockhaul job switch lobby --mode schedule --every 60s\n  \
    blockhaul job switch lobby --rate '2MiB/s mon-fri 08:00-18:00' --rate 20MiB/s --tz Europe/Berlin\n  \
    blockhaul job switch lobby --delay none --filter none")]
pub struct Switch {
    /// Name of the job
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// When it runs from now on
    #[arg(long, value_enum)]
    pub mode: Option<Mode>,
    /// What it takes, when, and how fast from now on
    #[command(flatten)]
    pub plan: plan::Plan,
}

/// When a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// A sealed block leaves at once
    Always,
    /// When somebody says `run`
    OnDemand,
    /// At the times of --every or --cron
    Schedule,
}

impl From<Mode> for types::JobMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Always => types::JobMode::Always,
            Mode::OnDemand => types::JobMode::OnDemand,
            Mode::Schedule => types::JobMode::Schedule,
        }
    }
}

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum WaitFor {
    /// Everything durable here is durable there
    CaughtUp,
    /// No run is on
    Idle,
    /// Only a person can make it go on
    Failed,
}

impl From<WaitFor> for types::WaitFor {
    fn from(wait_for: WaitFor) -> Self {
        match wait_for {
            WaitFor::CaughtUp => types::WaitFor::CaughtUp,
            WaitFor::Idle => types::WaitFor::Idle,
            WaitFor::Failed => types::WaitFor::Failed,
        }
    }
}
