//! `cargo crash-states`: what may be on a disk when power goes, and what the product makes of it.
//!
//! Ends with an error at the first state in which something does not hold, and says how to see it again.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::Instant;

use blockhaul_tests::crash::{Counts, Extent, WORKLOADS, Workload, one, say_state_on_panic, workload};
use clap::Parser;

/// Cuts the power at every moment of scripted workloads, opens every disk that may be left, and judges it.
#[derive(Parser)]
struct Arguments {
    /// One workload.
    #[arg(long)]
    workload: Option<String>,
    /// One state of it, with everything that happens.
    #[arg(long, requires = "workload")]
    state: Option<usize>,
    /// One in fifty states.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    say_state_on_panic();
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let wanted: Vec<&Workload> = match &arguments.workload {
        None => WORKLOADS.iter().collect(),
        Some(name) => {
            let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
            let found = WORKLOADS.iter().find(|workload| workload.name == name);
            vec![found.ok_or_else(|| format!("There is no workload {name}; there are {}.", names.join(", ")))?]
        }
    };
    if let (Some(number), [workload]) = (arguments.state, wanted.as_slice()) {
        let picture = one(workload, number)?;
        println!("{picture}\nEverything holds.");
        return Ok(());
    }
    let extent = if arguments.quick { Extent::Every(50) } else { Extent::Whole };
    let begun = Instant::now();
    let mut sum = Counts::default();
    println!(
        "{:<13} {:>7} {:>6} {:>8} {:>9} {:>9} {:>9} {:>7}  what it does",
        "workload", "lines", "cuts", "pending", "states", "within", "openings", "time"
    );
    for one in wanted {
        let row = workload(one, extent, &|at, all| {
            progress(&format!("{}: {at} of {all} states", one.name))
        })?;
        progress("");
        println!(
            "{:<13} {:>7} {:>6} {:>8} {:>9} {:>9} {:>9} {:>5.1} s  {}",
            one.name,
            row.lines,
            row.cuts,
            row.pending,
            row.counts.states,
            row.counts.within,
            row.counts.openings,
            row.took.as_secs_f64(),
            one.what
        );
        sum.states += row.counts.states;
        sum.within += row.counts.within;
        sum.openings += row.counts.openings;
    }
    println!(
        "{} crash states, {} more within their recovery, {} openings in {:.0} s: nothing acknowledged is missing, nothing comes back.",
        sum.states,
        sum.within,
        sum.openings,
        begun.elapsed().as_secs_f64()
    );
    Ok(())
}

/// One line that is written over by the next, where somebody looks.
fn progress(line: &str) {
    if stderr().is_terminal() {
        eprint!("\r{line:<60}\r");
        let _ = stderr().flush();
    }
}
