//! What `io.blockhaul.Mark` takes and gives.

use alloc::vec::Vec;
use hal::Uuid;
use serde::{Deserialize, Serialize};

use crate::Name;

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkCreate {
    /// Its name.
    pub name: Name,
    /// Archive.
    pub archive: Name,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Parameters of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkList {
    /// Archive.
    pub archive: Name,
}

/// Parameters of `Remove`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRemove {
    /// Its name.
    pub name: Name,
    /// Archive.
    pub archive: Name,
}

/// Parameters of `Wait`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkWait {
    /// Its name.
    pub name: Name,
    /// Archive; the mark need not be there yet.
    pub archive: Name,
    /// How long at most; for ever if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// A mark, as one archive has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MarkInfo {
    /// Its name.
    pub name: Name,
    /// Identity, the same in every archive that has it.
    pub mark: Uuid,
    /// Archive in which it was made.
    pub made_in: Uuid,
    /// When it was made.
    pub utc_ns: i64,
    /// Tracks it names.
    pub tracks: u64,
    /// Track sequences it names, of all tracks.
    pub blocks: u64,
    /// Those that are neither durable here nor stated as missing.
    pub awaited: u64,
    /// Those that are stated as missing here.
    pub missing: u64,
    /// Tracks that end at the mark here with another block than the mark's.
    pub diverged: u64,
}

/// Reply of `Create` and `Wait`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkShown {
    /// The mark.
    pub mark: MarkInfo,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkInfos {
    /// Oldest first.
    pub marks: Vec<MarkInfo>,
}

/// Parameters of `Restore`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkRestore {
    /// Its name.
    pub name: Name,
    /// Archive that has the blocks.
    pub archive: Name,
    /// Archive that takes them: a new one, or one in which this was begun.
    pub into: Name,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Reply of `Restore`; with `more` one a second, the last without `continues`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Restored {
    /// Tracks of the mark.
    pub tracks: u64,
    /// Track sequences that are to be there in the end.
    pub total: u64,
    /// Those that were there before.
    pub before: u64,
    /// Blocks copied; with `dry_run` those that would be.
    pub blocks: u64,
    /// Payload bytes of them.
    pub bytes: u64,
    /// Track sequences that the archive does not have: stated as missing in the new one.
    pub missing: u64,
    /// Slots free for blocks in the archive that takes them.
    pub free_slots: u64,
}
