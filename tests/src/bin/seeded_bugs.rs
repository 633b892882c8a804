//! `cargo seeded-bugs`: puts one bug after another into the core, and lets the benches find it.
//!
//! Ends with an error if a bug is found by none of them.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use blockhaul_core::seeded::{Bug, seed};
use blockhaul_tests::command::end_quietly_where_nobody_reads;
use blockhaul_tests::seeded::{BENCHES, QUICK, chase, name, named};
use clap::Parser;

/// Bugs that are hunted at once.
const THREADS: usize = 2;

/// Characters of what did not hold.
const WORDS_MAX: usize = 500;

/// What a bench that is on its own has tried.
static TRIED: AtomicU64 = AtomicU64::new(0);

/// Puts one bug after another into the core, and lets the benches find it.
#[derive(Parser)]
struct Arguments {
    /// One bug.
    #[arg(long)]
    bug: Option<String>,
    /// One bench, in this process; its first find in full.
    #[arg(long, requires = "bug")]
    bench: Option<String>,
    /// Only the bugs that are found soon.
    #[arg(long, conflicts_with = "bug")]
    quick: bool,
    /// Every bench for each bug, not only until one finds it.
    #[arg(long)]
    all: bool,
}

fn main() -> ExitCode {
    end_quietly_where_nobody_reads();
    let done = match Arguments::parse_from(blockhaul_tests::command::words()) {
        Arguments {
            bug: Some(bug),
            bench: Some(bench),
            ..
        } => one(&bug, &bench),
        arguments => hunt(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            println!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn one(bug: &str, bench: &str) -> Result<(), String> {
    let bug = named(bug)?;
    let Some(bench) = BENCHES.iter().find(|one| one.name == bench) else {
        let names = BENCHES.map(|bench| bench.name);
        return Err(format!("There is no bench {bench}; there are {}.", names.join(", ")));
    };
    let after = || format!("{} {}", TRIED.load(Ordering::Relaxed), bench.unit);
    let before = std::panic::take_hook();
    let unit = bench.unit;
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        let said = panic.to_string().replace('\n', " ");
        println!("{} {unit}: {said}", TRIED.load(Ordering::Relaxed));
    }));
    seed(bug);
    (bench.run)(&TRIED).map_err(|why| {
        // The parent reads when this process has ended: more than a pipe holds would keep it from ending.
        let why: String = why.lines().next().unwrap_or_default().chars().take(WORDS_MAX).collect();
        format!("{}: {why}", after())
    })
}

fn hunt(arguments: &Arguments) -> Result<(), String> {
    let bugs: Vec<Bug> = match &arguments.bug {
        Some(bug) => vec![named(bug)?],
        None if arguments.quick => QUICK.to_vec(),
        None => Bug::ALL.to_vec(),
    };
    let begun = Instant::now();
    println!("| bug | found by | after | what did not hold |\n|---|---|---|---|");
    let (waiting, free) = (
        Mutex::new(bugs.iter().rev().copied().collect::<Vec<_>>()),
        Mutex::new(Vec::new()),
    );
    let failed: Mutex<Vec<String>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(bug) = take(&waiting) {
                    match track(bug, arguments.all) {
                        Ok(true) => {}
                        Ok(false) => put(&free, name(bug)),
                        Err(why) => put(&failed, why),
                    }
                }
            });
        }
    });
    let (free, failed) = (all(free), all(failed));
    if let Some(why) = failed.first() {
        return Err(why.clone());
    }
    let seconds = begun.elapsed().as_secs();
    if free.is_empty() {
        println!("\nEvery one of {} bugs was found, in {seconds} s.", bugs.len());
        return Ok(());
    }
    Err(format!("\nNot found in {seconds} s: {}.", free.join(", ")))
}

/// Whether a bench finds it.
fn track(bug: Bug, every: bool) -> Result<bool, String> {
    let mut found = false;
    for bench in &BENCHES {
        if let Some(catch) = chase(bug, bench)? {
            println!("| {} | {} | {} | {} |", name(bug), bench.name, catch.after, catch.why);
            found = true;
            if !every {
                break;
            }
        }
    }
    Ok(found)
}

fn take(waiting: &Mutex<Vec<Bug>>) -> Option<Bug> {
    waiting.lock().expect("nobody panics with it").pop()
}

fn put<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().expect("nobody panics with it").push(item);
}

fn all<T>(list: Mutex<Vec<T>>) -> Vec<T> {
    list.into_inner().expect("nobody panics with it")
}
