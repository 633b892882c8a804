//! Which files of a card are wanted, which camera they are of, and when they began: one line of text, matched against the path.
//!
//! `*` is anything within a name, `**` anything at all, `%Y %m %d %H %M %S` are digits of a time, `%F` is `%Y-%m-%d`, `%s` seconds since
//! 1970, `%c` the camera (anything within a name, the shortest that fits), `%%` a percent sign. Capitals and small letters are the same.
//!
//! Pure. Invariant: matching costs at most [`STEPS_MAX`] steps, whatever pattern and path are.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};

/// Longest pattern in bytes.
const LENGTH_MAX: usize = 256;
/// Steps after which a path is taken not to match.
const STEPS_MAX: u32 = 100_000;

/// A pattern that was understood.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    /// This character, as a small letter.
    Is(char),
    /// Anything within a name.
    Name,
    /// Anything.
    Any,
    Camera,
    /// So many digits of a time.
    Digits(Field),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Field {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Unix,
}

impl Field {
    /// Fewest and most digits.
    fn digits(self) -> (usize, usize) {
        match self {
            Field::Year => (4, 4),
            Field::Unix => (9, 11),
            Field::Month | Field::Day | Field::Hour | Field::Minute | Field::Second => (2, 2),
        }
    }
}

/// What a path says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Match {
    /// Where the camera stands in the path, as bytes from and to.
    pub camera: Option<(usize, usize)>,
    /// Seconds since 1970 of the time in it, as it is written there.
    pub seconds: Option<i64>,
    /// That is UTC; else it is local time.
    pub utc: bool,
}

/// The numbers found on the way.
#[derive(Clone, Copy, Default)]
struct Found {
    numbers: [Option<i64>; 7],
    camera: Option<(usize, usize)>,
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Pattern, String> {
        if text.is_empty() || text.len() > LENGTH_MAX || text.starts_with('/') {
            return Err("a pattern has 1 to 256 bytes and does not begin with a slash".to_string());
        }
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        while let Some(next) = rest.next() {
            match next {
                '*' if rest.next_if_eq(&'*').is_some() => parts.push(Part::Any),
                '*' => parts.push(Part::Name),
                '%' => match rest.next() {
                    Some('F') => {
                        let digits = [Field::Year, Field::Month, Field::Day].map(Part::Digits);
                        parts.extend([digits[0], Part::Is('-'), digits[1], Part::Is('-'), digits[2]]);
                    }
                    Some('Y') => parts.push(Part::Digits(Field::Year)),
                    Some('m') => parts.push(Part::Digits(Field::Month)),
                    Some('d') => parts.push(Part::Digits(Field::Day)),
                    Some('H') => parts.push(Part::Digits(Field::Hour)),
                    Some('M') => parts.push(Part::Digits(Field::Minute)),
                    Some('S') => parts.push(Part::Digits(Field::Second)),
                    Some('s') => parts.push(Part::Digits(Field::Unix)),
                    Some('c') => parts.push(Part::Camera),
                    Some('%') => parts.push(Part::Is('%')),
                    other => {
                        let what = other.map(String::from).unwrap_or_default();
                        return Err(alloc::format!("%{what} is none of %Y %m %d %H %M %S %F %s %c %%"));
                    }
                },
                other => parts.extend(other.to_lowercase().map(Part::Is)),
            }
        }
        Ok(Pattern {
            text: text.to_string(),
            parts,
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Pattern, String> {
        text.parse()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> String {
        pattern.text
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pattern {
    /// Whether the camera is in the path.
    pub fn names_camera(&self) -> bool {
        self.parts.contains(&Part::Camera)
    }

    /// What a path says; none if it is not wanted.
    pub fn matches(&self, path: &str) -> Option<Match> {
        let mut steps = 0;
        let found = step(&self.parts, path, 0, Found::default(), &mut steps)?;
        let [year, month, day, hour, minute, second, unix] = found.numbers;
        if let Some(seconds) = unix {
            return Some(Match {
                camera: found.camera,
                seconds: Some(seconds),
                utc: true,
            });
        }
        let part = |number: Option<i64>, otherwise: i64| i8::try_from(number.unwrap_or(otherwise)).ok();
        let seconds = year.and_then(|year| {
            let date = DateTime::new(
                i16::try_from(year).ok()?,
                part(month, 1)?,
                part(day, 1)?,
                part(hour, 0)?,
                part(minute, 0)?,
                part(second, 0)?,
                0,
            );
            let stamp = jiff::tz::Offset::UTC.to_timestamp(date.ok()?).ok()?;
            Some(stamp.as_second())
        });
        if year.is_some() && seconds.is_none() {
            return None;
        }
        Some(Match {
            camera: found.camera,
            seconds,
            utc: false,
        })
    }
}

/// Matches the rest of a path from a byte on. The parts with a choice try the shortest first.
fn step(parts: &[Part], path: &str, at: usize, mut found: Found, steps: &mut u32) -> Option<Found> {
    *steps += 1;
    if *steps > STEPS_MAX {
        return None;
    }
    let Some((part, behind)) = parts.split_first() else {
        return (at == path.len()).then_some(found);
    };
    let rest = &path[at..];
    match *part {
        Part::Is(wanted) => {
            let first = rest.chars().next()?;
            // What becomes more than one small letter is matched by its first.
            let same = first.to_lowercase().next() == Some(wanted);
            if same {
                step(behind, path, at + first.len_utf8(), found, steps)
            } else {
                None
            }
        }
        Part::Name | Part::Any | Part::Camera => {
            let mut end = at;
            let mut characters = rest.chars();
            loop {
                let mut here = found;
                if *part == Part::Camera {
                    here.camera = Some((at, end));
                }
                let is_name = *part != Part::Camera || end > at;
                if is_name && let Some(found) = step(behind, path, end, here, steps) {
                    return Some(found);
                }
                match characters.next() {
                    Some('/') if *part != Part::Any => return None,
                    Some(next) => end += next.len_utf8(),
                    None => return None,
                }
            }
        }
        Part::Digits(field) => {
            let (fewest, most) = field.digits();
            let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
            if digits < fewest {
                return None;
            }
            found.numbers[field as usize] = rest[..digits].parse().ok();
            step(behind, path, at + digits, found, steps)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(pattern: &str, path: &str) -> Option<(Option<i64>, Option<String>)> {
        let pattern: Pattern = pattern.parse().unwrap();
        let found = pattern.matches(path)?;
        Some((found.seconds, found.camera.map(|(from, to)| path[from..to].to_string())))
    }

    #[test]
    fn trees_of_the_field() {
        let at = Some(1_795_301_160);
        let camera = |name: &str| Some(name.to_string());
        for (pattern, path, seconds, named) in [
            ("%F/%H-%M.mp4", "2026-11-21/22-46.mp4", at, None),
            (
                "%c/records/%Y%m%d/%H/%M-%S.mp4",
                "door/records/20261121/22/46-00.mp4",
                at,
                camera("door"),
            ),
            ("**/%Y%m%d_%H%M%S*.mp4", "Normal/F/20261121_224600_NF.MP4", at, None),
            (
                "DCIM/%c/%Y%m%d/%Y%m%d_%s_*.mp4",
                "DCIM/7f3a/20261121/20261121_1795301160_30.mp4",
                at,
                camera("7f3a"),
            ),
            (
                "axis-%c/*/*/*/*/%Y%m%d_%H%M%S_*.mkv",
                "axis-ACCC8E000001/20261121/22/20261121_224600_AB12_ACCC8E000001/20261121_22/20261121_224600_CD34.mkv",
                at,
                camera("ACCC8E000001"),
            ),
            ("**.ts", "a/b/c.TS", None, None),
        ] {
            assert_eq!(says(pattern, path), Some((seconds, named)), "{pattern}");
        }
        for (pattern, path) in [
            ("%F/%H-%M.mp4", "2026-13-21/22-46.mp4"),
            ("%F/%H-%M.mp4", "2026-11-21/22-46.mp4.tmp"),
            ("*.mp4", "a/b.mp4"),
            ("%c/x", "/x"),
        ] {
            assert_eq!(says(pattern, path), None, "{pattern} {path}");
        }
    }

    #[test]
    fn what_cannot_be_a_pattern_and_what_would_take_for_ever() {
        for bad in ["", "/a", "%q", "a%"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad}");
        }
        let slow = "**a**a**a**a**a**a**a**b".parse::<Pattern>().unwrap();
        assert_eq!(slow.matches(&"a".repeat(1000)), None);
    }
}
