//! `cargo demo`: the main job on this machine, with two real daemons, in less than a minute.
//!
//! A camera's stream is recorded, hauled to another appliance while the connection is cut and both daemons are killed,
//! verified from the media, exported and compared. Ends well only if every byte is there.
#![forbid(unsafe_code)]

mod card;
mod feed;
mod original;
mod progress;
mod report;
mod stage;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Records, hauls, cuts, kills, verifies and compares, with two real daemons on this machine.
#[derive(Parser, Debug)]
#[command(name = "cargo demo", bin_name = "cargo demo --")]
struct Options {
    /// Record this file instead of the test picture; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Bytes of the test picture, in millions.
    #[arg(long, value_name = "MB", default_value_t = 96, value_parser = clap::value_parser!(u64).range(16..=4096), conflicts_with = "input")]
    size: u64,
    /// Disk, card or partition of the source instead of a file.
    #[arg(long, value_name = "DEV")]
    volume_source: Option<PathBuf>,
    /// Disk, card or partition of the target instead of a file.
    #[arg(long, value_name = "DEV")]
    volume_target: Option<PathBuf>,
    /// Serial number or UUID of what is on the source's volume now: it will be destroyed.
    #[arg(long, value_name = "SERIAL-OR-UUID", requires = "volume_source")]
    destroy_source: Option<String>,
    /// Serial number or UUID of what is on the target's volume now: it will be destroyed.
    #[arg(long, value_name = "SERIAL-OR-UUID", requires = "volume_target")]
    destroy_target: Option<String>,
    /// Put a dashcam's card in, instead of recording a stream.
    #[arg(long)]
    card: bool,
}

fn main() -> ExitCode {
    let options = Options::parse_from(blockhaul_tests::command::words());
    blockhaul_tests::command::end_quietly_where_nobody_reads();
    let told = if options.card {
        card::tell(&options)
    } else {
        story::tell(&options)
    };
    match told {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nThe demo failed: {why}");
            ExitCode::FAILURE
        }
    }
}
