//! All states of a workload, on several threads; or one of them, with everything that happens.

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use drivers_sim::{Echo, Image};

use super::crew::each;
use super::cuts::{Cut, cuts};
use super::judge::{Counts, Depth, Judge};
use super::states::{State, picture, states};
use super::truth::Truth;
use super::workloads::Workload;
use crate::command::print_failure;

/// Of so many states, one is followed beyond its opening.
const RESUMED_EVERY: usize = 3;
/// Of so many states, one is interrupted in every way.
const DEEP_EVERY: usize = 1_500;

/// How much of a workload is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every state.
    Whole,
    /// Every so many states.
    Every(usize),
}

/// What came of a workload.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Lines of its record: each is the end of a prefix.
    pub lines: usize,
    /// Moments between two flushes.
    pub cuts: usize,
    /// Most writes that were pending at once.
    pub pending: usize,
    /// States and openings.
    pub counts: Counts,
    /// Time.
    pub took: Duration,
}

/// A state in which something does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    workload: &'static str,
    state: usize,
    why: String,
    picture: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure {
            workload,
            state,
            why,
            picture,
        } = self;
        write!(
            f,
            "Workload {workload}, state {state}: {why}\n{picture}\n{}",
            replay(workload, *state)
        )
    }
}

fn replay(workload: &str, state: usize) -> String {
    format!("Replay with: cargo crash-states --workload {workload} --state {state}")
}

thread_local! {
    /// What this thread judges, for last words.
    static AT: RefCell<Option<(&'static str, usize)>> = const { RefCell::new(None) };
}

/// A release ends at once in a panic: nothing but the hook is left to say which state, case or bit it was.
pub fn say_state_on_panic() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        before(panic);
        if let Some((workload, state)) = AT.with(|at| *at.borrow()) {
            print_failure(&replay(workload, state));
        }
        if let Some(line) = super::io::last_words().or_else(super::bits::last_words) {
            print_failure(&line);
        }
    }));
}

/// A workload that was played, with all its states.
struct Film {
    workload: Workload,
    lines: usize,
    cuts: Vec<Cut>,
    states: Vec<State>,
}

impl Film {
    fn play(workload: &Workload, echo: Echo) -> Result<Film, String> {
        let take = workload.record(echo)?;
        let why = |why| format!("Workload {}: {why}", workload.name);
        let cuts = cuts(&take, &Image::default(), None, &Truth::default()).map_err(why)?;
        let states = cuts
            .iter()
            .enumerate()
            .flat_map(|(place, cut)| states(place, cut, false))
            .collect();
        Ok(Film {
            workload: *workload,
            lines: take.log().len(),
            cuts,
            states,
        })
    }

    fn judge(&self, number: usize, echo: Echo) -> Result<Counts, Failure> {
        let name = self.workload.name;
        AT.with(|at| *at.borrow_mut() = Some((name, number)));
        let state = &self.states[number];
        let cut = &self.cuts[state.cut];
        let judge = Judge {
            slots: self.workload.slots,
            mode: self.workload.mode(),
            breaks: false,
            echo,
        };
        let seed = number as u64;
        let depth = match number {
            _ if number.is_multiple_of(DEEP_EVERY) => Depth::EveryInterruption,
            _ if number.is_multiple_of(RESUMED_EVERY) => Depth::Resumed,
            _ => Depth::Opened,
        };
        let judged = judge.judge(cut, state, seed, depth);
        AT.with(|at| *at.borrow_mut() = None);
        judged.map_err(|why| Failure {
            workload: name,
            state: number,
            why,
            picture: picture(cut, state),
        })
    }
}

/// Judges the states of a workload, and says now and then how far it is. The error is the first failure in full.
pub fn workload(workload: &Workload, extent: Extent, say: &(dyn Fn(usize, usize) + Sync)) -> Result<Row, String> {
    let begun = Instant::now();
    let film = Film::play(workload, Echo::Off)?;
    let numbers: Vec<usize> = match extent {
        Extent::Whole => (0..film.states.len()).collect(),
        Extent::Every(step) => (0..film.states.len()).step_by(step).collect(),
    };
    let sum = Mutex::new(Counts::default());
    let work = |at: usize| film.judge(numbers[at], Echo::Off).map(|counts| add(&sum, counts));
    each(numbers.len(), work, say).map_err(|failure| failure.to_string())?;
    Ok(Row {
        lines: film.lines,
        cuts: film.cuts.len(),
        pending: film.cuts.iter().map(|cut| cut.pending.len()).max().unwrap_or_default(),
        counts: sum.into_inner().expect("no panic is survived"),
        took: begun.elapsed(),
    })
}

fn add(sum: &Mutex<Counts>, counts: Counts) {
    let mut sum = sum.lock().expect("no panic is survived");
    sum.states += counts.states;
    sum.within += counts.within;
    sum.openings += counts.openings;
}

/// How many states a workload has.
pub fn count_states(workload: &Workload) -> Result<usize, String> {
    Film::play(workload, Echo::Off).map(|film| film.states.len())
}

/// Judges one state, with everything that happens on standard error. Gives the picture of the state.
///
/// # Panics
/// If there is no such state.
pub fn one(workload: &Workload, number: usize) -> Result<String, String> {
    let film = Film::play(workload, Echo::Off)?;
    film.judge(number, Echo::Stderr).map_err(|failure| failure.to_string())?;
    let state = &film.states[number];
    Ok(picture(&film.cuts[state.cut], state))
}
