//! What `io.blockhaul.Archive` takes and gives: creating, reading, checking.

use alloc::string::String;
use alloc::vec::Vec;
use hal::{Uuid, VolumeFacts};
use serde::{Deserialize, Serialize};

use super::{ArchiveStatus, Mode};
use crate::{Kind, Name};

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveCreate {
    /// Its name here.
    pub name: Name,
    /// Absolute path of a disk, a partition, or a file that is made if it is not there.
    pub volume: String,
    /// Size of a file that is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// 64 KiB to 16 MiB, a power of two.
    #[serde(default = "default_block_bytes")]
    pub block_bytes: u64,
    /// Append or ring.
    #[serde(default = "default_mode")]
    pub mode: Mode,
    /// Serial number or UUID of what is on the volume now, typed out: it may be destroyed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destroy: Option<String>,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

fn default_block_bytes() -> u64 {
    1 << 20
}

fn default_mode() -> Mode {
    Mode::Append
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Archives {
    /// All archives.
    pub archives: Vec<ArchiveStatus>,
}

/// Reply of `Info` and `Create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchiveInfo {
    /// State and numbers.
    pub archive: ArchiveStatus,
    /// The volume as the machine found it; none while it is offline.
    pub volume: Option<VolumeFacts>,
    /// All tracks.
    pub tracks: Vec<TrackInfo>,
}

/// One track of an archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackInfo {
    /// Archive in which its blocks were first recorded.
    pub origin: Uuid,
    /// Camera.
    pub camera: Name,
    /// Kind.
    pub kind: Kind,
    /// Next track sequence.
    pub next: u64,
    /// Hash of the last block's origin part; none after a gap.
    pub tip: Option<hal::Digest>,
    /// End of the last block by the wall clock; 0 if there is none.
    pub last_utc_ns: i64,
    /// Blocks that were missing or damaged here and came later.
    #[serde(default)]
    pub back_filled: u64,
}

/// Reply of `Verify`; with `more` one a second, the last without `continues`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Verified {
    /// Log sequences looked at so far.
    pub blocks: u64,
    /// Log sequences to look at in all.
    pub total: u64,
    /// Data blocks that are whole: header, place, chain, payload.
    pub good: u64,
    /// Blocks that are not, up to 1,000 of them.
    pub damaged: Vec<DamagedBlock>,
    /// How many are not.
    pub damaged_count: u64,
    /// Of those that are named, how many are there again, in a block that came later.
    #[serde(default)]
    pub replaced: u64,
    /// Of the good ones, those that came later than their place in the track: they were missing or damaged before.
    #[serde(default)]
    pub back_filled: u64,
}

/// One block that is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DamagedBlock {
    /// Log sequence.
    pub log_sequence: u64,
    /// What is wrong with it, in words.
    pub why: String,
    /// Log sequence of the block that came later in its place.
    #[serde(default)]
    pub replaced_by: Option<u64>,
}

/// Parameters of `Export`, which takes the connection over: chunks (`u32` length, little endian, then that many bytes),
/// a chunk of length 0, then a last reply with [`Exported`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportCall {
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind.
    #[serde(default)]
    pub kind: Kind,
    /// Only blocks that end after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_utc_ns: Option<i64>,
    /// Only blocks that begin before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_utc_ns: Option<i64>,
    /// Only this origin; needed if the camera has tracks of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Uuid>,
}

/// Last reply of `Export`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exported {
    /// Blocks sent.
    pub blocks: u64,
    /// Payload bytes sent, without what was put in front so that a player can start.
    pub bytes: u64,
    /// Track sequences that are missing in the range.
    pub missing: u64,
    /// Blocks that are there and damaged, and were left out.
    pub damaged: u64,
}

/// Parameters of `Gaps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapsCall {
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
}

/// Why track sequences are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GapReason {
    /// The source ring had written over them before they were hauled.
    Overwritten,
    /// The source could not read them, or they failed their check there.
    Damaged,
    /// A filter left them out.
    Filtered,
    /// They expired here.
    Expired,
    /// Only a later time was asked for.
    NotRetrieved,
    /// They lie behind later ones in the source's log, and are sent when its walk comes to them.
    Later,
}

/// One stretch of missing track sequences.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Origin of the track.
    pub origin: Uuid,
    /// Kind of the track.
    pub kind: Kind,
    /// First missing.
    pub from: u64,
    /// First behind that is not missing.
    pub to: u64,
    /// Why.
    pub reason: GapReason,
}

/// Reply of `Gaps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// In order of track and sequence.
    pub gaps: Vec<Gap>,
}
