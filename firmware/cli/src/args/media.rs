//! Verbs that move a camera's bytes: record, export, and the list of what is missing.

use std::path::PathBuf;

use blockhaul_core::Name;
use clap::{Args, ValueEnum};
use hal::Uuid;

use super::value;

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Pictures, or pictures and sound together
    Video,
    /// Sound alone
    Audio,
    /// Anything else: events, positions, analytics
    Metadata,
}

impl From<Kind> for blockhaul_core::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Video => blockhaul_core::Kind::Video,
            Kind::Audio => blockhaul_core::Kind::Audio,
            Kind::Metadata => blockhaul_core::Kind::Metadata,
        }
    }
}

/// `blockhaul record`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    blockhaul record --archive card --camera lobby --input lobby.ts\n  \
    ffmpeg -i rtsp://camera/ -c copy -f mpegts - | blockhaul record --archive card --camera lobby")]
pub struct Record {
    /// Archive to record into
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Camera the stream comes from
    #[arg(long, value_name = "ID")]
    pub camera: Name,
    /// What the stream carries
    #[arg(long, value_enum, default_value_t = Kind::Video)]
    pub kind: Kind,
    /// File to record; standard input if none or `-`
    #[arg(long, short, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Seal an unfilled block after this long: 1s to 300s
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::flush_after_ms)]
    pub flush_after: u64,
}

/// `blockhaul export`
#[derive(Debug, Args)]
#[command(
    after_help = "Times: \"2026-11-21 10:00\" (local), 2026-11-21T10:00:00Z, 10:00 (today), \"1h ago\", now.\n\nExamples:\n  \
    blockhaul export --archive main --camera lobby -o lobby.ts\n  \
    blockhaul export --archive main --camera lobby --from \"1h ago\" | ffplay -\n  \
    blockhaul export --archive main --camera lobby -o lobby.ts --manifest lobby.manifest\n\n\
    A manifest says of each block where it lies in the file and what proves it; see docs/formats.md.\n\
    What cards of the camera have is put into the holes of what was recorded; see docs/cards.md."
)]
pub struct Export {
    /// Archive to read
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Camera
    #[arg(long, value_name = "ID")]
    pub camera: Name,
    /// What the track carries
    #[arg(long, value_enum, default_value_t = Kind::Video)]
    pub kind: Kind,
    /// Only blocks that end after this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub from: Option<i64>,
    /// Only blocks that begin before this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub to: Option<i64>,
    /// Only what was first recorded in this archive; without, what several recorded is put together by time
    #[arg(long, value_name = "UUID")]
    pub origin: Option<Uuid>,
    /// File to write; standard output if none or `-`
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Write beside it what was exported, block by block, so that anybody can check it
    #[arg(long, value_name = "FILE", requires = "output")]
    pub manifest: Option<PathBuf>,
}

/// `blockhaul gaps`
#[derive(Debug, Args)]
pub struct Gaps {
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Camera
    #[arg(long, value_name = "ID")]
    pub camera: Name,
}

/// `blockhaul exists`
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 all of it is there, 3 some of it, 10 nothing.\n\nExample:\n  \
    blockhaul exists --archive main --camera lobby --from 10:00 --to 10:30")]
pub struct Exists {
    /// Archive
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Camera
    #[arg(long, value_name = "ID")]
    pub camera: Name,
    /// What the track carries
    #[arg(long, value_enum, default_value_t = Kind::Video)]
    pub kind: Kind,
    /// From this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub from: i64,
    /// To this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub to: i64,
}

/// `blockhaul stats`
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  blockhaul stats --per-day --archive main --camera lobby --from \"7 days ago\"\n\n\
    Counted from the headers of the blocks that are there, by UTC days; nothing is kept, so nothing can be out of date."
)]
pub struct Stats {
    /// By day and track
    #[arg(long, required = true)]
    pub per_day: bool,
    /// Only this archive
    #[arg(long, value_name = "NAME")]
    pub archive: Option<Name>,
    /// Only this camera
    #[arg(long, value_name = "ID")]
    pub camera: Option<Name>,
    /// Only blocks that end after this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub from: Option<i64>,
    /// Only blocks that begin before this time
    #[arg(long, value_name = "TIME", value_parser = value::time_ns, allow_hyphen_values = true)]
    pub to: Option<i64>,
}

impl Export {
    /// Whether the media goes to standard output.
    pub fn to_stdout(&self) -> bool {
        self.output.as_ref().is_none_or(|path| path.as_os_str() == "-")
    }
}
