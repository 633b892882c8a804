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

/// Parameters of `Open`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArchiveOpen {
    /// Its name here.
    pub name: Name,
    /// Absolute path of the disk, partition or file that it is on.
    pub volume: String,
    /// Its identity, if another archive must not be taken for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<Uuid>,
    /// Never write to it: it belongs to another appliance, whose blocks are read here.
    #[serde(default)]
    pub read_only: bool,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Archives {
    /// All archives.
    pub archives: Vec<ArchiveStatus>,
}

/// Reply of `Info`, `Create` and `Open`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchiveInfo {
    /// State and numbers.
    pub archive: ArchiveStatus,
    /// The volume as the machine found it; none while it is offline.
    pub volume: Option<VolumeFacts>,
    /// All tracks.
    pub tracks: Vec<TrackInfo>,
    /// When it was read for damage, and how far that has come.
    #[serde(default)]
    pub scrub: ScrubInfo,
}

/// When an archive was read for damage, by `verify` or in the background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScrubInfo {
    /// Bytes read a second in the background at most; none if it is off.
    pub rate_bytes: Option<u64>,
    /// Time between the end of a pass and the next one.
    pub pause_ms: u64,
    /// When the last whole pass ended; 0 if there was none.
    pub ended_utc_ns: i64,
    /// Log sequences it looked at.
    pub ended_blocks: u64,
    /// Damaged blocks it found.
    pub ended_damaged: u64,
    /// When the pass that is on began; 0 if none is.
    pub began_utc_ns: i64,
    /// Log sequence it has reached.
    pub position: u64,
    /// Damaged blocks it has found so far.
    pub damaged: u64,
}

/// Parameters of `Scrub`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScrubCall {
    /// Archive.
    pub name: Name,
    /// Bytes read a second at most; none switches it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_bytes: Option<u64>,
    /// Time between the end of a pass and the next one.
    #[serde(default = "default_pause_ms")]
    pub pause_ms: u64,
}

/// A week.
fn default_pause_ms() -> u64 {
    7 * 86_400_000
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
    /// Only this origin. Without, what several have is put together by time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Uuid>,
    /// Before each block's payload comes a chunk with its origin part and init data.
    #[serde(default)]
    pub manifest: bool,
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
    /// Why track sequences are missing, up to 10,000 stretches.
    #[serde(default)]
    pub holes: Vec<Hole>,
    /// If several origins were put together: what each gave, the one that others only complete first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub origins: Vec<ExportedOrigin>,
    /// Blocks that were left out because origins before theirs cover their time, up to 10,000 stretches.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// What one origin gave to an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ExportedOrigin {
    /// Which.
    pub origin: Uuid,
    /// Blocks sent.
    pub blocks: u64,
    /// Payload bytes of these.
    pub bytes: u64,
    /// Blocks left out because others cover their time.
    pub left_out: u64,
}

/// Blocks of an origin that an export left out because others cover their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LeftOut {
    /// Origin.
    pub origin: Uuid,
    /// First track sequence.
    pub from: u64,
    /// First behind.
    pub to: u64,
}

/// A stretch of track sequences that an export could not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Hole {
    /// First missing.
    pub from: u64,
    /// First behind that is not missing.
    pub to: u64,
    /// Why.
    pub what: MissingWhat,
    /// Whose, if several origins were put together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Uuid>,
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

/// What kind of missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MissingWhat {
    /// The camera gave nothing then.
    NotRecorded,
    /// It was recorded elsewhere and did not come here.
    NotRetrieved,
    /// It had its time and was given up.
    Expired,
    /// It cannot be read, here or where it came from.
    Damaged,
    /// A filter left it out.
    Filtered,
}

impl From<GapReason> for MissingWhat {
    fn from(reason: GapReason) -> MissingWhat {
        match reason {
            GapReason::Overwritten | GapReason::NotRetrieved | GapReason::Later => MissingWhat::NotRetrieved,
            GapReason::Damaged => MissingWhat::Damaged,
            GapReason::Filtered => MissingWhat::Filtered,
            GapReason::Expired => MissingWhat::Expired,
        }
    }
}

/// One stretch that is missing of a track: of its sequences, or, where nothing was recorded, of time alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Missing {
    /// Origin of the track.
    pub origin: Uuid,
    /// Kind of the track.
    pub kind: Kind,
    /// First missing track sequence.
    pub from: u64,
    /// First behind that is not missing; the same where nothing was recorded.
    pub to: u64,
    /// End of the block before; 0 if there is none.
    pub from_utc_ns: i64,
    /// Begin of the block behind; 0 if there is none.
    pub to_utc_ns: i64,
    /// What kind of missing.
    pub what: MissingWhat,
}

/// Reply of `Gaps`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gaps {
    /// In order of track and sequence.
    pub gaps: Vec<Missing>,
    /// Stretches beyond 10,000.
    pub left_out: u64,
}

/// Parameters of `Exists`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExistsCall {
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind.
    #[serde(default)]
    pub kind: Kind,
    /// From this time.
    pub from_utc_ns: i64,
    /// To this time.
    pub to_utc_ns: i64,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extant {
    /// All of it.
    Yes,
    /// Nothing of it.
    No,
    /// Some of it.
    Partly,
}

/// Reply of `Exists`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exists {
    /// Whether all of the time is there.
    pub answer: Extant,
    /// The times that are not.
    pub missing: Vec<MissingTime>,
}

/// A time of which nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingTime {
    /// From.
    pub from_utc_ns: i64,
    /// To.
    pub to_utc_ns: i64,
    /// What kind of missing, of most of it.
    pub what: MissingWhat,
}

/// Parameters of `Statistics`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatisticsCall {
    /// Archive.
    pub archive: Name,
    /// Only this camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Name>,
    /// Only blocks that end after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_utc_ns: Option<i64>,
    /// Only blocks that begin before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_utc_ns: Option<i64>,
}

/// A day of a track.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayStatistics {
    /// Begin of the day, UTC.
    pub day_utc_ns: i64,
    /// Origin of the track.
    pub origin: Uuid,
    /// Camera.
    pub camera: Name,
    /// Kind.
    pub kind: Kind,
    /// Blocks that were recorded here.
    pub recorded_blocks: u64,
    /// Payload bytes of them.
    pub recorded_bytes: u64,
    /// Blocks that came from elsewhere.
    pub hauled_blocks: u64,
    /// Payload bytes of them.
    pub hauled_bytes: u64,
    /// Blocks that were read back and found whole.
    pub verified_blocks: u64,
    /// Payload bytes of them.
    pub verified_bytes: u64,
    /// Track sequences missing before blocks of that day.
    pub lost_blocks: u64,
}

/// Reply of `Statistics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// By day and track.
    pub days: Vec<DayStatistics>,
    /// Blocks of days and tracks beyond 50,000 rows.
    pub left_out: u64,
}

/// Parameters of `Compare`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompareCall {
    /// Archive.
    pub name: Name,
    /// The other one, here too.
    pub with: Name,
    /// Only this camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Name>,
}

/// How two archives differ in a stretch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Whose {
    /// Only the first one has it.
    OnlyHere,
    /// Only the other one has it.
    OnlyThere,
    /// Both have it, and not the same.
    Differing,
}

/// A stretch in which two archives differ.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Difference {
    /// Origin of the track.
    pub origin: Uuid,
    /// Camera.
    pub camera: Name,
    /// Kind.
    pub kind: Kind,
    /// First track sequence.
    pub from: u64,
    /// First behind.
    pub to: u64,
    /// How.
    pub what: Whose,
}

/// Reply of `Compare`; with `more` one a second, the last without `continues`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Compared {
    /// Headers looked at so far, of both.
    pub blocks: u64,
    /// Headers to look at in all.
    pub total: u64,
    /// Blocks that are the same in both.
    pub same: u64,
    /// Blocks that only the first one has.
    pub only_here: u64,
    /// Blocks that only the other one has.
    pub only_there: u64,
    /// Blocks that differ.
    pub differing: u64,
    /// Up to 1,000 stretches.
    pub differences: Vec<Difference>,
    /// Stretches beyond those.
    pub left_out: u64,
}
