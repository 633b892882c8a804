//! What goes over the control socket: parameters and replies of every method, in the order of `docs/control.md`.
//!
//! Not the framing (JSON and NUL, `drivers`), not the dispatch (`dispatch.rs`). Sizes are bytes, durations milliseconds,
//! times nanoseconds since 1970 UTC; people's units are the command line's business.

mod appliance;

use alloc::string::String;
use alloc::vec::Vec;
use hal::{DeviceFacts, Fingerprint, NicFacts, Route, Uuid, VolumeFacts};
use serde::{Deserialize, Serialize};

pub use appliance::*;

use crate::{Kind, Name};

/// A Varlink call. `method` is the interface, a dot, and the method.
#[derive(Clone, Debug, Serialize, Deserialize)]
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

// ---- io.blockhaul.Device

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Devices {
    /// Disks, cards and partitions.
    pub disks: Vec<DeviceFacts>,
    /// Network interfaces.
    pub nics: Vec<NicFacts>,
}

// ---- io.blockhaul.Archive

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
}

/// One block that is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct DamagedBlock {
    /// Log sequence.
    pub log_sequence: u64,
    /// What is wrong with it, in words.
    pub why: String,
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

// ---- io.blockhaul.Recorder

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecorderCreate {
    /// Its name.
    pub name: Name,
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind.
    #[serde(default)]
    pub kind: Kind,
    /// Absolute path of the socket to make.
    pub listen: String,
    /// An unfilled block is sealed after this long: 1,000 to 300,000.
    #[serde(default = "default_flush_after_ms")]
    pub flush_after_ms: u64,
}

fn default_flush_after_ms() -> u64 {
    10_000
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorders {
    /// All recorders.
    pub recorders: Vec<RecorderStatus>,
}

/// Parameters of `Record`, which takes the connection over: the stream's bytes, until the caller closes its sending side;
/// then one reply with [`Recorded`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordCall {
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind.
    #[serde(default)]
    pub kind: Kind,
    /// An unfilled block is sealed after this long: 1,000 to 300,000.
    #[serde(default = "default_flush_after_ms")]
    pub flush_after_ms: u64,
}

/// Last reply of `Record`: everything is durable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Recorded {
    /// Blocks sealed and durable.
    pub blocks: u64,
    /// Payload bytes in them.
    pub bytes: u64,
    /// Bytes thrown away because the disk was too slow.
    pub dropped_bytes: u64,
}

// ---- io.blockhaul.Peer

/// Parameters of `Add`, and one peer of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Its name here.
    pub name: Name,
    /// Its addresses, best first; none for a peer that only calls us.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// Fingerprint of its key.
    pub key: Fingerprint,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// All peers.
    pub peers: Vec<Peer>,
}

// ---- io.blockhaul.Grant

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantCreate {
    /// Peer that may use it.
    pub peer: Name,
    /// Archive it may append to.
    pub archive: Name,
    /// Cameras; all if empty.
    #[serde(default)]
    pub cameras: Vec<Name>,
}

/// Reply of `Create`. The token is shown this once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantCreated {
    /// For `revoke`.
    pub id: String,
    /// 64 hexadecimal digits.
    pub token: String,
}

/// One grant of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantInfo {
    /// For `revoke`.
    pub id: String,
    /// Peer that may use it.
    pub peer: Name,
    /// Archive it may append to.
    pub archive: Name,
    /// Cameras; all if empty.
    pub cameras: Vec<Name>,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// All grants.
    pub grants: Vec<GrantInfo>,
}

/// Parameters of `Revoke`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRevoke {
    /// From `list`.
    pub id: String,
}

// ---- io.blockhaul.Job

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
    /// When it runs.
    pub mode: JobMode,
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

/// Parameters of `Run`. Joins the run that is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRun {
    /// Job.
    pub name: Name,
    /// Answer when the run has ended.
    #[serde(default)]
    pub wait: bool,
    /// Stop waiting after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
}

/// Reply of `Run`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    /// Number of the run.
    pub run: u64,
    /// It was on already.
    pub joined: bool,
    /// How it ended, if that was waited for: `completed` or `partial`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
}

/// What `Wait` waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// Everything durable here is durable there.
    CaughtUp,
    /// No run is on.
    Idle,
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
