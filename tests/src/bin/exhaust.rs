//! `cargo exhaust`: every order of completions of a small appliance, with counts.
//!
//! Ends with an error at the first scenario in which the promise is broken, or the product panics, and says how to see it again.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::command::{after_help, count, end_quietly_where_nobody_reads, print_failure};
use blockhaul_tests::exhaust::{Limits, Report, SCENARIOS, Scenario, parse_path, path, replay, replay_line, run};
use clap::Parser;
use clap::builder::PossibleValuesParser;

/// Levels at once.
const THREADS: usize = 2;

thread_local! {
    /// What this thread explores, for last words.
    static ON: Cell<Option<Scenario>> = const { Cell::new(None) };
}

/// Explores every order of completions of a small appliance with faults and power cuts.
#[derive(Parser)]
#[command(after_help = after_help("cargo exhaust --scenario full --path 0x3,1"))]
struct Arguments {
    /// One scenario; all if none is named.
    #[arg(long, value_parser = PossibleValuesParser::new(SCENARIOS.iter().map(|scenario| scenario.name)))]
    scenario: Option<String>,
    /// Go one way, and tell each choice: places among the open choices.
    #[arg(long, requires = "scenario")]
    path: Option<String>,
    /// Go on to levels that take hours.
    #[arg(long)]
    deep: bool,
    /// Stop each level after so many seconds, done or not.
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    seconds: Option<u64>,
    /// One level only: so many faults.
    #[arg(long)]
    faults: Option<u32>,
    /// One level only: so many power cuts.
    #[arg(long)]
    crashes: Option<u32>,
    /// With one level: superblock copies and headers that are read in batches do not fail.
    #[arg(long, requires = "faults")]
    batches_hold: bool,
    /// List the scenarios.
    #[arg(long, exclusive = true)]
    list: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(blockhaul_tests::command::words());
    end_quietly_where_nobody_reads();
    if arguments.list {
        let line = |scenario: &Scenario| println!("{:<9} {}", scenario.name, scenario.what);
        SCENARIOS.iter().for_each(line);
        return ExitCode::SUCCESS;
    }
    let mut scenarios: Vec<Scenario> = SCENARIOS.to_vec();
    if let Some(name) = &arguments.scenario {
        scenarios.retain(|scenario| scenario.name == *name);
    }
    let one = arguments.faults.is_some() || arguments.crashes.is_some();
    let level = (
        arguments.faults.unwrap_or(0),
        arguments.crashes.unwrap_or(0),
        !arguments.batches_hold,
    );
    say_path_on_panic();
    if let Some(path) = &arguments.path {
        let scenario = scenarios[0].with(level);
        let replayed = parse_path(path).and_then(|path| replay(&scenario, &path, |line| println!("{line}")));
        return match replayed {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                print_failure(&why);
                ExitCode::FAILURE
            }
        };
    }
    let levels: Vec<Scenario> = match one {
        true => scenarios.iter().map(|scenario| scenario.with(level)).collect(),
        false => scenarios
            .iter()
            .flat_map(|scenario| scenario.levels(arguments.deep))
            .collect(),
    };
    explore(&levels, arguments.seconds.map(Duration::from_secs))
}

fn explore(levels: &[Scenario], time: Option<Duration>) -> ExitCode {
    let began = Instant::now();
    let limits = Limits {
        time: time.unwrap_or(Duration::MAX),
        ..Limits::NONE
    };
    let waiting = Mutex::new(levels.iter());
    let sum: Mutex<Result<u64, ()>> = Mutex::new(Ok(0));
    println!("{}", heads());
    thread::scope(|scope| {
        for _ in 0..THREADS.min(levels.len()) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().ok().and_then(|mut waiting| waiting.next());
                    let Some(level) = next else { break };
                    ON.set(Some(*level));
                    let explored = run(level, limits, |report| progress(level, report));
                    let mut sum = sum.lock().expect("nobody panics with it");
                    match explored {
                        Ok(report) => {
                            println!("{}", line(level, &report));
                            *sum = sum.map(|sum| sum + report.states);
                        }
                        Err(why) => {
                            print_failure(&why);
                            *sum = Err(());
                        }
                    }
                }
            });
        }
    });
    let Ok(states) = *sum.lock().expect("nobody panics with it") else {
        return ExitCode::FAILURE;
    };
    println!(
        "In each of {states} states: what was acknowledged is durable, in order and there once, and everything drains. {:.0} s.",
        began.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

fn heads() -> String {
    format!(
        "{:<9} {:>6} {:>7} {:>9} {:>12} {:>6} {:>8} {:>8} {:>7} {:>7}  {}",
        "scenario", "faults", "crashes", "states", "transitions", "depth", "struck", "cuts", "ends", "seconds", "how it ended"
    )
}

fn line(scenario: &Scenario, report: &Report) -> String {
    let mut end = match report.exhausted {
        true if scenario.rules.batches_fail => "exhausted".to_owned(),
        true => "exhausted; reads of batches did not fail".to_owned(),
        false => format!("stopped at {} states", report.states),
    };
    if report.not_torn > 0 {
        end += &format!("; {} states with too many pending writes to tear them all", report.not_torn);
    }
    format!(
        "{:<9} {:>6} {:>7} {:>9} {:>12} {:>6} {:>8} {:>8} {:>7} {:>7.1}  {end}",
        scenario.name,
        scenario.faults,
        scenario.crashes,
        report.states,
        report.transitions,
        report.depth,
        report.faults,
        report.crashes,
        report.ends,
        report.took.as_secs_f64(),
    )
}

fn progress(scenario: &Scenario, report: &Report) {
    if report.states % (1 << 17) < 2 {
        eprintln!(
            "{}: {} states, {} transitions, {:.0} s",
            scenario.name,
            report.states,
            report.transitions,
            report.took.as_secs_f64()
        );
    }
}

/// A release ends at once in a panic: nothing but the hook is left to say which way it went.
fn say_path_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some(scenario) = ON.get() {
            print_failure(&replay_line(&scenario, &path()));
        }
    }));
}
