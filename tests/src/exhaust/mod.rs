//! Every order of completions of a small appliance: the core itself on a tiny machine, in every state that the choices lead to.
//!
//! `world` is one state, `choice` what may happen in it, `happen` what that does, `judge` what must hold, `key` when two states
//! are the same, `search` the way through all of them, `scenario` where it begins.
//!
//! Bounds of every exploration: those of the smallest archive (`scenario.rs`) and of the choices (`choice.rs`); what else was cut
//! short is said by the run.

mod bench;
mod choice;
mod disk;
mod found;
mod happen;
mod judge;
mod key;
mod links;
mod pages;
mod scenario;
mod search;
mod site;
mod world;

pub use scenario::{SCENARIOS, Scenario};
pub use search::{Failure, Limits, Report, path};

use bench::Bench;

/// Explores a scenario. An error is a failure of the product, with the line that goes its way again.
pub fn run(scenario: &Scenario, limits: Limits, progress: impl Fn(&Report)) -> Result<Report, String> {
    let mut bench = Bench::new(scenario::CREATION_BYTES);
    let world = scenario.begin(&mut bench)?;
    search::explore(world, scenario.rules, limits, &mut bench, progress).map_err(|failure| {
        format!(
            "Scenario {}: {}.\n{}",
            scenario.name,
            failure.why,
            replay_line(scenario, &failure.path)
        )
    })
}

/// The line that goes a way again; `0x12` is twelve times the first of the open choices.
pub fn replay_line(scenario: &Scenario, path: &[usize]) -> String {
    let runs = path.chunk_by(|a, b| a == b);
    let runs: Vec<String> = runs
        .map(|run| match run {
            [place] => place.to_string(),
            _ => format!("{}x{}", run[0], run.len()),
        })
        .collect();
    let Scenario {
        name,
        faults,
        crashes,
        rules,
        ..
    } = scenario;
    let batches = if rules.batches_fail { "" } else { " --batches-hold" };
    let path = runs.join(",");
    format!("Replay with: cargo exhaust --scenario {name} --faults {faults} --crashes {crashes}{batches} --path {path}")
}

/// The way that a text names.
pub fn parse_path(text: &str) -> Result<Vec<usize>, String> {
    let mut path = Vec::new();
    for run in text.split(',') {
        let (place, count) = run.split_once('x').unwrap_or((run, "1"));
        let number = |text: &str| {
            text.parse::<usize>()
                .map_err(|_| format!("{run} is no choice; a way looks like 0x12,3,1."))
        };
        path.resize(path.len() + number(count)?, number(place)?);
    }
    Ok(path)
}

/// Goes a way again and tells each choice; the error is what is wrong at its end.
pub fn replay(scenario: &Scenario, path: &[usize], mut tell: impl FnMut(String)) -> Result<(), String> {
    let mut bench = Bench::new(scenario::CREATION_BYTES);
    let mut world = scenario.begin(&mut bench)?;
    for (number, place) in path.iter().enumerate() {
        let choices = search::open(&mut world, scenario.rules, &mut bench, &mut Report::default())?;
        let choice = *choices.get(*place).ok_or_else(|| {
            format!(
                "At step {number} of the way there are {} choices, from 0 on, and {place} is none of them.",
                choices.len()
            )
        })?;
        let words = world.words(choice, &mut bench);
        tell(format!("{number:4}  {place:3} of {:3}  {words}", choices.len()));
        world.happen(choice, &mut bench)?;
    }
    search::open(&mut world, scenario.rules, &mut bench, &mut Report::default()).map(|_| ())
}
