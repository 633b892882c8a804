//! Verbs of marks.

use blockhaul_core::Name;
use clap::{Args, Subcommand};

use super::value;

/// `blockhaul mark …`
#[derive(Debug, Subcommand)]
pub enum Mark {
    /// Name the present end of every track of an archive
    #[command(after_help = "Example:\n  blockhaul mark create before-update --archive card\n\n\
        A mark travels to every archive that the blocks are hauled to.")]
    Create(Create),
    /// List the marks of an archive, and how much of each is there
    #[command(after_help = "Example:\n  blockhaul mark list --archive main")]
    List(List),
    /// Forget a mark in one archive; no block is touched
    #[command(after_help = "Example:\n  blockhaul mark remove before-update --archive card\n\n\
        Remove a mark where it was made first: as long as a job hauls from an archive that has it, it comes again.")]
    Remove(Remove),
    /// Wait until everything that a mark names is durable in an archive or stated as missing
    #[command(after_help = "Example:\n  blockhaul mark wait before-update --archive main --timeout 10m")]
    Wait(Wait),
    /// Copy everything up to a mark into a new archive of this appliance
    #[command(after_help = "Example:\n  \
        blockhaul archive create rescued --volume rescued.img --size 2GiB\n  \
        blockhaul mark restore before-update --archive main --into rescued\n\n\
        Begun again after it was interrupted, it goes on where it was.")]
    Restore(Restore),
}

/// `blockhaul mark create`
#[derive(Debug, Args)]
pub struct Create {
    /// Its name: 1 to 63 of a-z, 0-9 and '-'
    pub name: Name,
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Say what it would name, and do nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `blockhaul mark list`
#[derive(Debug, Args)]
pub struct List {
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
}

/// `blockhaul mark remove`
#[derive(Debug, Args)]
pub struct Remove {
    /// Mark
    pub name: Name,
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
}

/// `blockhaul mark wait`
#[derive(Debug, Args)]
pub struct Wait {
    /// Mark; it need not have come yet
    pub name: Name,
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// How long at most, like 10m
    #[arg(long, value_name = "TIME", value_parser = value::duration_ms)]
    pub timeout: Option<u64>,
}

/// `blockhaul mark restore`
#[derive(Debug, Args)]
pub struct Restore {
    /// Mark
    pub name: Name,
    /// Archive that has the blocks
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Archive that takes them: a new one with the same block size
    #[arg(long, value_name = "NAME")]
    pub into: Name,
    /// Say what would be copied, and write nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}
