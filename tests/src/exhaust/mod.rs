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
mod happen;
mod judge;
mod key;
mod links;
mod pages;
mod scenario;
mod search;
mod site;
mod world;

pub use scenario::{SCENARIOS, Scenario, limits};
pub use search::{Failure, Limits, Report, path};

use bench::Bench;

/// Explores a scenario. An error is a failure of the product, with the choices that lead to it.
pub fn run(scenario: &Scenario, limits: Limits, progress: impl Fn(&Report)) -> Result<Report, String> {
    let mut bench = Bench::new(scenario.memory_bytes);
    let world = scenario.begin(&mut bench)?;
    search::explore(world, scenario.rules, limits, &mut bench, progress)
        .map_err(|failure| format!("Scenario {}: {}.\n{}", scenario.name, failure.why, replay_line(scenario.name, &failure.path)))
}

/// The line that goes a way again.
pub fn replay_line(scenario: &str, path: &[usize]) -> String {
    let path: Vec<String> = path.iter().map(usize::to_string).collect();
    format!("Replay with: cargo exhaust --scenario {scenario} --path {}", path.join(","))
}

/// Goes a way again and tells each choice; the error is what is wrong at its end.
pub fn replay(scenario: &Scenario, path: &[usize], mut tell: impl FnMut(String)) -> Result<(), String> {
    let mut bench = Bench::new(scenario.memory_bytes);
    let mut world = scenario.begin(&mut bench)?;
    for (number, place) in path.iter().enumerate() {
        let choices = search::open(&mut world, scenario.rules, &mut bench, &mut Report::default())?;
        let choice = *choices
            .get(*place)
            .ok_or_else(|| format!("Choice {number} is {place}, and there are {} here.", choices.len()))?;
        let words = world.words(choice, &mut bench);
        tell(format!("{number:4}  {place:3} of {:3}  {words}", choices.len()));
        world.happen(choice, &mut bench)?;
    }
    search::open(&mut world, scenario.rules, &mut bench, &mut Report::default()).map(|_| ())
}
