//! What goes over the control socket: calls, answers and refusals here, and a file for the parameters and replies of each interface.
//!
//! Not the framing (JSON and NUL, `drivers`), not the dispatch (`dispatch.rs`). Sizes are bytes, durations milliseconds,
//! times nanoseconds since 1970 UTC; people's units are the command line's business.

mod appliance;
mod archive;
mod card;
mod check;
mod config;
mod device;
mod grant;
mod job;
mod macros;
mod mark;
mod migrate;
mod peer;
mod plan;
mod recorder;
mod retention;
mod service;
mod tag;
mod tenant;

use alloc::string::String;
use serde::{Deserialize, Serialize};

pub use appliance::*;
pub use archive::*;
pub use card::*;
pub use check::*;
pub use config::*;
pub use device::*;
pub use grant::*;
pub use job::*;
pub use macros::*;
pub use mark::*;
pub use migrate::*;
pub use peer::*;
pub use plan::*;
pub use recorder::*;
pub use retention::*;
pub use service::*;
pub use tag::*;
pub use tenant::*;

use crate::Name;

/// A Varlink call. `method` is the interface, a dot, and the method.
#[derive(Clone, Debug, Hash, Serialize, Deserialize)]
pub struct Call {
    /// For example `io.blockhaul.Archive.Create`.
    pub method: String,
    /// One of the parameter types below; an empty object if the method takes none.
    #[serde(default)]
    pub parameters: serde_json::Value,
    /// The caller takes several replies.
    #[serde(default, skip_serializing_if = "is_false")]
    pub more: bool,
    /// The caller wants no reply.
    #[serde(default, skip_serializing_if = "is_false")]
    pub oneway: bool,
    /// The caller hands the connection over after the call (`Record`, `Export`).
    #[serde(default, skip_serializing_if = "is_false")]
    pub upgrade: bool,
}

/// A Varlink reply: parameters, or the name of an error with [`Refusal`] as parameters.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Answer {
    /// One of the reply types below.
    #[serde(default)]
    pub parameters: serde_json::Value,
    /// More replies follow.
    #[serde(default, skip_serializing_if = "is_false")]
    pub continues: bool,
    /// Name of the error: `io.blockhaul.` and a [`RefusalCode`], or one of `org.varlink.service`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Why a call was not done. The error's name on the wire is `io.blockhaul.` and the code's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RefusalCode {
    /// It was tried and did not work. Exit code 1.
    Failed,
    /// The parameters make no sense, whatever the state. Exit code 2.
    Usage,
    /// There is nothing of that name. Exit code 10.
    NotFound,
    /// Somebody else holds it, or it is in a state in which this cannot be. Exit code 11.
    Busy,
    /// Not allowed: role, foreign content, or a rule of the promise. Exit code 12.
    Refused,
    /// What is on the volume is damaged. Exit code 14.
    Damaged,
    /// The time given was over first. Exit code 124.
    TimedOut,
}

/// The parameters of an error.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Refusal {
    /// Which kind.
    pub code: RefusalCode,
    /// A sentence that names the thing.
    pub sentence: String,
    /// What to do next.
    pub next: String,
}

/// Reply of methods that only do something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// Parameters that only name something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: Name,
}
