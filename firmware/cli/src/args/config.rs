//! Verbs of the whole configuration.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `blockhaul config …`
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Print the whole configuration as a TOML document
    Export(Export),
    /// Say whether a document can be used, and what it would change
    Check(Check),
    /// Replace the configuration by a document, all or nothing
    Apply(Apply),
}

/// `blockhaul config export`
#[derive(Debug, Args)]
#[command(after_help = "Example: blockhaul config export -o site.toml")]
pub struct Export {
    /// Write it to this file, readable by its owner only
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// With the tokens of jobs, for an appliance that is to take over
    #[arg(long)]
    pub secrets: bool,
}

/// `blockhaul config check`
#[derive(Debug, Args)]
#[command(after_help = "Example: blockhaul config check site.toml")]
pub struct Check {
    /// The document
    pub file: PathBuf,
    /// Look at the document alone, without a daemon
    #[arg(long)]
    pub offline: bool,
}

/// `blockhaul config apply`
#[derive(Debug, Args)]
#[command(
    after_help = "A token that the document leaves out stays as it is. No archive is formatted, changed or given up.\n\n\
    Example:\n  blockhaul config apply site.toml"
)]
pub struct Apply {
    /// The document
    pub file: PathBuf,
    /// Show the difference and change nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
    /// Do not ask
    #[arg(long, conflicts_with = "dry_run")]
    pub yes: bool,
}
