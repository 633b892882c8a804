//! What `io.blockhaul.Tag` takes and gives.

use alloc::vec::Vec;
use hal::Uuid;
use serde::{Deserialize, Serialize};

use crate::{Kind, Name};

/// Parameters of `Set` and `Unset`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagChange {
    /// Archive.
    pub archive: Name,
    /// Camera.
    pub camera: Name,
    /// The tag.
    pub tag: Name,
    /// Only this kind; all of the camera's if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Only this origin; all if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Uuid>,
    /// Only blocks that end after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_utc_ns: Option<i64>,
    /// Only blocks that begin before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_utc_ns: Option<i64>,
    /// First track sequence; 0 if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// First track sequence behind; the end of the track if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Say what would be done, and do nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Reply of `Set` and `Unset`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TagChanged {
    /// Tracks concerned.
    pub tracks: u64,
    /// Track sequences in the range, of all tracks.
    pub blocks: u64,
    /// Those of which it was not so before.
    pub changed: u64,
}

/// Parameters of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagList {
    /// Archive.
    pub archive: Name,
    /// Only this camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Name>,
}

/// A tagged range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagInfo {
    /// The tag.
    pub tag: Name,
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
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagInfos {
    /// By track, tag and sequence.
    pub tags: Vec<TagInfo>,
}
