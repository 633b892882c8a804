//! What `io.blockhaul.Card` takes and gives.

use alloc::string::String;
use alloc::vec::Vec;

use hal::{CardFacts, Uuid};
use serde::{Deserialize, Serialize};

use crate::calendar::Zone;
use crate::card::pattern::Pattern;
use crate::card::profile::SidecarForm;
use crate::{Kind, Name};

/// Parameters of `Add`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardAdd {
    /// Its name.
    pub name: Name,
    /// Archive that takes its files.
    pub archive: Name,
    /// Absolute path of the device, partition, image or folder.
    pub path: String,
    /// Which files are wanted.
    pub patterns: Vec<Pattern>,
    /// Camera of files whose pattern names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub camera: Option<Name>,
    /// What they carry.
    #[serde(default)]
    pub kind: Kind,
    /// Documents beside the files that say their time and camera.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sidecars: Option<SidecarForm>,
    /// Zone of local times on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// A file that was not touched for so long is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_ms: Option<u64>,
}

/// Parameters of `Info`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardInfoCall {
    /// Absolute path of the device, partition, image or folder.
    pub path: String,
    /// Count what these patterns match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<Pattern>,
}

/// Reply of `Info`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardInfo {
    /// What is there.
    pub facts: CardFacts,
    /// Name of the card here; none if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Name>,
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// There are more than are counted.
    pub more: bool,
    /// Folders and entries that are damaged.
    pub damaged: u64,
    /// The first of them.
    pub damage: Vec<String>,
    /// For each pattern, how many files it takes.
    pub matched: Vec<CardMatched>,
    /// Some of the files.
    pub sample: Vec<CardSample>,
}

/// What a pattern takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMatched {
    /// It.
    pub pattern: Pattern,
    /// Files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSample {
    /// Path on the card.
    pub path: String,
    /// Size.
    pub bytes: u64,
    /// When it was written last, as the card says; 0 if it does not.
    pub modified_ns: i64,
}

/// What a card does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardState {
    /// It is not there.
    Away,
    /// What of it is in the archive is being looked up, or its files are listed.
    Looking,
    /// Its files are being taken.
    Taking,
    /// Everything that is closed is in the archive.
    Taken,
    /// It is there, and its archive takes nothing.
    Blocked,
}

/// One card as it is now. Numbers are since the daemon's start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardStatus {
    /// Name.
    pub name: Name,
    /// Archive that takes its files.
    pub archive: Name,
    /// The origin of its blocks.
    pub origin: Uuid,
    /// What it does.
    pub state: CardState,
    /// Why it does not do more; empty if all is well.
    pub why: String,
    /// What to do; empty if nothing.
    pub action: String,
    /// Where it is; empty if away.
    pub path: String,
    /// Serial number or UUID of its file system.
    pub volume_id: String,
    /// File that is being taken; empty if none.
    pub file: String,
    /// Files to be taken that are closed.
    pub files_left: u64,
    /// Bytes in them.
    pub bytes_left: u64,
    /// Files that may not be closed yet.
    pub files_waiting: u64,
    /// Files taken.
    pub files: u64,
    /// Bytes taken and durable.
    pub bytes: u64,
    /// Files that the camera overwrote first, or that changed while they were read.
    pub files_lost: u64,
    /// Files that cannot be read.
    pub files_unreadable: u64,
}

/// Reply of `List`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cards {
    /// All cards.
    pub cards: Vec<CardStatus>,
}
