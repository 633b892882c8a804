//! What goes over the control socket: parameters and replies of every method, in the order of `docs/control.md`.
//!
//! Not the framing (JSON and NUL, `drivers`), not the dispatch (`dispatch.rs`). Sizes are bytes, durations milliseconds,
//! times nanoseconds since 1970 UTC; people's units are the command line's business.

use alloc::string::String;
use alloc::vec::Vec;
use hal::{ClockQuality, DeviceFacts, Fingerprint, NicFacts, Route, Uuid, VolumeFacts};
use serde::{Deserialize, Serialize};

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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: Name,
}

// ---- io.blockhaul.Appliance

/// Reply of `Identity`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// BLAKE3 of the public key: what a peer pins.
    pub fingerprint: Fingerprint,
    /// Version of the daemon.
    pub version: String,
    /// Version of the wire protocol.
    pub protocol: u8,
    /// Addresses it listens on for peers; empty if it does not.
    pub listening: Vec<String>,
}

/// Reply of `Status`; with `more` one at each change, at most one a second.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// When this was true.
    pub utc_ns: i64,
    /// How far that clock can be trusted.
    pub clock: ClockQuality,
    /// Time since the daemon started.
    pub up_ms: u64,
    /// Block memory in all.
    pub memory_bytes: u64,
    /// Block memory in use now.
    pub memory_used_bytes: u64,
    /// All archives.
    pub archives: Vec<ArchiveStatus>,
    /// All recorders.
    pub recorders: Vec<RecorderStatus>,
    /// All jobs.
    pub jobs: Vec<JobStatus>,
    /// All links that come in.
    pub incoming: Vec<IncomingStatus>,
}

/// States of a volume (`features.md`, A6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VolumeState {
    /// Nothing on it.
    Blank,
    /// Being formatted.
    Formatting,
    /// Looking for the end of the log.
    Indexing,
    /// Takes blocks.
    Ready,
    /// Gives blocks and takes none.
    ReadOnly,
    /// Takes blocks, and some are damaged.
    Degraded,
    /// No free slot; gives blocks.
    Full,
    /// The device is not there.
    Offline,
    /// Something else is on it.
    Foreign,
}

/// How an archive behaves at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Full is full.
    Append,
    /// The oldest whole segment makes room.
    Ring,
}

/// One archive as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArchiveStatus {
    /// Its name here.
    pub name: Name,
    /// Its identity.
    pub uuid: Uuid,
    /// Path of the volume.
    pub volume: String,
    /// State of the volume.
    pub state: VolumeState,
    /// Why it is not `ready`; empty if it is.
    pub why: String,
    /// What to do about it; empty if there is nothing to do.
    pub action: String,
    /// Append or ring.
    pub mode: Mode,
    /// Size of a block.
    pub block_bytes: u64,
    /// Number of slots.
    pub slots: u64,
    /// Oldest log sequence that is there.
    pub oldest: u64,
    /// Log sequence of the next block.
    pub head: u64,
    /// All log sequences below are durable.
    pub durable: u64,
    /// Openings so far.
    pub epoch: u64,
    /// Number of tracks.
    pub tracks: u64,
    /// Blocks that could not be read or failed their check.
    pub quarantined: u64,
    /// Blocks that recovery threw away at the end because they were never acknowledged.
    pub tail_discarded: u64,
}

/// One recorder as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecorderStatus {
    /// Its name.
    pub name: Name,
    /// Archive it records into.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// Kind of track.
    pub kind: Kind,
    /// Path of its socket.
    pub listen: String,
    /// Whether its door is open; if not, why.
    pub why: String,
    /// Blocks sealed since the start.
    pub blocks: u64,
    /// Bytes taken from the feeder since the start.
    pub bytes: u64,
    /// Bytes thrown away because the disk was too slow.
    pub dropped_bytes: u64,
    /// Times that this began.
    pub drops: u64,
}

/// When a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobMode {
    /// A sealed block leaves at once.
    Always,
    /// When somebody says `run`.
    OnDemand,
}

/// States of a job (`features.md`, G1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// Switched off by somebody.
    Disabled,
    /// On demand, and not running.
    Idle,
    /// The target cannot be reached; tried again by itself.
    Waiting,
    /// Sending what is behind.
    CatchingUp,
    /// Everything durable here is durable there.
    CaughtUp,
    /// Held back on purpose.
    Held,
    /// Nothing has moved for long; tried again by itself.
    Stalled,
    /// The target has no room.
    TargetFull,
    /// A track has another history there.
    Diverged,
    /// The archive at one end is not the one it was.
    NeedsDecision,
    /// Cannot work as it is configured.
    Failed,
}

/// States of a link (`features.md`, G1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// None wanted.
    None,
    /// Being made.
    Connecting,
    /// In use.
    Active,
    /// Will be tried again.
    Retrying,
    /// The other side does not want us.
    Refused,
}

/// One job as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// Its name.
    pub name: Name,
    /// Archive it hauls from.
    pub from: Name,
    /// Peer and archive it hauls to, as `peer/archive`.
    pub to: String,
    /// Cameras, or empty for all.
    pub cameras: Vec<Name>,
    /// When it runs.
    pub mode: JobMode,
    /// State.
    pub state: JobState,
    /// Why it is in that state; empty if there is nothing to say.
    pub why: String,
    /// What to do; empty if there is nothing to do.
    pub action: String,
    /// State of its link.
    pub link: LinkState,
    /// Route in use or tried last, as `host:port`.
    pub route: String,
    /// Age of the oldest unhauled block; 0 if there is none.
    pub lag_ms: u64,
    /// Blocks that are durable here and not known to be durable there.
    pub backlog_blocks: u64,
    /// The same in bytes on the source volume.
    pub backlog_bytes: u64,
    /// Time until the source ring reaches unhauled blocks at the present rate; none if it never does.
    pub overrun_ms: Option<u64>,
    /// Bytes a second over the last ten seconds.
    pub rate_bytes: u64,
    /// Blocks acknowledged durable at the target since the daemon started.
    pub blocks: u64,
    /// Payload bytes of these.
    pub bytes: u64,
    /// Blocks that were there already.
    pub duplicates: u64,
    /// Track sequences stated as gaps.
    pub gaps: u64,
    /// Connections made after the first.
    pub retries: u64,
    /// Run that is on, or the last one; 0 before the first.
    pub run: u64,
}

/// One link that comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IncomingStatus {
    /// Peer it belongs to.
    pub peer: Name,
    /// Archive it appends to; empty before it said hello.
    pub archive: String,
    /// Other end's address.
    pub address: String,
    /// Blocks made durable for it since it came up.
    pub blocks: u64,
    /// Payload bytes of these.
    pub bytes: u64,
}

/// Parameters of `Events`. With `more` and `follow` it does not end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EventsCall {
    /// Go on with events as they happen.
    pub follow: bool,
    /// Only those with this number or a higher one.
    pub since: u64,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Will be a problem if it stays.
    Warning,
    /// Something is lost, damaged or stopped.
    Critical,
}

/// One event; reply of `Events`, one each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// 1, 2, 3 … over restarts.
    pub number: u64,
    /// When, by the wall clock.
    pub utc_ns: i64,
    /// Which kind, for programs: `gap`, `stalled`, `tail-discarded` …
    pub code: String,
    /// How bad.
    pub severity: Severity,
    /// Archive, job, recorder or peer it is about.
    pub subject: String,
    /// A sentence.
    pub sentence: String,
}

/// One line of `Doctor`, as far as the core knows; the command adds what it sees of kernel and limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was looked at.
    pub what: String,
    /// It is right.
    pub right: bool,
    /// What was found.
    pub found: String,
    /// What to do; empty if it is right.
    pub action: String,
}

/// Reply of `Doctor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doctor {
    /// All checks.
    pub checks: Vec<Check>,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DamagedBlock {
    /// Log sequence.
    pub log_sequence: u64,
    /// What is wrong with it, in words.
    pub why: String,
}

/// Parameters of `Export`, which takes the connection over: chunks (`u32` length, little endian, then that many bytes),
/// a chunk of length 0, then a last reply with [`Exported`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantRevoke {
    /// From `list`.
    pub id: String,
}

// ---- io.blockhaul.Job

/// Parameters of `Create`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
