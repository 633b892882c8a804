//! `cargo ci`: everything that must be right before a change is taken, in order; the first thing that is not ends it.
//!
//! `cargo ci STEP` runs one step only. Needs Rust and a C linker; installs the rest when it may, and says what is missing
//! when it may not.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod packages;
mod readme;
mod steps;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use steps::{STEPS, Step};

fn main() -> ExitCode {
    blockhaul_tests::command::end_quietly_where_nobody_reads();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let unknown = wanted.iter().find(|name| STEPS.iter().all(|step| step.name != name.as_str()));
    if let Some(name) = unknown {
        let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
        eprintln!("There is no step {name}. The steps are: {}.", names.join(", "));
        return ExitCode::from(2);
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| wanted.is_empty() || wanted.iter().any(|name| name == step.name))
        .collect();
    let mut passed: Vec<(&Step, Duration)> = Vec::new();
    for (index, step) in chosen.iter().enumerate() {
        println!("\n==> {}/{} {}: {}", index + 1, chosen.len(), step.name, step.what);
        let begun = Instant::now();
        let result = (step.run)();
        let took = begun.elapsed();
        if let Err(why) = result {
            println!("\n{why}");
            print_table(&passed, Some((step, took)), &chosen[index + 1..]);
            println!("{} failed. To run only that: cargo ci {}", step.name, step.name);
            return ExitCode::FAILURE;
        }
        passed.push((step, took));
    }
    print_table(&passed, None, &[]);
    println!("{} passed, 0 failed", passed.len());
    ExitCode::SUCCESS
}

fn print_table(passed: &[(&Step, Duration)], failed: Option<(&Step, Duration)>, left: &[&Step]) {
    println!("\nstep          result   seconds");
    for (step, took) in passed {
        println!("{:<12}  passed  {:>8.1}", step.name, took.as_secs_f64());
    }
    if let Some((step, took)) = failed {
        println!("{:<12}  FAILED  {:>8.1}", step.name, took.as_secs_f64());
    }
    for step in left {
        println!("{:<12}  not run        -", step.name);
    }
    println!();
}
