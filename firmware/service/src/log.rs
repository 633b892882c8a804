//! The log: lines for people on standard error. What must be kept is an event of the core, not a line here.

use std::io::IsTerminal;

use tracing_subscriber::filter::LevelFilter;

/// Starts it.
pub fn start() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_max_level(LevelFilter::INFO)
        .init();
}
