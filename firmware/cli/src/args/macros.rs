//! Verbs of macros.

use blockhaul_core::Name;
use blockhaul_core::macros::Step;
use clap::{Args, Subcommand};

/// `blockhaul macro …`
#[derive(Debug, Subcommand)]
pub enum Macro {
    /// Make a rule; one that cannot work is refused
    Create(Create),
    /// List all rules
    List,
    /// Show what a rule would do for an event of the past
    Test(Test),
    /// Switch a rule on
    Enable(Named),
    /// Switch a rule off; what is under way goes on to its end
    Disable(Named),
    /// Forget a rule
    Remove(Named),
}

/// A macro by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the macro
    pub name: Name,
}

/// `blockhaul macro create`
#[derive(Debug, Args)]
#[command(
    after_help = "Steps: run JOB [last TIME], enable JOB, disable JOB, kick JOB, start PROGRAM [within TIME], wait TIME,\n\
    if ARCHIVE/CAMERA there|partly|missing last TIME (goes on only if it is so).\n\
    A program is a name in the folder of programs (blockhauld --programs); it gets the event as JSON on its standard input.\n\n\
    Example:\n  blockhaul macro create night --on stalled --for lobby --do 'wait 5m' --do 'kick lobby' --do 'start notify.sh within 30s'"
)]
pub struct Create {
    /// Its name
    pub name: Name,
    /// Code of the event that begins it
    #[arg(long, value_name = "CODE")]
    pub on: String,
    /// Only if the event is about this archive, job, recorder or peer
    #[arg(long = "for", value_name = "SUBJECT")]
    pub subject: Option<String>,
    /// A step; may be given several times
    #[arg(long = "do", value_name = "STEP", required = true)]
    pub steps: Vec<Step>,
    /// Make all checks, and nothing else
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `blockhaul macro test`
#[derive(Debug, Args)]
#[command(after_help = "Example: blockhaul macro test night --event 12")]
pub struct Test {
    /// Name of the macro
    pub name: Name,
    /// Number of the event, from `blockhaul events`
    #[arg(long, value_name = "N")]
    pub event: u64,
}
