//! `cargo sim`: histories of whole appliances from seeds.
//!
//! Ends with an error at the first history that breaks the promise, that panics, or that does not end, and says how to see it
//! again.
#![forbid(unsafe_code)]

use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use blockhaul_tests::sim::{Echo, Report, replay, run};
use clap::Parser;

/// A history takes less than a second; one that takes this long never ends.
const PATIENCE: Duration = Duration::from_secs(60);

/// The seed that is running, for last words.
static SEED: AtomicU64 = AtomicU64::new(0);

/// Runs whole appliances on simulated machines with faults, and judges what is on their disks.
#[derive(Parser)]
struct Arguments {
    /// One seed.
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// So many seeds.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// First of many seeds.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Print everything that happens to standard error.
    #[arg(long)]
    trace: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = match arguments.seed {
        Some(seed) => seed..seed.saturating_add(1),
        None => arguments.from..arguments.from.saturating_add(arguments.seeds),
    };
    let count = seeds.end - seeds.start;
    let echo = if arguments.trace { Echo::Stderr } else { Echo::Off };
    SEED.store(seeds.start, Ordering::Relaxed);
    say_seed_on_panic();
    end_what_does_not_end();
    let (mut faults, mut blocks) = (0, 0);
    for seed in seeds {
        SEED.store(seed, Ordering::Relaxed);
        match run(seed, echo) {
            Ok(Report {
                trace_hash,
                faults: more_faults,
                blocks: more_blocks,
                span_ns,
            }) => {
                faults += more_faults;
                blocks += more_blocks;
                if arguments.seed.is_some() {
                    println!(
                        "Seed {seed}: history {trace_hash:016x}, {} virtual seconds.",
                        span_ns / 1_000_000_000
                    );
                }
            }
            Err(failure) => {
                eprintln!("{failure}");
                return ExitCode::FAILURE;
            }
        }
    }
    println!("{count} histories with {faults} faults and {blocks} blocks: nothing lost, nothing twice.");
    ExitCode::SUCCESS
}

/// A release ends at once in a panic: nothing but the hook is left to say which seed it was.
fn say_seed_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        eprintln!("{}", replay(SEED.load(Ordering::Relaxed)));
    }));
}

fn end_what_does_not_end() {
    thread::spawn(|| {
        loop {
            let before = SEED.load(Ordering::Relaxed);
            thread::sleep(PATIENCE);
            if SEED.load(Ordering::Relaxed) == before {
                eprintln!(
                    "Seed {before} has not ended in {} seconds.\n{}",
                    PATIENCE.as_secs(),
                    replay(before)
                );
                exit(1);
            }
        }
    });
}
