//! What is measured, in which order, and what all parts share.

use std::path::PathBuf;
use std::time::Instant;

use blockhaul_tests::Result;
use blockhaul_tests::programs::{Profile, Programs};
use clap::ValueEnum;
use serde_json::{Map, Value};

use crate::report::Table;
use crate::{Options, haul, latency, others, rest, start};

/// Parts of the measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Limits, the bare pipeline and the product, by block size
    Haul,
    /// Several jobs side by side
    Parallel,
    /// The same on a disk
    Disk,
    /// Other programs
    Peers,
    /// From sealed to durable at the target, and catching up
    Latency,
    /// Start and recovery over the size of the volume
    Start,
    /// Memory and cost at rest over the number of tracks
    Rest,
}

/// What all parts share.
pub struct Bench {
    /// The two programs.
    pub programs: Programs,
    /// Another build of the daemon.
    pub against: Option<Programs>,
    /// Two minutes in place of twenty.
    pub quick: bool,
    /// Runs of each case.
    pub runs: usize,
    /// Bytes of one run.
    pub bytes: u64,
}

/// Measures and reports.
pub fn carry_out(options: &Options) -> Result<()> {
    let programs = programs(options)?;
    let against = options.against.clone().map(|daemon| Programs {
        daemon,
        command: programs.command.clone(),
    });
    let bench = Bench {
        programs,
        against,
        quick: options.quick,
        runs: options.runs.unwrap_or(if options.quick { 3 } else { 7 }),
        bytes: if options.quick { 256 << 20 } else { 1 << 30 },
    };
    let begun = Instant::now();
    let mut tables = Vec::new();
    for part in Part::value_variants() {
        if options.only.is_empty() || options.only.contains(part) {
            tables.extend(match part {
                Part::Haul => haul::sizes(&bench)?,
                Part::Parallel => haul::parallel(&bench)?,
                Part::Disk => haul::disk(&bench)?,
                Part::Peers => others::compare(&bench)?,
                Part::Latency => latency::measure(&bench)?,
                Part::Start => start::measure(&bench)?,
                Part::Rest => rest::measure(&bench)?,
            });
        }
    }
    let text: Vec<String> = tables.iter().map(Table::markdown).collect();
    let text = text.join("\n");
    println!("{text}\nMeasured in {} s.", begun.elapsed().as_secs());
    let all: Map<String, Value> = tables.iter().map(Table::to_json).collect();
    keep(options.markdown.as_ref(), &text)?;
    keep(options.json.as_ref(), &Value::Object(all).to_string())
}

/// The programs of this tree, or those that were given.
fn programs(options: &Options) -> Result<Programs> {
    match &options.daemon {
        Some(daemon) => Ok(Programs {
            daemon: daemon.clone(),
            command: daemon.with_file_name("blockhaul"),
        }),
        None => Programs::build(Profile::Release),
    }
}

fn keep(file: Option<&PathBuf>, text: &str) -> Result<()> {
    match file {
        Some(file) => std::fs::write(file, text).map_err(|error| format!("{} cannot be written: {error}", file.display())),
        None => Ok(()),
    }
}
