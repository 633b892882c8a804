//! What `Check` and `CheckByWriting` of `io.blockhaul.Card` take and give.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// Parameters of `Check` and `CheckByWriting`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardCheckCall {
    /// Absolute path of the device, partition or image.
    pub path: String,
}

/// What a check is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckPhase {
    /// Reading places all over the capacity.
    Reading,
    /// Reading what lies at the places that will be written.
    Saving,
    /// Writing a pattern that names its place to each of them.
    Writing,
    /// Reading all of them back.
    ReadingBack,
    /// Writing what was there before.
    PuttingBack,
    /// Reading that.
    Proving,
    /// Nothing any more.
    Ended,
}

/// What came of a check, the worst that applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// Nothing was found.
    Good,
    /// Some places take much longer than a card may.
    Slow,
    /// Some places cannot be read.
    Unreadable,
    /// Writes are refused, or acknowledged and not kept, at some places.
    NotKept,
    /// Nothing that is written is kept.
    ReadOnly,
    /// There is less than the card says.
    Counterfeit,
    /// It went away meanwhile.
    Gone,
    /// Somebody stopped it.
    Stopped,
}

/// How long the operations of one kind took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckTimes {
    /// Places.
    pub places: u64,
    /// Bytes at each.
    pub place_bytes: u64,
    /// Those at which it failed.
    pub failed: u64,
    /// Half of them took no longer, in microseconds.
    pub p50_us: u64,
    /// 95 of 100 took no longer.
    pub p95_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// The longest.
    pub longest_us: u64,
    /// Those that took longer than a card may.
    pub slow: u64,
}

/// What was found at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlaceFound {
    /// It took long.
    Slow,
    /// It cannot be read.
    Unreadable,
    /// It is the beginning of the card again.
    Repeats,
    /// It refused the write.
    Unwritable,
    /// It acknowledged the write and holds what it held before.
    NotWritten,
    /// It acknowledged the write and holds something else.
    Altered,
    /// It holds what was written to another place.
    Wraps,
    /// What it held before could not be put back.
    NotPutBack,
}

/// A place at which something was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CheckPlace {
    /// Where.
    pub at_bytes: u64,
    /// What.
    pub found: PlaceFound,
    /// More of it, for people; empty if there is none.
    pub detail: String,
}

/// A reply: how far a check is, or what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardChecked {
    /// What it does.
    pub phase: CheckPhase,
    /// What has come of it; none before its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<CheckVerdict>,
    /// The verdict in a sentence; empty before its end.
    pub sentence: String,
    /// What to do; empty if nothing.
    pub next: String,
    /// Size that the card says it has.
    pub size_bytes: u64,
    /// Size that it has at most, if that is less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub real_bytes: Option<u64>,
    /// Registers of the card, or serial number of its reader.
    pub serial: String,
    /// Operations done.
    pub done: u64,
    /// Operations in all, unless something is found.
    pub total: u64,
    /// How long it has taken.
    pub taken_ms: u64,
    /// How long it will still take, by how long it has taken so far.
    pub left_ms: u64,
    /// Places that hold nothing: zeros or ones.
    pub blank: u64,
    /// The reads.
    pub reads: CheckTimes,
    /// The writes, if it writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writes: Option<CheckTimes>,
    /// Places at which something was found, up to 64 of each kind.
    pub places: Vec<CheckPlace>,
}
