//! Names that people give: archives, cameras, peers, jobs, recorders. And the kinds of track.
//!
//! Invariant: a [`Name`] is 1 to 63 of `a-z 0-9 -`, beginning with a letter or digit, so it can stand in a path, a header, a
//! terminal and a log as it is (`reliability.md`, A-06).

use core::fmt;
use core::ops::Deref;
use core::str::FromStr;
use serde::{Deserialize, Serialize};

/// Longest name in bytes.
pub const NAME_BYTES_MAX: usize = 63;

/// A name. Small, fixed size, no allocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "heapless::String<NAME_BYTES_MAX>")]
pub struct Name(heapless::String<NAME_BYTES_MAX>);

/// Text that cannot be a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameError;

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name is 1 to 63 of a-z, 0-9 and '-', beginning with a letter or digit")
    }
}

impl core::error::Error for NameError {}

impl Name {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if text.is_empty() || text.starts_with('-') || !text.bytes().all(allowed) {
            return Err(NameError);
        }
        heapless::String::try_from(text).map(Self).map_err(|_| NameError)
    }
}

impl TryFrom<heapless::String<NAME_BYTES_MAX>> for Name {
    type Error = NameError;

    fn try_from(text: heapless::String<NAME_BYTES_MAX>) -> Result<Self, NameError> {
        text.parse()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a track carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Kind {
    /// Pictures, or pictures and sound together.
    #[default]
    Video = 1,
    /// Sound alone.
    Audio = 2,
    /// Anything else: events, positions, analytics.
    Metadata = 3,
}

impl Kind {
    /// The kind with that number in a header.
    pub fn from_number(number: u8) -> Option<Kind> {
        match number {
            1 => Some(Kind::Video),
            2 => Some(Kind::Audio),
            3 => Some(Kind::Metadata),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Kind::Video => "video",
            Kind::Audio => "audio",
            Kind::Metadata => "metadata",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names() {
        for good in ["a", "cam-1", "0", "yard"] {
            assert_eq!(good.parse::<Name>().map(|name| name.as_str() == good), Ok(true));
        }
        let long = "x".repeat(64);
        for bad in ["", "-a", "A", "a b", "a/b", "..", "ä", "a\n", long.as_str()] {
            assert_eq!(bad.parse::<Name>(), Err(NameError), "{bad:?}");
        }
    }
}
