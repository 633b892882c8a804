//! `cargo crash-states`: what may be on a disk when power goes, and what the product makes of it.
//!
//! Ends with an error at the first state in which something does not hold, and says how to see it again.
#![forbid(unsafe_code)]

use std::io::{IsTerminal, Write, stderr};
use std::process::ExitCode;
use std::time::Instant;

use blockhaul_tests::command::{after_help, count, end_quietly_where_nobody_reads, number, print_failure};
use blockhaul_tests::crash::bits::PLACES;
use blockhaul_tests::crash::io::{Case, KINDS, SCENARIOS, Scenario};
use blockhaul_tests::crash::{Counts, Extent, WORKLOADS, Workload, count_states, one, say_state_on_panic, workload};
use blockhaul_tests::crash::{bits, io};
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand};

/// Cuts the power at every moment of scripted workloads, opens every disk that may be left, and judges it.
#[derive(Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = after_help("cargo crash-states --workload burst --state 17 2>&1 | less")
)]
struct Arguments {
    #[command(subcommand)]
    what: Option<What>,
    /// One workload.
    #[arg(long, value_parser = PossibleValuesParser::new(WORKLOADS.iter().map(|workload| workload.name)))]
    workload: Option<String>,
    /// One state of it, with everything that happens.
    #[arg(long, requires = "workload", value_parser = number, allow_negative_numbers = true)]
    state: Option<u64>,
    /// One in fifty states.
    #[arg(long, conflicts_with = "state")]
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
#[command(after_help = after_help("cargo crash-states bits --place header --bit 17"))]
struct BitsArguments {
    /// One place.
    #[arg(long, value_parser = PossibleValuesParser::new(PLACES.map(|(_, name, ..)| name)))]
    place: Option<String>,
    /// One bit of it, from 0 on, with everything that happens.
    #[arg(long, requires = "place", value_parser = number, allow_negative_numbers = true)]
    bit: Option<u64>,
    /// One in nineteen bits.
    #[arg(long, conflicts_with = "bit")]
    quick: bool,
}

#[derive(Args)]
#[command(after_help = after_help("cargo crash-states io --scenario create --kind write --nth 3 --sticky"))]
struct IoArguments {
    /// One scenario.
    #[arg(long, value_parser = PossibleValuesParser::new(SCENARIOS.map(|scenario| scenario.name)))]
    scenario: Option<String>,
    /// Only this kind, for one case.
    #[arg(long, requires = "nth", requires = "scenario", value_parser = PossibleValuesParser::new(KINDS.map(|(_, name, _)| name)))]
    kind: Option<String>,
    /// Which of the errors of that kind, from 0 on.
    #[arg(long, default_value_t = 0, requires = "kind", value_parser = number, allow_negative_numbers = true)]
    error: u64,
    /// Which operation, from 1 on; with everything that happens.
    #[arg(long, requires = "kind", value_parser = count, allow_negative_numbers = true)]
    nth: Option<u64>,
    /// All from that one on.
    #[arg(long, requires = "kind")]
    sticky: bool,
    /// One in seven operations.
    #[arg(long, conflicts_with = "kind")]
    quick: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(blockhaul_tests::command::words());
    end_quietly_where_nobody_reads();
    say_state_on_panic();
    let outcome = match &arguments.what {
        None => run(&arguments),
        Some(What::Io(arguments)) => run_io(arguments),
        Some(What::Bits(arguments)) => run_bits(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            print_failure(&why);
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let is_wanted = |name: &str| arguments.workload.as_ref().is_none_or(|wanted| wanted == name);
    let wanted: Vec<&Workload> = WORKLOADS.iter().filter(|workload| is_wanted(workload.name)).collect();
    if let (Some(number), [workload]) = (arguments.state, wanted.as_slice()) {
        let states = count_states(workload)?;
        let picture = one(workload, below(number, states, &format!("states of {}", workload.name)))?;
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
    let is_wanted = |name: &str| arguments.scenario.as_ref().is_none_or(|wanted| wanted == name);
    let wanted: Vec<&Scenario> = SCENARIOS.iter().filter(|scenario| is_wanted(scenario.name)).collect();
    if let (Some(kind), Some(nth), [scenario]) = (&arguments.kind, arguments.nth, wanted.as_slice()) {
        let place = KINDS.iter().position(|(_, name, _)| name == kind).unwrap_or_default();
        let errors = KINDS[place].2;
        let case = Case {
            kind: place,
            error: errors[below(arguments.error, errors.len(), &format!("errors of a {kind}"))],
            nth,
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
    let is_wanted = |name: &str| arguments.place.as_ref().is_none_or(|wanted| wanted == name);
    let wanted: Vec<_> = PLACES.iter().filter(|(_, name, ..)| is_wanted(name)).copied().collect();
    if let (Some(bit), [(place, name, count, _)]) = (arguments.bit, wanted.as_slice()) {
        bits::one(*place, below(bit, *count, &format!("bits of {name}")))?;
        println!("It was noticed, and not passed on.");
        return Ok(());
    }
    println!("{:<11} {:>8} {:>8}  what must come of it", "place", "bits", "time");
    for (place, name, _, what) in wanted {
        let begun = Instant::now();
        // A step that has a divisor in common with the bits of a byte would leave some of them alone.
        let step = if arguments.quick { 19 } else { 1 };
        let count = bits::place(place, step, &|at, all| progress(&format!("{name}: {at} of {all} bits")))?;
        progress("");
        println!("{name:<11} {count:>8} {:>6.1} s  {what}", begun.elapsed().as_secs_f64());
    }
    println!("Every turned bit was noticed, none was passed on.");
    Ok(())
}

/// A number of one of `count` things, or the end with a sentence.
fn below(number: u64, count: usize, things: &str) -> usize {
    let place = usize::try_from(number).ok().filter(|place| *place < count);
    place.unwrap_or_else(|| {
        let why = format!("There are {count} {things}, numbered from 0 on: {number} is none of them.");
        Arguments::command().error(ErrorKind::ValueValidation, why).exit()
    })
}

/// One line that is written over by the next, where somebody looks.
fn progress(line: &str) {
    if stderr().is_terminal() {
        eprint!("\r{line:<60}\r");
        let _ = stderr().flush();
    }
}
