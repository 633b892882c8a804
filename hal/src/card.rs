//! Cards of cameras: file systems that somebody else wrote, and that are only ever read.
//!
//! Not volumes (`disk.rs`): a card's bytes come by file, and there is no op that writes one.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

use crate::Uuid;

/// Most files that one listing holds.
pub const CARD_FILES_MAX: usize = 100_000;
/// Longest path of a file on a card, in bytes.
pub const CARD_PATH_BYTES_MAX: usize = 1024;
/// Most sentences about damage in one listing.
pub const CARD_DAMAGE_MAX: usize = 16;

/// What kind of file system a card has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CardForm {
    /// FAT with 12-bit entries.
    Fat12,
    /// FAT with 16-bit entries.
    Fat16,
    /// FAT with 32-bit entries.
    Fat32,
    /// exFAT.
    Exfat,
    /// ext2, ext3 or ext4.
    Ext4,
    /// A folder of a file system that this machine has mounted.
    Folder,
}

impl CardForm {
    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            CardForm::Fat12 => "FAT12",
            CardForm::Fat16 => "FAT16",
            CardForm::Fat32 => "FAT32",
            CardForm::Exfat => "exFAT",
            CardForm::Ext4 => "ext4",
            CardForm::Folder => "folder",
        }
    }
}

/// What the machine found when it opened a card.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardFacts {
    /// Kind of file system.
    pub form: CardForm,
    /// From what the file system was given when it was made: the same in every reader and slot, another after formatting. None for
    /// a folder, which has nothing of the kind.
    pub identity: Option<Uuid>,
    /// Serial number or UUID of the file system, as people know it; empty for a folder.
    pub volume_id: String,
    /// Its name, if somebody gave it one.
    pub label: String,
    /// Size of the file system in bytes; 0 for a folder.
    pub size_bytes: u64,
    /// It was not left in good order: pulled, or the camera lost power. Usual, and harmless for reading.
    pub dirty: bool,
    /// Registers of the card, or serial number of its reader, as the kernel tells it; empty if it does not.
    pub serial: String,
    /// The same thing opened under two names has the same number.
    pub same_as: u64,
}

/// One file on a card.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CardFile {
    /// Path from the root of the card: names with `/` between them, none in front.
    pub path: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// When it was made, nanoseconds since 1970-01-01; none if the card does not say.
    pub created_ns: Option<i64>,
    /// When it was written last; none if the card does not say.
    pub modified_ns: Option<i64>,
    /// These are local times of whoever wrote them, without a zone; else UTC.
    pub local_time: bool,
}

/// All files of a card, in the order in which they lie there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardListing {
    /// The files; no folders. At most [`CARD_FILES_MAX`].
    pub files: Vec<CardFile>,
    /// There are more than that.
    pub more: bool,
    /// Folders and entries that contradict themselves or cannot be read: a sentence each, without the full stop. At most
    /// [`CARD_DAMAGE_MAX`].
    pub damage: Vec<String>,
    /// How many there are of those.
    pub damaged: u64,
}

/// A file as it is at this moment, read anew from the card.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CardLook {
    /// Its entry.
    pub file: CardFile,
    /// A number for entry and place: two looks that give the same number are at the same bytes of the same file, unless somebody
    /// wrote into it in place.
    pub place: u64,
}
