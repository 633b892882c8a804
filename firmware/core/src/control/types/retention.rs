//! What `io.blockhaul.Retention` takes and gives: how long an archive keeps its blocks, and who guards them.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use super::JobState;
use crate::Name;

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// Which jobs' acknowledgements count for the release mark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardCount {
    /// Every job that hauls the archive.
    #[default]
    All,
    /// Every one of those named; the others guard nothing.
    Only,
    /// One of those named is enough.
    AnyOf,
}

/// How long blocks are kept. Without a bound nothing is freed but by a ring that comes round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// Free what lies below the release mark.
    #[serde(default, skip_serializing_if = "is_false")]
    pub remove_after_success: bool,
    /// A ring gives up nothing that is guarded, tagged or younger than it must be; it is full instead.
    #[serde(default, skip_serializing_if = "is_false")]
    pub protect: bool,
    /// Whose acknowledgements count.
    #[serde(default)]
    pub count: GuardCount,
    /// The jobs named.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Name>,
    /// Of every camera, keep nothing older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// Of the archive, keep not more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Of every track, keep what is younger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age_ms: Option<u64>,
    /// Of every track, keep the newest this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
    /// Cameras with bounds of their own, which hold instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cameras: Vec<CameraRetention>,
}

/// Bounds of one camera.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraRetention {
    /// Camera.
    pub camera: Name,
    /// Keep nothing older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_ms: Option<u64>,
    /// Of each of its tracks, keep not more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Keep what is younger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_age_ms: Option<u64>,
    /// Of each of its tracks, keep the newest this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
}

/// Parameters of `Show`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionShow {
    /// Archive.
    pub archive: Name,
}

/// Parameters of `Set`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RetentionSet {
    /// Archive.
    pub archive: Name,
    /// All of it; what is not there is not set.
    pub retention: Retention,
    /// Say what would be freed, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Who holds how much of an archive since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardStatus {
    /// Archive.
    pub archive: Name,
    /// Job.
    pub job: Name,
    /// Its acknowledgements count for the release mark.
    pub counts: bool,
    /// Blocks that are not known to be durable at its target.
    pub blocks: u64,
    /// Bytes of the volume that these take.
    pub bytes: u64,
    /// When the oldest of them began, as far as it is known.
    pub oldest_utc_ns: Option<i64>,
    /// Since when it guards.
    pub since_utc_ns: i64,
    /// State of the job.
    pub state: JobState,
    /// Why it holds them; empty if it holds nothing.
    pub why: String,
}

/// Reply of `Show` and `Set`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetentionShown {
    /// Archive.
    pub archive: Name,
    /// As it is, or would be.
    pub retention: Retention,
    /// Oldest log sequence that is there.
    pub oldest: u64,
    /// Log sequence below which nothing is guarded, tagged or too young.
    pub release_mark: u64,
    /// Blocks that can be freed now, or would be.
    pub blocks: u64,
    /// Bytes of the volume that these take.
    pub bytes: u64,
    /// Blocks that were freed since the daemon started.
    pub freed_blocks: u64,
    /// What somebody should know of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What comes next, and what is in its way.
    pub next: String,
    /// Who guards.
    pub guards: Vec<GuardStatus>,
}

/// Parameters of `Job.Release`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRelease {
    /// Job.
    pub name: Name,
    /// Say what would be given up, and change nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Reply of `Job.Release`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobReleased {
    /// What it guarded.
    pub guard: GuardStatus,
    /// It was given up; not so after a dry run.
    pub done: bool,
}
