//! Verbs of recorders.

use std::path::PathBuf;

use blockhaul_core::Name;
use clap::{Args, Subcommand};

use super::media::Kind;
use super::value;

/// `blockhaul recorder …`
#[derive(Debug, Subcommand)]
pub enum Recorder {
    /// Open a Unix socket that takes a camera's stream into an archive
    Create(Create),
    /// List all recorders
    List,
    /// Close a recorder's socket and forget it; what it recorded stays
    Remove(Named),
}

/// A recorder by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the recorder
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// `blockhaul recorder create`
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    blockhaul recorder create lobby --archive card --camera lobby --listen unix:/run/blockhaul/lobby.sock\n  \
    ffmpeg -i rtsp://camera/ -c copy -f mpegts unix:/run/blockhaul/lobby.sock")]
pub struct Create {
    /// Its name
    pub name: Name,
    /// Archive to record into
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Camera the stream comes from
    #[arg(long, value_name = "ID")]
    pub camera: Name,
    /// What the stream carries
    #[arg(long, value_enum, default_value_t = Kind::Video)]
    pub kind: Kind,
    /// Socket to make
    #[arg(long, value_name = "unix:PATH", value_parser = value::listen)]
    pub listen: PathBuf,
    /// Seal an unfilled block after this long: 1s to 300s
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::flush_after_ms)]
    pub flush_after: u64,
}
