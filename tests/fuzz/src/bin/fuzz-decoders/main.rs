//! `cargo fuzz-decoders`: builds the fuzzer, lets it loose on the targets for a bounded time, and keeps what it finds.
//!
//! Ends with an error if anything was found, and says how to see it again.
#![forbid(unsafe_code)]

mod build;
mod engine;
mod find;
mod table;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;

use blockhaul_fuzz::{Result, TARGETS, Target, corpus, target};
use clap::Parser;

/// Fuzzes every decoder of the product, or some.
#[derive(Parser)]
struct Arguments {
    /// Targets; all if none is named.
    targets: Vec<String>,
    /// Seconds of one core, shared by the targets.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Try the same inputs in the same order as any other run from this seed; a slower machine gets less far.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    seed: Option<u32>,
    /// Only check what this file holds, without the fuzzer.
    #[arg(long)]
    input: Option<PathBuf>,
    /// Make the inputs to begin with again.
    #[arg(long, exclusive = true)]
    make_corpus: bool,
    /// List the targets.
    #[arg(long, exclusive = true)]
    list: bool,
}

fn main() -> ExitCode {
    if let Some(code) = build::wrapped() {
        return code;
    }
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if arguments.make_corpus {
        println!(
            "{} inputs were made in {}.",
            corpus::make()?,
            corpus::package().join("corpus").display()
        );
        return Ok(());
    }
    if arguments.list {
        TARGETS
            .iter()
            .for_each(|target| println!("{:<12} {}", target.name, target.what));
        return Ok(());
    }
    let named: Vec<&'static Target> = arguments.targets.iter().map(|name| target(name)).collect::<Result<_>>()?;
    let chosen = if named.is_empty() { TARGETS.to_vec() } else { named };
    if let Some(input) = &arguments.input {
        return check(&chosen, input);
    }
    let work = build::work_folder()?;
    let engine = build::engine()?;
    let seed = arguments.seed;
    fuzz(&chosen, arguments.seconds, &engine::Bench { engine, work, seed })
}

/// Gives one input to a target; it panics where it does not hold.
fn check(chosen: &[&Target], input: &std::path::Path) -> Result<()> {
    let [target] = chosen else {
        return Err("Name the one target that the input is for: cargo fuzz-decoders TARGET --input FILE".into());
    };
    let bytes = corpus::read(input)?;
    (target.check)(&bytes);
    println!(
        "{}: all holds for the {} bytes of {}.",
        target.name,
        bytes.len(),
        input.display()
    );
    Ok(())
}

/// All targets, as many at once as there are cores.
fn fuzz(chosen: &[&'static Target], seconds: u64, bench: &engine::Bench) -> Result<()> {
    let each = (seconds / chosen.len() as u64).max(1);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!(
        "{} targets, {each} s each, {} at once.",
        chosen.len(),
        cores.min(chosen.len())
    );
    table::head();
    let waiting = Mutex::new(chosen.iter());
    let outcomes: Vec<Result<usize>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| work_off(&waiting, each, bench))).collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|outcome| outcome.unwrap_or_else(|_| Err("A thread of this command panicked; why is above.".into())))
            .collect()
    });
    let found: usize = outcomes.into_iter().sum::<Result<usize>>()?;
    match found {
        0 => Ok(()),
        _ => Err(format!(
            "{found} found. Each is kept with the line that shows it again; mend the product and commit the input with the mend."
        )),
    }
}

/// Takes targets until there are none left; returns how many were found wanting.
fn work_off<'a>(
    waiting: &Mutex<impl Iterator<Item = &'a &'static Target>>,
    seconds: u64,
    bench: &engine::Bench,
) -> Result<usize> {
    let mut found = 0;
    loop {
        let next = waiting.lock().map_or(None, |mut waiting| waiting.next());
        let Some(target) = next else { return Ok(found) };
        let run = bench.run(target, seconds)?;
        table::row(target, &run);
        if let Some(artifact) = &run.artifact {
            found += 1;
            println!("{}", find::keep(target, artifact, &run.why, bench)?);
        }
    }
}
