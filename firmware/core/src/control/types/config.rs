//! What `io.blockhaul.Config` takes and gives: the whole configuration as one document.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Parameters of `Export`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigExport {
    /// With the tokens of jobs.
    #[serde(default)]
    pub secrets: bool,
}

/// Reply of `Export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigExported {
    /// TOML.
    pub document: String,
}

/// Parameters of `Apply`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigApply {
    /// TOML.
    pub document: String,
    /// Say what would change, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// Only if the configuration is still the one that an earlier answer was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
}

/// How one thing differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Differs {
    /// It was not there.
    Added,
    /// It will not be there.
    Removed,
    /// It is another.
    Changed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConfigDifference {
    /// How.
    pub how: Differs,
    /// Kind and name: `job lobby`.
    pub what: String,
    /// For a change: which fields, from what to what.
    pub detail: String,
}

/// Reply of `Apply`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ConfigApplied {
    /// Whether it is in effect.
    pub applied: bool,
    /// What differs from the configuration before.
    pub differences: Vec<ConfigDifference>,
    /// What somebody should know about it.
    pub notes: Vec<String>,
    /// Which configuration this is about, before the change.
    pub base: String,
}
