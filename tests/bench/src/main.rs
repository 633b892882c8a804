//! `cargo bench-haul`: the product, the limits of the machine and the peers, measured in one run, interleaved; a report in Markdown
//! and JSON.
//!
//! It judges nothing: `docs/performance.md` says what the figures mean. Loads stay on the loopback interface.
#![forbid(unsafe_code)]

mod call;
mod cases;
mod cost;
mod guard;
mod haul;
mod hauling;
mod latency;
mod limits;
mod model;
mod noise;
mod others;
mod peers;
mod plan;
mod report;
mod rest;
mod sample;
mod start;
mod volume;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures hauling against the limits of this machine and against other programs
#[derive(Debug, Parser)]
#[command(name = "cargo bench-haul", bin_name = "cargo bench-haul")]
pub struct Options {
    /// Two minutes in place of twenty: fewer runs of fewer bytes
    #[arg(long)]
    quick: bool,
    /// Only these parts
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<plan::Part>,
    /// Runs of each case
    #[arg(long, value_name = "COUNT")]
    runs: Option<usize>,
    /// This daemon, and the command beside it, in place of building them
    #[arg(long, value_name = "PROGRAM")]
    daemon: Option<PathBuf>,
    /// Another build of the daemon, measured in turns with this one
    #[arg(long, value_name = "PROGRAM")]
    against: Option<PathBuf>,
    /// Write the tables to a file too
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the figures to a file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[command(subcommand)]
    own: Option<Own>,
}

#[derive(Debug, Subcommand)]
enum Own {
    /// Count instructions and allocations of the core for a block, and compare with what is kept
    Guard {
        /// Keep what is counted
        #[arg(long)]
        refresh: bool,
    },
    /// The work of which they are counted; for the program itself
    #[command(hide = true)]
    Core {
        /// Blocks that are hauled
        blocks: u64,
    },
    /// One end of the bare pipeline; for the program itself
    #[command(subcommand, hide = true)]
    Model(model::Role),
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match &options.own {
        Some(Own::Model(role)) => model::play(role),
        Some(Own::Guard { refresh }) => guard::compare(*refresh),
        Some(Own::Core { blocks }) => {
            guard::play(*blocks);
            Ok(())
        }
        None => plan::carry_out(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}
