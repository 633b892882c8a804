//! Verbs of the replication service as a whole.

use clap::Subcommand;

/// `blockhaul service …`
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Service {
    /// Let jobs dial and peers in again
    On,
    /// Close all links: no job dials, no peer is served; recorders go on
    #[command(after_help = "It stays off over restarts.\n\nExample:\n  blockhaul service off")]
    Off,
    /// Show whether it is on
    Status,
}
