//! Depth first through every state that the choices of a scenario lead to, each state once.
//!
//! Where only one thing can happen, it happens at once: such a state is judged like any other, but not kept, so a recovery of sixty
//! reads is one step. Invariants: a state is left out only if its key was seen; whatever was left out for want of time or room is
//! said.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::choice::{Choice, Rules};
use super::world::World;

/// Why going on for ever is wrong.
const CIRCLE: &str = "it goes round in a circle: this state was on the way here, and nothing was done since";
/// Virtual time after the last fault in which everything must be where it belongs: the longest back-off several times over.
const DRAIN_NS: u64 = 600_000_000_000;
/// More steps without a choice than any way has: it would go round in a circle.
const STEPS_MAX: usize = 10_000;
/// Between two looks at the clock.
const LOOK_EVERY: u64 = 1024;

/// When to stop, exhausted or not.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// States.
    pub states: u64,
    /// Wall time.
    pub time: Duration,
}

impl Limits {
    /// To the end.
    pub const NONE: Limits = Limits {
        states: u64::MAX,
        time: Duration::MAX,
    };
}

/// What an exploration has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Different states in which there was a choice, or to which one led.
    pub states: u64,
    /// Things that happened.
    pub transitions: u64,
    /// Longest way.
    pub depth: usize,
    /// Power cuts that were tried.
    pub crashes: u64,
    /// Faults that were tried.
    pub faults: u64,
    /// States in which everything was where it belongs.
    pub ends: u64,
    /// Power cuts with so many pending writes that they were not torn.
    pub not_torn: u64,
    /// Pages that were told apart.
    pub pages: usize,
    /// Wall time.
    pub took: Duration,
    /// Nothing was left.
    pub exhausted: bool,
}

/// A way that leads to something that must not be.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Choices, by their place among those that were open.
    pub path: Vec<usize>,
    /// What is wrong.
    pub why: String,
}

thread_local! {
    /// The way that is being gone, for last words.
    static PATH: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// The way that this thread is on.
pub fn path() -> Vec<usize> {
    PATH.with_borrow(Clone::clone)
}

struct Node {
    /// Taken by the last choice.
    world: Option<World>,
    key: u64,
    choices: Vec<Choice>,
    /// Choices that were taken.
    next: usize,
    /// Length of the way to it.
    way: usize,
}

impl Node {
    /// The next choice and its place. Where to begin differs from state to state, so that an exploration that is stopped has not
    /// only seen the ends of ways.
    fn choice(&self) -> Option<(usize, Choice)> {
        let count = self.choices.len();
        let from = usize::try_from(self.key % count.max(1) as u64).expect("below a length");
        let place = (from + self.next) % count.max(1);
        (self.next < count).then(|| (place, self.choices[place]))
    }
}

/// Explores everything from a world on.
pub fn explore(
    world: World,
    rules: Rules,
    limits: Limits,
    bench: &mut Bench,
    progress: impl Fn(&Report),
) -> Result<Report, Failure> {
    let began = Instant::now();
    let mut report = Report::default();
    let mut seen: HashSet<u64> = HashSet::new();
    let mut cuts: HashSet<u64> = HashSet::new();
    let mut on_the_way: HashSet<u64> = HashSet::new();
    let mut stack: Vec<Node> = Vec::new();
    PATH.with_borrow_mut(Vec::clear);
    let fail = |why: String| Failure { path: path(), why };
    let first = run_on(world, rules, bench, &mut report).map_err(fail)?;
    seen.insert(first.key);
    on_the_way.insert(first.key);
    stack.push(first);
    let mut out_of_bounds = false;
    while let Some(top) = stack.last_mut() {
        PATH.with_borrow_mut(|path| path.truncate(top.way));
        let Some((place, choice)) = top.choice() else {
            on_the_way.remove(&top.key);
            stack.pop();
            continue;
        };
        PATH.with_borrow_mut(|path| path.push(place));
        top.next += 1;
        let world = match top.next == top.choices.len() {
            true => top.world.take(),
            false => top.world.clone(),
        };
        let Some(mut world) = world else { continue };
        if let Choice::PowerCut(at, which, saved) = choice {
            let mut cut = world.clone();
            cut.lose_power(at, which, saved, bench);
            if !cuts.insert(cut.key_without(Some(at))) {
                continue;
            }
            report.crashes += 1;
        }
        if matches!(choice, Choice::Fail(..) | Choice::Cut(_)) {
            report.faults += 1;
        }
        report.transitions += 1;
        world.happen(choice, bench).map_err(fail)?;
        let entry = world.key();
        if on_the_way.contains(&entry) {
            return Err(fail(CIRCLE.into()));
        }
        if !seen.insert(entry) {
            continue;
        }
        let next = run_on(world, rules, bench, &mut report).map_err(fail)?;
        if on_the_way.contains(&next.key) {
            return Err(fail(CIRCLE.into()));
        }
        if next.key != entry && !seen.insert(next.key) {
            continue;
        }
        report.depth = report.depth.max(next.way);
        on_the_way.insert(next.key);
        stack.push(next);
        report.states = seen.len() as u64;
        if report.states % LOOK_EVERY < 2 {
            report.took = began.elapsed();
            progress(&report);
            out_of_bounds = report.took > limits.time;
        }
        if out_of_bounds || report.states >= limits.states {
            out_of_bounds = true;
            break;
        }
    }
    report.states = seen.len() as u64;
    report.took = began.elapsed();
    report.exhausted = !out_of_bounds;
    report.not_torn = bench.not_torn;
    report.pages = bench.store.len();
    Ok(report)
}

/// Goes on until there is a choice, or an end; every state on the way is judged.
fn run_on(mut world: World, rules: Rules, bench: &mut Bench, report: &mut Report) -> Result<Node, String> {
    for _ in 0..STEPS_MAX {
        let choices = open(&mut world, rules, bench, report)?;
        if let [only] = choices[..]
            && !matches!(only, Choice::Fail(..) | Choice::Cut(_) | Choice::PowerCut(..))
        {
            PATH.with_borrow_mut(|path| path.push(0));
            report.transitions += 1;
            world.happen(only, bench)?;
            continue;
        }
        return Ok(Node {
            key: world.key(),
            world: Some(world),
            choices,
            next: 0,
            way: PATH.with_borrow(Vec::len),
        });
    }
    Err(CIRCLE.into())
}

/// What may happen in a state; the end of everything is judged.
pub fn open(world: &mut World, rules: Rules, bench: &mut Bench, report: &mut Report) -> Result<Vec<Choice>, String> {
    let mut choices = world.choices(rules, bench);
    if !world.is_quiet() {
        return Ok(choices);
    }
    match world.missing(bench)? {
        None => {
            world.done(bench)?;
            report.ends += 1;
            choices.retain(|choice| matches!(choice, Choice::PowerCut(..) | Choice::Cut(_)));
        }
        Some((at, why, true)) => {
            if world.restarts_left == 0 {
                return Err(format!("without a fault, {why}"));
            }
            choices.retain(|choice| matches!(choice, Choice::PowerCut(..)));
            choices.insert(0, Choice::Restart(at));
        }
        Some((_, why, false)) => {
            if choices.is_empty() {
                return Err(format!("nothing can happen any more, and it waits for {why}"));
            }
            if world.now_ns - world.calm_since_ns > DRAIN_NS {
                return Err(format!(
                    "{} s after the last fault it still waits for {why}",
                    DRAIN_NS / 1_000_000_000
                ));
            }
        }
    }
    Ok(choices)
}
