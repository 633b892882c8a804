//! What `io.blockhaul.Macro` takes and gives.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Name;
use crate::macros::{Macro, Step};

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacroCreate {
    /// Its name.
    pub name: Name,
    /// Code of the event that begins it.
    pub on: String,
    /// Only if the event is about this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What to do, one after the other.
    pub steps: Vec<Step>,
    /// Make all checks, and nothing else.
    #[serde(default)]
    pub dry_run: bool,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacroList {
    /// All macros.
    pub macros: Vec<Macro>,
}

/// Parameters of `Test`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MacroTest {
    /// Macro.
    pub name: Name,
    /// Number of an event of the past.
    pub event: u64,
}

/// One step of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacroWould {
    /// The step.
    pub step: String,
    /// What it would do, as things are now.
    pub would: String,
}

/// Reply of `Test`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MacroTested {
    /// Whether the event begins it.
    pub begins: bool,
    /// Why, or why not.
    pub why: String,
    /// What each step would do.
    pub steps: Vec<MacroWould>,
}
