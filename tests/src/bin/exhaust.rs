//! `cargo exhaust`: every order of completions of a small appliance, with counts.
//!
//! Ends with an error at the first scenario in which the promise is broken, or the product panics, and says how to see it again.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::exhaust::{Limits, Report, SCENARIOS, Scenario, levels, limits, parse_path, path, replay, replay_line, run};
use clap::Parser;

/// Scenarios at once.
const THREADS: usize = 2;

thread_local! {
    /// What this thread explores, for last words.
    static ON: Cell<Option<Scenario>> = const { Cell::new(None) };
}

/// Explores every order of completions of a small appliance with faults and power cuts.
#[derive(Parser)]
struct Arguments {
    /// One scenario.
    #[arg(long)]
    scenario: Option<String>,
    /// Go one way, and tell each choice: places among the open choices.
    #[arg(long, requires = "scenario")]
    path: Option<String>,
    /// Take an hour for each scenario if need be.
    #[arg(long)]
    deep: bool,
    /// Take at most so many seconds for each scenario.
    #[arg(long)]
    seconds: Option<u64>,
    /// Faults, instead of the scenario's own number.
    #[arg(long)]
    faults: Option<u32>,
    /// Power cuts, instead of the scenario's own number.
    #[arg(long)]
    crashes: Option<u32>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut scenarios: Vec<Scenario> = SCENARIOS.to_vec();
    if let Some(name) = &arguments.scenario {
        scenarios.retain(|scenario| scenario.name == *name);
        if scenarios.is_empty() {
            let names: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            eprintln!("There is no scenario {name}. Choose one of: {}.", names.join(", "));
            return ExitCode::FAILURE;
        }
    }
    for scenario in &mut scenarios {
        scenario.faults = arguments.faults.unwrap_or(scenario.faults);
        scenario.crashes = arguments.crashes.unwrap_or(scenario.crashes);
    }
    say_path_on_panic();
    if let Some(path) = &arguments.path {
        let replayed = parse_path(path).and_then(|path| replay(&scenarios[0], &path, |line| println!("{line}")));
        return match replayed {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    let mut bounds = limits(arguments.deep);
    if let Some(seconds) = arguments.seconds {
        bounds.time = Duration::from_secs(seconds);
    }
    explore(&scenarios, bounds)
}

fn explore(scenarios: &[Scenario], bounds: Limits) -> ExitCode {
    let waiting = Mutex::new(scenarios.iter().rev().collect::<Vec<_>>());
    let failed = Mutex::new(false);
    println!("{}", heads());
    thread::scope(|scope| {
        for _ in 0..THREADS.min(scenarios.len()) {
            scope.spawn(|| {
                loop {
                    let next = waiting.lock().ok().and_then(|mut waiting| waiting.pop());
                    let Some(scenario) = next else { break };
                    if let Err(why) = climb(scenario, bounds) {
                        eprintln!("{why}");
                        *failed.lock().expect("nobody panics with it") = true;
                    }
                }
            });
        }
    });
    if *failed.lock().expect("nobody panics with it") {
        return ExitCode::FAILURE;
    }
    println!("In every state: what was acknowledged is durable, in order and there once, and everything drains.");
    ExitCode::SUCCESS
}

/// One scenario with more and more faults and power cuts, as long as its time lasts.
fn climb(scenario: &Scenario, bounds: Limits) -> Result<(), String> {
    let began = Instant::now();
    let levels = levels(scenario);
    for (number, level) in levels.iter().enumerate() {
        ON.set(Some(*level));
        let left = u32::try_from(levels.len() - number).expect("a few");
        let time = bounds.time.saturating_sub(began.elapsed()) / left;
        let report = run(level, Limits { time, ..bounds }, |report| progress(level, report))?;
        println!("{}", line(level, &report));
    }
    Ok(())
}

fn heads() -> String {
    format!(
        "{:<9} {:>6} {:>7} {:>9} {:>12} {:>6} {:>8} {:>8} {:>7} {:>7}  {}",
        "scenario", "faults", "crashes", "states", "transitions", "depth", "struck", "cuts", "ends", "seconds", "how it ended"
    )
}

fn line(scenario: &Scenario, report: &Report) -> String {
    let mut end = match report.exhausted {
        true => "exhausted".to_owned(),
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
    if report.states.is_multiple_of(1 << 17) {
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
            eprintln!("{}", replay_line(&scenario, &path()));
        }
    }));
}
