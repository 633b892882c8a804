//! What `io.blockhaul.Job` takes and gives: definitions and runs.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::plan::is_default;
use super::{Bounds, FullRun, JobMode, JobPlan, JobStatus, Period, RunRecord, RunResult};
use crate::Name;

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobCreate {
    /// Its name; made from source and target if none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// Archive it hauls from.
    pub from: Name,
    /// Peer it hauls to.
    pub peer: Name,
    /// The peer's name of the archive it hauls to.
    pub archive: Name,
    /// Cameras; all if empty.
    #[serde(default)]
    pub cameras: Vec<Name>,
    /// Only cameras of these tenants; of all and of none if empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Name>,
    /// When it runs.
    pub mode: JobMode,
    /// What it takes, when, and how fast.
    #[serde(default, skip_serializing_if = "JobPlan::is_plain")]
    pub plan: JobPlan,
    /// Every run compares everything and sends what is missing or damaged at the target.
    #[serde(default)]
    pub full: bool,
    /// The target's token: 64 hexadecimal digits.
    pub token: String,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jobs {
    /// All jobs.
    pub jobs: Vec<JobStatus>,
}

/// Reply of `Show` and `Create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobShown {
    /// State and numbers.
    pub job: JobStatus,
}

/// Parameters of `Switch`: what is not said stays as it is. A run that is on goes on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSwitch {
    /// Job.
    pub name: Name,
    /// When it runs from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<JobMode>,
    /// What it takes, when, and how fast, from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<JobPlan>,
}

/// Parameters of `History`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HistoryCall {
    /// Only of this job, or of this peer whose runs come in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
}

/// Reply of `History`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Oldest first.
    pub runs: Vec<RunRecord>,
}

/// Parameters of `Run`. Joins the run that is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRun {
    /// Job.
    pub name: Name,
    /// Compare everything that both should have, and send what is missing or damaged at the target.
    #[serde(default)]
    pub full: bool,
    /// With `full`: only compare, and send nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub dry_run: bool,
    /// Answer when the run has ended.
    #[serde(default)]
    pub wait: bool,
    /// Stop waiting after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Of which time, if not that of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
    /// Where to end before everything is over there.
    #[serde(default, skip_serializing_if = "is_default")]
    pub bounds: Bounds,
}

/// Reply of `Run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Number of the run.
    pub run: u64,
    /// It was on already.
    pub joined: bool,
    /// How it ended, if that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
    /// What a full run has found, if its end was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full: Option<FullRun>,
}

/// What `Wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// Everything durable here is durable there.
    CaughtUp,
    /// No run is on.
    Idle,
    /// It cannot work as it is configured.
    Failed,
}

/// Parameters of `Wait`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobWait {
    /// Job.
    pub name: Name,
    /// What for.
    pub wait_for: WaitFor,
    /// Stop waiting after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}
