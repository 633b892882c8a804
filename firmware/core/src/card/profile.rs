//! The setting of a card, and what it makes of a file: a camera, a time, a place in the order, or nothing. Pure.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use hal::{CardFile, Uuid};
use serde::{Deserialize, Serialize};

use super::SETTLE_DEFAULT;
use super::pattern::Pattern;
use crate::archive::creation::refusal;
use crate::calendar::Zone;
use crate::control::types::{Refusal, RefusalCode};
use crate::{Kind, Name};

/// Patterns of one card.
const PATTERNS_MAX: usize = 16;
/// Range of the time after which a file counts as closed.
const SETTLE_MIN: Duration = Duration::from_secs(1);
const SETTLE_MAX: Duration = Duration::from_secs(86_400);
pub(super) const MS_NS: i64 = 1_000_000;

/// Trees of cameras that are known, and the patterns that take their files (`docs/cards.md`).
pub const PROFILES: [(&str, &[&str]); 6] = [
    (
        "axis",
        &[
            "axis-%c/*/*/*/*/%Y%m%d_%H%M%S_*.mkv",
            "%Y%m%d/*/*_*_*_%c/*/%Y%m%d_%H%M%S_*.mkv",
        ],
    ),
    ("openipc", &["%F/%H-%M.mp4", "%F/%H-%M-%S.mp4"]),
    ("thingino", &["%c/records/%Y%m%d/%H/%M-%S.mp4", "%c/records/%Y%m%d/%H/*.mp4"]),
    ("tuya", &["DCIM/%c/%Y%m%d/%Y%m%d_%s_*.mp4"]),
    (
        "dashcam",
        &["**/%Y%m%d_%H%M%S*.mp4", "**/%Y%m%d_%H%M%S*.ts", "**/%Y_%m%d_%H%M%S*.mp4"],
    ),
    ("any", &["**.mp4", "**.ts", "**.mkv", "**.mov", "**.avi"]),
];

/// Documents beside the files of a card that say more than their names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SidecarForm {
    /// `recording.xml` and an XML for each file, as Axis cameras write them.
    Axis,
}

impl SidecarForm {
    /// Those that the trees of a profile have.
    pub fn of_profile(profile: &str) -> Option<SidecarForm> {
        (profile == "axis").then_some(SidecarForm::Axis)
    }
}

/// What the documents beside a file say of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sidecar {
    /// Nobody asked them.
    #[default]
    Unasked,
    /// It is closed.
    Closed,
    /// It is being written, or was when the card was pulled.
    Open,
    /// One of them is missing or damaged.
    Lacking,
}

/// A card that is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardSetting {
    /// Its name here.
    pub name: Name,
    /// Archive that takes its files.
    pub archive: Name,
    /// The origin of its blocks: identity of the file system, or drawn for a folder.
    pub origin: Uuid,
    /// Where it is: of a folder or an image. Cards are found by their identity wherever they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Serial number or UUID of the file system, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub volume_id: String,
    /// Registers of the card, or serial of the reader it was in when it was added.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub serial: String,
    /// Which files are wanted; the first that matches says camera and time.
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
    /// Zone of local times on the card; UTC if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<Zone>,
    /// A file that was not touched for so long is closed; a minute if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle_ms: Option<u64>,
}

/// A file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wanted {
    /// When it began, with a number for path and size behind the milliseconds: by this it is known. First, because files are taken
    /// in this order.
    pub begin_ns: i64,
    /// The file.
    pub file: CardFile,
    /// Its camera.
    pub camera: Name,
    /// When it was written last, or its beginning.
    pub end_ns: i64,
    /// Somebody said when it began.
    pub timed: bool,
    /// What the documents beside it say.
    pub sidecar: Sidecar,
}

/// First eight bytes of the hash of a path.
pub fn path_hash(path: &str) -> u64 {
    crate::archive::catalog::hash_prefix(&hal::Digest(*blake3::hash(path.as_bytes()).as_bytes()))
}

impl CardSetting {
    /// How long a file must not have been touched.
    pub fn settle(&self) -> Duration {
        self.settle_ms.map_or(SETTLE_DEFAULT, Duration::from_millis)
    }

    /// Whether it can be.
    pub fn check(&self) -> Result<(), Refusal> {
        if self.patterns.is_empty() || self.patterns.len() > PATTERNS_MAX {
            let sentence = "A card has 1 to 16 patterns for the files that are wanted.";
            return Err(refusal(
                RefusalCode::Usage,
                sentence,
                "See docs/cards.md for those of common cameras.",
            ));
        }
        if self.camera.is_none() && !self.patterns.iter().all(Pattern::names_camera) {
            let sentence = "Not every pattern names the camera (%c), and no camera is given for the others.";
            return Err(refusal(
                RefusalCode::Usage,
                sentence,
                "Give a camera, or put %c into the pattern.",
            ));
        }
        if !(SETTLE_MIN..=SETTLE_MAX).contains(&self.settle()) {
            let sentence = "The time after which a file counts as closed is out of range.";
            return Err(refusal(RefusalCode::Usage, sentence, "Choose 1 s to 1 d; 1 min suits most."));
        }
        if self.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            let sentence = "The path of a card is not absolute.";
            return Err(refusal(RefusalCode::Usage, sentence, "Begin it with a slash."));
        }
        Ok(())
    }

    /// What this card's rules make of a file; none if it is not wanted. Empty files hold nothing.
    pub fn wants(&self, file: &CardFile) -> Option<Wanted> {
        if file.size_bytes == 0 {
            return None;
        }
        let found = self.patterns.iter().find_map(|pattern| pattern.matches(&file.path))?;
        let camera = match found.camera {
            Some((from, to)) => name_of(&file.path[from..to])?,
            None => self.camera.clone()?,
        };
        let of_file = |ns: i64| if file.local_time { self.from_local(ns) } else { ns };
        let named = found.seconds.map(|seconds| {
            let ns = seconds.saturating_mul(1_000_000_000);
            if found.utc { ns } else { self.from_local(ns) }
        });
        let modified = file.modified_ns.map(of_file);
        let begun = named.or(file.created_ns.map(of_file)).or(modified);
        let begin = begun.unwrap_or(0).clamp(0, i64::MAX / 2);
        let begin_ns = begin - begin % MS_NS + (number(&file.path, file.size_bytes) as i64);
        Some(Wanted {
            begin_ns,
            end_ns: modified.unwrap_or(begin).max(begin_ns),
            camera,
            timed: begun.is_some(),
            file: file.clone(),
            sidecar: Sidecar::default(),
        })
    }

    /// UTC of a local time on the card.
    pub fn from_local(&self, local_ns: i64) -> i64 {
        let Some(zone) = &self.zone else { return local_ns };
        local_ns - zone.offset_of_local_s(local_ns.div_euclid(1_000_000_000)) * 1_000_000_000
    }
}

/// From 1 to 999,999: files that began in the same millisecond are told apart, and so is one that was written again with another size.
fn number(path: &str, size_bytes: u64) -> u64 {
    (path_hash(path) ^ size_bytes.wrapping_mul(0x9e37_79b9_7f4a_7c15)) % 999_999 + 1
}

/// Whether a beginning is that of a file's first block, and not of one behind it.
pub fn is_first(begin_utc_ns: i64) -> bool {
    begin_utc_ns % MS_NS != 0
}

/// When a piece behind the first one began, by its share of the file: whole milliseconds.
pub fn share_ns(wanted: &Wanted, at_bytes: u64) -> i64 {
    let span = u128::from(wanted.end_ns.saturating_sub(wanted.begin_ns).max(0).unsigned_abs());
    let part = span * u128::from(at_bytes) / u128::from(wanted.file.size_bytes.max(1));
    let at = wanted.begin_ns.saturating_add(i64::try_from(part).unwrap_or(i64::MAX));
    at - at % MS_NS
}

/// A name as cameras are called here, from what a card calls them.
fn name_of(text: &str) -> Option<Name> {
    let small = text.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    let name: String = small.skip_while(|c| *c == '-').take(63).collect();
    name.to_string().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn setting(pattern: &str) -> CardSetting {
        CardSetting {
            name: "dash".parse().unwrap(),
            archive: "main".parse().unwrap(),
            origin: Uuid([1; 16]),
            path: None,
            volume_id: String::new(),
            serial: String::new(),
            patterns: alloc::vec![pattern.parse().unwrap()],
            camera: Some("front".parse().unwrap()),
            kind: Kind::Video,
            sidecars: None,
            zone: Some("Europe/Berlin".parse().unwrap()),
            settle_ms: None,
        }
    }

    fn file(path: &str, size_bytes: u64) -> CardFile {
        CardFile {
            path: path.to_string(),
            size_bytes,
            created_ns: None,
            modified_ns: Some(1_795_305_000_000_000_000),
            local_time: true,
        }
    }

    #[test]
    fn local_times_of_winter_and_summer() {
        let card = setting("%F/%H-%M.mp4");
        let begins = |path: &str| card.wants(&file(path, 5)).unwrap().begin_ns / 1_000_000_000;
        assert_eq!(begins("2026-11-21/22-46.mp4"), 1_795_301_160 - 3600);
        assert_eq!(begins("2026-07-21/22-46.mp4"), 1_784_673_960 - 7200);
    }

    #[test]
    fn files_are_told_apart_and_pieces_of_one_are_not_first() {
        let card = setting("**.mp4");
        let one = card.wants(&file("a.mp4", 5_000_000)).unwrap();
        assert_ne!(one.begin_ns, card.wants(&file("b.mp4", 5_000_000)).unwrap().begin_ns);
        assert_ne!(one.begin_ns, card.wants(&file("a.mp4", 5_000_001)).unwrap().begin_ns);
        assert!(is_first(one.begin_ns) && !is_first(share_ns(&one, 1_000_000)));
        assert_eq!((one.camera.as_str(), one.timed), ("front", true));
        assert_eq!(card.wants(&file("a.mp4", 0)), None);
        assert_eq!(card.wants(&file("a.txt", 1)), None);
    }

    #[test]
    fn cameras_from_paths() {
        let card = setting("%c/**.mp4");
        assert_eq!(
            card.wants(&file("ACCC:8E_1/x/a.mp4", 1)).unwrap().camera.as_str(),
            "accc-8e-1"
        );
        assert_eq!(card.wants(&file("--/a.mp4", 1)), None);
    }
}
