//! What `io.blockhaul.Appliance` takes and gives: identity, status, events, checks.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use hal::{ClockQuality, Fingerprint, Uuid};
use serde::{Deserialize, Serialize};

use super::{GuardStatus, JobPlan, RunRecord};
use crate::{Kind, Name};

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

/// Parameters of `Stop`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StopCall {
    /// Wait for nothing.
    #[serde(default, skip_serializing_if = "super::is_false")]
    pub now: bool,
    /// Stop when these jobs have caught up; an empty name stands for all that are enabled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drain: Vec<String>,
    /// Give a drained stop up after this long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
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
    /// Whether the replication service is on.
    #[serde(default = "on")]
    pub hauling: bool,
    /// All archives.
    pub archives: Vec<ArchiveStatus>,
    /// All recorders.
    pub recorders: Vec<RecorderStatus>,
    /// All jobs.
    pub jobs: Vec<JobStatus>,
    /// All links that come in.
    pub incoming: Vec<IncomingStatus>,
    /// Who holds how much of which archive.
    #[serde(default)]
    pub guards: Vec<GuardStatus>,
}

/// What a daemon without the switch does.
fn on() -> bool {
    true
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
    /// At the times of its schedule.
    Schedule,
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
    /// Only cameras of these tenants; of all and of none if empty.
    #[serde(default)]
    pub tenants: Vec<Name>,
    /// When it runs.
    pub mode: JobMode,
    /// What it takes, when, and how fast.
    pub plan: JobPlan,
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
    /// Of the blocks acknowledged, those that the target lacked below its tips.
    #[serde(default)]
    pub back_filled: u64,
    /// How far the present or last full run has come.
    #[serde(default)]
    pub full: Option<FullRun>,
    /// Track sequences stated as gaps.
    pub gaps: u64,
    /// Track sequences left out by filter or period, and stated so.
    pub filtered: u64,
    /// Connections made after the first.
    pub retries: u64,
    /// Run that is on, or the last one; 0 before the first.
    pub run: u64,
    /// Its id, the same at the target; none before the first.
    pub run_id: Option<Uuid>,
    /// Blocks that were missing there when it began.
    pub run_total_blocks: u64,
    /// Blocks that it has brought there.
    pub run_blocks: u64,
    /// When the next run begins by itself, if one does.
    pub next_run_utc_ns: Option<i64>,
}

/// A full run, as far as it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullRun {
    /// Log sequences of the source that are done with.
    pub at: u64,
    /// Log sequences to go through; 0 while newer blocks are hauled first.
    pub total: u64,
    /// Blocks compared.
    pub compared: u64,
    /// Blocks that were missing or damaged at the target, and are durable there now.
    pub sent: u64,
    /// Blocks that are whole at neither end.
    pub lost: u64,
    /// It only compares, and sends nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// If so, the blocks that are missing or damaged at the target.
    #[serde(default)]
    pub lacking: u64,
    /// Everything is compared.
    pub done: bool,
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
    /// Blocks besides, that were missing or damaged here before.
    #[serde(default)]
    pub back_filled: u64,
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
    /// The run that it is about, if it is about the beginning or end of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<RunRecord>>,
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
