//! `cargo crash-states`: what may be on a disk when power goes, and what the product makes of it.
//!
//! Ends with an error at the first state in which something does not hold, and says how to see it again.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::Instant;

use blockhaul_tests::crash::bits::PLACES;
use blockhaul_tests::crash::io::{Case, KINDS, SCENARIOS, Scenario};
use blockhaul_tests::crash::{Counts, Extent, WORKLOADS, Workload, one, say_state_on_panic, workload};
use blockhaul_tests::crash::{bits, io};
use clap::{Args, Parser, Subcommand};

/// Cuts the power at every moment of scripted workloads, opens every disk that may be left, and judges it.
#[derive(Parser)]
#[command(args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
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

#[derive(Subcommand)]
enum What {
    /// Lets the first, second, third … operation of a disk fail, once and for ever, and judges what comes of it.
    Io(IoArguments),
    /// Turns every bit of the superblock copies and of a block header, and many of payloads, one at a time.
    Bits(BitsArguments),
}

#[derive(Args)]
struct BitsArguments {
    /// One place: superblock, header or payload.
    #[arg(long)]
    place: Option<String>,
    /// One bit of it, with everything that happens.
    #[arg(long, requires = "place")]
    bit: Option<usize>,
    /// One in twenty bits.
    #[arg(long)]
    quick: bool,
}

#[derive(Args)]
struct IoArguments {
    /// One scenario.
    #[arg(long)]
    scenario: Option<String>,
    /// Only this kind, for one case: read, write or flush.
    #[arg(long, requires = "nth", requires = "scenario")]
    kind: Option<String>,
    /// Which of the errors of that kind, from 0 on.
    #[arg(long, default_value_t = 0)]
    error: usize,
    /// Which operation, from 1 on; with everything that happens.
    #[arg(long, requires = "kind")]
    nth: Option<u64>,
    /// All from that one on.
    #[arg(long)]
    sticky: bool,
    /// One in seven operations.
    #[arg(long)]
    quick: bool,
}

fn main() -> ExitCode {
    say_state_on_panic();
    let arguments = Arguments::parse();
    let outcome = match &arguments.what {
        None => run(&arguments),
        Some(What::Io(arguments)) => run_io(arguments),
        Some(What::Bits(arguments)) => run_bits(arguments),
    };
    match outcome {
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

fn run_io(arguments: &IoArguments) -> Result<(), String> {
    let wanted: Vec<&Scenario> = match &arguments.scenario {
        None => SCENARIOS.iter().collect(),
        Some(name) => {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
            vec![found.ok_or_else(|| format!("There is no scenario {name}; there are {}.", names.join(", ")))?]
        }
    };
    if let (Some(kind), Some(nth), [scenario]) = (&arguments.kind, arguments.nth, wanted.as_slice()) {
        let place = KINDS.iter().position(|(_, name, _)| name == kind);
        let kind = place.ok_or("There are the kinds read, write and flush.")?;
        let error = KINDS[kind].2.get(arguments.error);
        let case = Case {
            kind,
            error: *error.ok_or_else(|| format!("There are the errors {:?}, from 0 on.", KINDS[kind].2))?,
            nth: nth.max(1),
            sticky: arguments.sticky,
        };
        println!("{}", io::one(scenario, &case)?);
        return Ok(());
    }
    println!(
        "{:<12} {:>6} {:>7} {:>8} {:>6} {:>9} {:>7}  what it does",
        "scenario", "reads", "writes", "flushes", "runs", "survived", "time"
    );
    let mut runs = 0;
    for scenario in wanted {
        let step = if arguments.quick { 7 } else { 1 };
        let row = io::scenario(scenario, step, &|runs| progress(&format!("{}: {runs} runs", scenario.name)))?;
        progress("");
        let [reads, writes, flushes] = row.operations;
        println!(
            "{:<12} {reads:>6} {writes:>7} {flushes:>8} {:>6} {:>9} {:>5.1} s  {}",
            scenario.name,
            row.runs,
            row.survived,
            row.took.as_secs_f64(),
            scenario.what
        );
        runs += row.runs;
    }
    println!("{runs} runs with a failing operation: every promise held, and what was not done was told.");
    Ok(())
}

fn run_bits(arguments: &BitsArguments) -> Result<(), String> {
    let wanted: Vec<_> = match &arguments.place {
        None => PLACES.to_vec(),
        Some(name) => PLACES.iter().filter(|(_, other, ..)| other == name).copied().collect(),
    };
    if let (Some(bit), Some((place, ..))) = (arguments.bit, wanted.first()) {
        bits::one(*place, bit)?;
        println!("It was noticed, and not passed on.");
        return Ok(());
    }
    if wanted.is_empty() {
        return Err("There are the places superblock, header and payload.".into());
    }
    println!("{:<11} {:>8} {:>8}  what must come of it", "place", "bits", "time");
    for (place, name, _, what) in wanted {
        let begun = Instant::now();
        let step = if arguments.quick { 20 } else { 1 };
        let count = bits::place(place, step, &|at, all| progress(&format!("{name}: {at} of {all} bits")))?;
        progress("");
        println!("{name:<11} {count:>8} {:>6.1} s  {what}", begun.elapsed().as_secs_f64());
    }
    println!("Every turned bit was noticed, none was passed on.");
    Ok(())
}

/// One line that is written over by the next, where somebody looks.
fn progress(line: &str) {
    if stderr().is_terminal() {
        eprint!("\r{line:<60}\r");
        let _ = stderr().flush();
    }
}
