//! Depth first through every state that the choices of a scenario lead to, each state once.
//!
//! Invariants: a state is left out only if its key was seen; whatever was left out for want of time or room is said.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use super::bench::Bench;
use super::choice::{Choice, Rules};
use super::world::World;

/// Virtual time after the last fault in which everything must be where it belongs: the longest back-off several times over.
const DRAIN_NS: u64 = 600_000_000_000;
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

/// What an exploration has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Different states.
    pub states: u64,
    /// Choices that were taken.
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
    world: World,
    key: u64,
    choices: Vec<Choice>,
    /// Choices that were taken.
    next: usize,
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
    let mut on_the_way: HashMap<u64, usize> = HashMap::new();
    let mut stack: Vec<Node> = Vec::new();
    PATH.with_borrow_mut(Vec::clear);
    let fail = |why: String| Failure { path: path(), why };
    let key = world.key();
    let first = node(world, key, rules, bench, &mut report).map_err(fail)?;
    seen.insert(first.key);
    on_the_way.insert(first.key, 0);
    stack.push(first);
    report.states = 1;
    let mut out_of_bounds = false;
    while let Some(top) = stack.last_mut() {
        let Some((place, choice)) = top.choice() else {
            on_the_way.remove(&top.key);
            stack.pop();
            PATH.with_borrow_mut(Vec::pop);
            continue;
        };
        PATH.with_borrow_mut(|path| path.push(place));
        top.next += 1;
        let mut world = top.world.clone();
        if let Choice::PowerCut(at, which, saved) = choice {
            let mut cut = world.clone();
            cut.lose_power(at, which, saved, bench);
            if !cuts.insert(cut.key_without(Some(at))) {
                PATH.with_borrow_mut(Vec::pop);
                continue;
            }
            report.crashes += 1;
        }
        if matches!(choice, Choice::Fail(..) | Choice::Cut(_)) {
            report.faults += 1;
        }
        report.transitions += 1;
        world.happen(choice, bench).map_err(fail)?;
        let key = world.key();
        if on_the_way.contains_key(&key) {
            return Err(fail(
                "it goes round in a circle: this state was on the way here, and nothing was done since".into(),
            ));
        }
        if !seen.insert(key) {
            PATH.with_borrow_mut(Vec::pop);
            continue;
        }
        let next = node(world, key, rules, bench, &mut report).map_err(fail)?;
        report.states += 1;
        on_the_way.insert(key, stack.len());
        stack.push(next);
        report.depth = report.depth.max(stack.len());
        if report.states.is_multiple_of(LOOK_EVERY) {
            report.took = began.elapsed();
            progress(&report);
            if report.took > limits.time {
                out_of_bounds = true;
            }
        }
        if out_of_bounds || report.states >= limits.states {
            out_of_bounds = true;
            break;
        }
    }
    report.took = began.elapsed();
    report.exhausted = !out_of_bounds;
    report.not_torn = bench.not_torn;
    report.pages = bench.store.len();
    Ok(report)
}

/// A state with what may happen in it, after it was judged.
fn node(mut world: World, key: u64, rules: Rules, bench: &mut Bench, report: &mut Report) -> Result<Node, String> {
    let choices = open(&mut world, rules, bench, report)?;
    Ok(Node {
        world,
        key,
        choices,
        next: 0,
    })
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
