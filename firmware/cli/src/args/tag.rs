//! Verbs of tags.

use blockhaul_core::Name;
use clap::{Args, Subcommand};
use hal::Uuid;

use super::media::Kind;
use super::value;

/// `blockhaul tag …`
#[derive(Debug, Subcommand)]
pub enum Tag {
    /// Put a tag on a range of a camera's blocks
    #[command(after_help = "Examples:\n  \
        blockhaul tag set --archive main --camera lobby --from 10:00 --to 10:30 court\n  \
        blockhaul tag set --archive main --camera lobby --blocks 100..200 court --dry-run\n\n\
        Without a range all that is there now gets the tag. Tags stay in their archive; they are not hauled.")]
    Set(Change),
    /// Take a tag from a range of a camera's blocks
    #[command(after_help = "Example:\n  blockhaul tag unset --archive main --camera lobby court")]
    Unset(Change),
    /// List tagged ranges
    #[command(after_help = "Example:\n  blockhaul tag list --archive main --camera lobby")]
    List(List),
}

/// A tag and a range.
#[derive(Debug, Args)]
pub struct Change {
    /// The tag: 1 to 63 of a-z, 0-9 and '-'
    #[arg(value_name = "TAG")]
    pub tag: Name,
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Camera
    #[arg(long, value_name = "ID")]
    pub camera: Name,
    /// Only this kind; all kinds of the camera if none
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// Only what was first recorded in this archive
    #[arg(long, value_name = "UUID")]
    pub origin: Option<Uuid>,
    /// Only blocks that end after this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub from: Option<i64>,
    /// Only blocks that begin before this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub to: Option<i64>,
    /// Only these blocks of the track, M up to and without N
    #[arg(long, value_name = "M..N", value_parser = value::blocks, conflicts_with_all = ["from", "to"])]
    pub blocks: Option<(u64, u64)>,
    /// Say what would be done, and do nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `blockhaul tag list`
#[derive(Debug, Args)]
pub struct List {
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Only this camera
    #[arg(long, value_name = "ID")]
    pub camera: Option<Name>,
}
