//! What a job takes, when, and how fast: everything about it besides its two ends.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::calendar::{Cron, Timetable};
use crate::{Kind, Name};

/// The plan of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JobPlan {
    /// When its runs begin; only for the mode `schedule`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Which blocks of its cameras it takes.
    #[serde(skip_serializing_if = "is_default")]
    pub filter: Filter,
    /// Of which time a run takes blocks, if the run itself does not say.
    #[serde(skip_serializing_if = "is_default")]
    pub period: Period,
    /// A block leaves when it began that long ago.
    #[serde(skip_serializing_if = "is_default")]
    pub delay_ms: u64,
    /// Nothing leaves until it is thawed.
    #[serde(skip_serializing_if = "is_default")]
    pub frozen: bool,
    /// What becomes of blocks that are durable at the target.
    #[serde(skip_serializing_if = "is_default")]
    pub after: After,
    /// How fast it may be: the first that is in force; without one as fast as it can.
    #[serde(rename = "rate", skip_serializing_if = "Vec::is_empty")]
    pub rates: Vec<Rate>,
}

impl JobPlan {
    /// Everything, at once, as fast as it can.
    pub fn is_plain(&self) -> bool {
        *self == JobPlan::default()
    }
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// When runs begin: one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// From the beginning of one run to the next: 1 s to a year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// At these times of a zone's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cron: Option<Cron>,
}

/// Which blocks of its cameras a job takes. What is left out is stated at the target as filtered, never as present.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// Kinds of tracks; all if empty. The others are not opened at all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Only blocks that begin at this time or later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_utc_ns: Option<i64>,
    /// Only blocks that begin before this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_utc_ns: Option<i64>,
    /// Only blocks in which a decoder can begin.
    #[serde(skip_serializing_if = "is_default")]
    pub key_frames: bool,
    /// Only blocks that have all these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub has: Vec<Name>,
    /// Only blocks that have none of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lacks: Vec<Name>,
}

impl Filter {
    /// Whether it leaves out blocks of tracks that it takes.
    pub fn thins(&self) -> bool {
        let tracks_only = Filter {
            kinds: self.kinds.clone(),
            ..Filter::default()
        };
        *self != tracks_only
    }
}

/// What becomes, at the source, of blocks that a job has made durable at its target: so jobs chain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct After {
    /// Tags that they get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<Name>,
    /// Tags that they lose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub untag: Vec<Name>,
}

/// Of which time a run takes blocks. What is left out before a block that is taken is stated as not retrieved; what lies behind the
/// last one waits for another run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Period {
    /// Everything that is missing there.
    #[default]
    Everything,
    /// Blocks that begin between two times, the second not included.
    Range {
        /// Nanoseconds since 1970 UTC.
        from_utc_ns: i64,
        /// Nanoseconds since 1970 UTC.
        to_utc_ns: i64,
    },
    /// So much time before the beginning of the run, less the offset.
    Last {
        /// How much.
        duration_ms: u64,
        /// How long before the run it ends.
        #[serde(default)]
        offset_ms: u64,
    },
    /// Blocks that begin while a weekly timetable is open.
    Timetable {
        /// It.
        hours: Timetable,
    },
    /// Blocks of times that the target's archive holds nothing of, of their camera and kind and from other origins. The others are
    /// stated as filtered.
    Offline {
        /// By so much the clocks may differ: a block that is so near to a hole belongs into it.
        #[serde(default = "margin_ms")]
        margin_ms: u64,
        /// A block waits until the others were recorded past its end, but not longer than this after it.
        #[serde(default = "wait_ms")]
        wait_ms: u64,
    },
}

/// Unless said otherwise clocks differ by 2 s at most.
pub fn margin_ms() -> u64 {
    2_000
}

/// Unless said otherwise ten minutes: a link that is lost for less than that is caught up before the card is asked.
pub fn wait_ms() -> u64 {
    600_000
}

/// How fast a job may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Bytes a second; 0 stands still.
    pub bytes_a_second: u64,
    /// Only while this weekly timetable is open; always if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Timetable>,
}

/// Where a run ends before everything is over there. A run that ends so is `partial`, and not a failure.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Bounds {
    /// After so many blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocks: Option<u64>,
    /// Before this log sequence of the source archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub below: Option<u64>,
    /// When an event with this code is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Where this mark of the source archive stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<Name>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// It is on.
    Running,
    /// Everything that it wanted is durable there.
    Completed,
    /// It came to one of its bounds, or left something out for a reason that its job tells.
    Partial,
    /// Somebody ended it.
    Aborted,
    /// Nobody knows: an appliance stopped in the middle.
    Unknown,
}

/// One run, as either end knows it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunRecord {
    /// The same at both ends.
    pub run: hal::Uuid,
    /// The source's: job. The target's: peer.
    pub of: Name,
    /// The source's: peer and archive it hauls to. The target's: archive it hauls into.
    pub to: String,
    /// At this end blocks come in.
    pub incoming: bool,
    /// When it began, by the wall clock here.
    pub begun_utc_ns: i64,
    /// When it ended; 0 while it is on.
    pub ended_utc_ns: i64,
    /// How it ended.
    pub result: RunResult,
    /// Blocks that became durable at the target.
    pub blocks: u64,
    /// Payload bytes of these.
    pub bytes: u64,
    /// Blocks that were there already.
    pub duplicates: u64,
    /// Track sequences stated as gaps.
    pub gaps: u64,
    /// Connections made after the first.
    pub retries: u64,
}
