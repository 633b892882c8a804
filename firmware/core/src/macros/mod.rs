//! Macros: rules of people, on an event do some steps.
//!
//! `step` is one step as people write it, `check` says whether a rule can work, `table` holds what runs, `running` does it.
//!
//! Invariants: rules cannot chase each other for ever: an event that a step brought about counts as one deeper, and each rule may
//! begin so often a minute; what macros say about themselves begins none. What was under way when the appliance stopped is not
//! resumed, as it was meant for its moment: the next start says which.

mod check;
mod running;
mod step;
mod table;
mod tagging;

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Name;
use crate::control::types::EventRecord;

pub use step::{Presence, Step};
pub use table::Macros;

/// What codes of events about macros begin with.
const OWN: &str = "macro-";

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Macro {
    /// Its name.
    pub name: Name,
    /// Code of the event that begins it.
    pub on: String,
    /// Only if the event is about this; about anything if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What to do, one after the other.
    pub steps: Vec<Step>,
    /// Whether it is switched on.
    #[serde(default = "on")]
    pub enabled: bool,
}

fn on() -> bool {
    true
}

impl Macro {
    /// Whether an event begins it, were it on.
    pub fn fits(&self, event: &EventRecord) -> bool {
        let about = self.subject.as_ref().is_none_or(|subject| *subject == event.subject);
        self.on == event.code && about && !event.code.starts_with(OWN)
    }

    /// The jobs that it names.
    pub fn jobs(&self) -> impl Iterator<Item = &Name> {
        self.steps.iter().filter_map(Step::job)
    }

    /// Asks another archive from now on.
    pub fn rename_archive(&mut self, from: &Name, to: &Name) {
        for step in &mut self.steps {
            if let Some(archive) = step.archive_mut().filter(|archive| **archive == *from) {
                archive.clone_from(to);
            }
        }
    }

    /// The programs that it starts.
    pub fn programs(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| match step {
            Step::Start { program, .. } => Some(program.as_str()),
            _ => None,
        })
    }
}
