//! Cards of cameras as sources: their files become blocks of an archive here, with the card as their origin.
//!
//! `pattern` and `profile` say which files are wanted and when they began (`axis` and `xml`: by documents beside them), `survey` what of a card the archive has already, `import`
//! brings the rest, file by file, `configured` is one configured card, coming and going, `probe` a look at something that may be one.
//! Reading file systems is the driver's (`drivers/cards`); from the archive on everything is as for what was recorded here.
//!
//! Invariants: nothing is appended before a look behind its bytes has agreed with the look in front of them; where an import goes on
//! is in the log of the archive and nowhere else; a card whose identity is not the configured one is not read.

pub mod axis;
pub mod check;
pub mod configured;
mod import;
pub mod pattern;
pub mod probe;
pub mod profile;
mod survey;
pub mod xml;

use core::time::Duration;

/// A card that is there is looked at that often for new files.
pub const LOOK_EVERY: Duration = Duration::from_secs(30);
/// Blocks of a card on their way into the archive.
const UNDER_WAY_MAX: usize = 8;
/// Blocks that are read between two looks.
const BATCH_MAX: usize = 4;
/// A file that was not touched for that long is closed, unless the setting says otherwise.
pub const SETTLE_DEFAULT: Duration = Duration::from_secs(60);
/// The newest file of a folder may be the one that is being written: it waits that many times as long.
const NEWEST_TIMES: u32 = 10;
/// Known beginnings of files that one import keeps.
const KNOWN_MAX: usize = 1 << 20;
