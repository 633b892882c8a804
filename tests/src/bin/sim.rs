//! `cargo sim`: histories of whole appliances from seeds.
//!
//! Ends with an error at the first history that breaks the promise, that panics, or that does not end, and says how to see it
//! again.
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::io::IsTerminal;
use std::process::{ExitCode, exit};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::command::{after_help, count, end_quietly_where_nobody_reads, number, print_failure};
use blockhaul_tests::sim::{Echo, Failure, Kind, Tally, replay, run};
use clap::Parser;

/// A history takes less than a second; one that takes this long never ends.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two lines of progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

thread_local! {
    /// What this thread is playing, for last words.
    static PLAYING: Cell<Option<(Kind, u64)>> = const { Cell::new(None) };
}

/// Runs whole appliances on simulated machines with faults, and judges what is on their disks.
#[derive(Parser)]
#[command(after_help = after_help("cargo sim --kind archive --seed 7 --trace 2>&1 | less"))]
struct Arguments {
    /// One seed.
    #[arg(long, value_parser = number, allow_negative_numbers = true, conflicts_with_all = ["seeds", "from", "threads", "go_on"])]
    seed: Option<u64>,
    /// So many seeds of each kind.
    #[arg(long, default_value_t = 100, value_parser = count, allow_negative_numbers = true)]
    seeds: u64,
    /// First of many seeds.
    #[arg(long, default_value_t = 0, value_parser = number, allow_negative_numbers = true)]
    from: u64,
    /// archive: one appliance and its disk. hauling: several, and what is between them. keeping: those free what they need not keep.
    /// peer: one among peers that are wrong. All if left out.
    #[arg(long)]
    kind: Option<Kind>,
    /// Threads; as many as there are cores if left out.
    #[arg(long, value_parser = count, allow_negative_numbers = true)]
    threads: Option<u64>,
    /// Do not end at the first history that breaks the promise.
    #[arg(long)]
    go_on: bool,
    /// With one seed: print everything that happens to standard error.
    #[arg(long, requires = "seed")]
    trace: bool,
}

/// What many histories came to.
#[derive(Default)]
struct Sum {
    histories: u64,
    blocks: u64,
    span_ns: u64,
    tally: Tally,
    failures: Vec<Failure>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(blockhaul_tests::command::words());
    end_quietly_where_nobody_reads();
    say_seed_on_panic();
    let kinds: Vec<Kind> = match arguments.kind {
        Some(kind) => vec![kind],
        None => Kind::ALL.to_vec(),
    };
    if let Some(seed) = arguments.seed {
        let echo = if arguments.trace { Echo::Stderr } else { Echo::Off };
        return kinds
            .into_iter()
            .map(|kind| one(kind, seed, echo))
            .max()
            .unwrap_or(Fate::Kept)
            .code();
    }
    kinds
        .into_iter()
        .map(|kind| many(kind, &arguments))
        .max()
        .unwrap_or(Fate::Kept)
        .code()
}

/// Whether the promise was kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Kept,
    Broken,
}

impl Fate {
    fn code(self) -> ExitCode {
        match self {
            Fate::Kept => ExitCode::SUCCESS,
            Fate::Broken => ExitCode::FAILURE,
        }
    }
}

fn one(kind: Kind, seed: u64, echo: Echo) -> Fate {
    PLAYING.set(Some((kind, seed)));
    match run(kind, seed, echo) {
        Ok(report) => {
            println!(
                "Seed {seed} of kind {kind}: history {:016x}, {} blocks, {} virtual seconds.",
                report.trace_hash,
                report.blocks,
                report.span_ns / 1_000_000_000
            );
            print_table("faults", &report.tally.faults);
            print_table("excused", &report.tally.excused);
            Fate::Kept
        }
        Err(failure) => {
            print_failure(&failure.to_string());
            Fate::Broken
        }
    }
}

fn many(kind: Kind, arguments: &Arguments) -> Fate {
    let begun = Instant::now();
    let next = AtomicU64::new(arguments.from);
    let end = arguments.from.saturating_add(arguments.seeds);
    let over = AtomicBool::new(false);
    let sum = Mutex::new(Sum::default());
    let threads = arguments
        .threads
        .map(|threads| usize::try_from(threads).unwrap_or(usize::MAX))
        .or_else(|| thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    // For each thread the seed that it plays, and since when.
    let playing: Vec<Mutex<Option<(u64, Instant)>>> = (0..threads).map(|_| Mutex::new(None)).collect();
    thread::scope(|scope| {
        let players: Vec<_> = playing
            .iter()
            .map(|mine| scope.spawn(|| play_on(kind, &next, end, &over, arguments.go_on, &sum, mine)))
            .collect();
        while !players.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(50));
            end_what_does_not_end(kind, &playing);
            print_progress(kind, arguments.seeds, begun, &sum);
        }
    });
    let sum = sum.into_inner().expect("no thread has panicked");
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    print_sum(kind, &sum, begun.elapsed(), threads);
    sum.failures.iter().for_each(|failure| print_failure(&failure.to_string()));
    if sum.failures.is_empty() {
        println!("The promise was kept in all of them.");
        return Fate::Kept;
    }
    eprintln!("The promise was broken in {}.", sum.failures.len());
    Fate::Broken
}

fn play_on(
    kind: Kind,
    next: &AtomicU64,
    end: u64,
    over: &AtomicBool,
    go_on: bool,
    sum: &Mutex<Sum>,
    mine: &Mutex<Option<(u64, Instant)>>,
) {
    while !over.load(Ordering::Relaxed) {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            break;
        }
        PLAYING.set(Some((kind, seed)));
        *mine.lock().expect("no thread has panicked") = Some((seed, Instant::now()));
        let result = run(kind, seed, Echo::Off);
        *mine.lock().expect("no thread has panicked") = None;
        let mut sum = sum.lock().expect("no thread has panicked");
        match result {
            Ok(report) => {
                sum.histories += 1;
                sum.blocks += report.blocks;
                sum.span_ns += report.span_ns;
                sum.tally.add(&report.tally);
            }
            Err(failure) => {
                over.fetch_or(!go_on, Ordering::Relaxed);
                sum.failures.push(failure);
            }
        }
    }
}

fn print_progress(kind: Kind, seeds: u64, begun: Instant, sum: &Mutex<Sum>) {
    static LAST: Mutex<Option<Instant>> = Mutex::new(None);
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut last = LAST.lock().expect("no thread has panicked");
    if last.is_some_and(|last| last.elapsed() < PROGRESS_EVERY) {
        return;
    }
    *last = Some(Instant::now());
    let sum = sum.lock().expect("no thread has panicked");
    eprint!(
        "\r{kind}: {} of {seeds} histories, {} faults, {} blocks, {} s ",
        sum.histories,
        sum.tally.faults_total(),
        sum.blocks,
        begun.elapsed().as_secs()
    );
}

fn print_sum(kind: Kind, sum: &Sum, took: Duration, threads: usize) {
    println!(
        "{} histories of kind {kind} with {} faults and {} blocks in {} virtual hours.",
        sum.histories,
        sum.tally.faults_total(),
        sum.blocks,
        sum.span_ns / 3_600_000_000_000
    );
    println!("{:.1} s on {threads} threads.", took.as_secs_f64());
    print_table("faults put in", &sum.tally.faults);
    print_table("struck by them", &sum.tally.struck);
    print_table("named by an event, or not", &sum.tally.named);
    print_table("excused by the state of a disk", &sum.tally.excused);
    print_table("events for people", &sum.tally.codes);
    println!("events that no seed produced: {}", sum.tally.codes_never_seen().join(", "));
}

fn print_table<K: std::fmt::Display>(what: &str, counts: &std::collections::BTreeMap<K, u64>) {
    if counts.is_empty() {
        return;
    }
    println!("{what}:");
    for (key, count) in counts {
        println!("  {count:>9}  {key}");
    }
}

/// A release ends at once in a panic: nothing but the hook is left to say which seed it was.
fn say_seed_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some((kind, seed)) = PLAYING.get() {
            print_failure(&replay(kind, seed));
        }
    }));
}

fn end_what_does_not_end(kind: Kind, playing: &[Mutex<Option<(u64, Instant)>>]) {
    for mine in playing {
        let playing = *mine.lock().expect("no thread has panicked");
        if let Some((seed, since)) = playing
            && since.elapsed() > PATIENCE
        {
            print_failure(&format!(
                "\nSeed {seed} of kind {kind} has not ended in {} seconds.\n{}",
                PATIENCE.as_secs(),
                replay(kind, seed)
            ));
            exit(1);
        }
    }
}
