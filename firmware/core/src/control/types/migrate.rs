//! What moving from one archive to another takes and gives.

use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Parameters of `Migrate` and `CutOver`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MoveCall {
    /// The old archive.
    pub from: Name,
    /// The new one.
    pub to: Name,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Reply of `Migrate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migrated {
    /// The job that hauls the one into the other; none after a dry run that found none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Name>,
    /// Blocks of the old archive that the new one does not have.
    pub blocks: u64,
    /// Bytes that they take there.
    pub bytes: u64,
    /// The job is there: false after a dry run.
    pub done: bool,
}

/// Reply of `CutOver`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CutOver {
    /// Recorders that record into the new archive now and did not before.
    pub recorders: Vec<Name>,
    /// Jobs that haul from the new archive now and did not before.
    pub jobs: Vec<Name>,
    /// Jobs that go on hauling from the old one: another job hauls the new one there already.
    pub staying: Vec<Name>,
    /// Cards whose files still go into the old one: where an import goes on is in that archive's log.
    pub cards: Vec<Name>,
    /// Blocks of the old archive that the new one does not have yet; the job that hauls them goes on.
    pub blocks: u64,
    /// False after a dry run.
    pub done: bool,
}
