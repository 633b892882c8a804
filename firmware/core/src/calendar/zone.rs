//! A time zone by its name, and how it cuts time into stretches of one offset.
//!
//! Local times are counted in seconds as if they were UTC, so that they can be compared and divided.

use alloc::format;
use alloc::string::{String, ToString};
use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

/// A time zone of the database that is built in.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// A stretch of time in which the zone has one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Seconds since 1970 at which it begins; none if the zone has always been so.
    pub from_s: Option<i64>,
    /// Where the next one begins.
    pub until_s: Option<i64>,
    /// Added to UTC it gives local time.
    pub offset_s: i64,
    /// The same of the stretch before.
    pub offset_before_s: i64,
}

impl Zone {
    /// Coordinated universal time.
    pub fn utc() -> Zone {
        Zone {
            name: "UTC".to_string(),
            rules: TimeZone::UTC,
        }
    }

    /// Its name, as the database writes it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Seconds of local time.
    pub(super) fn local_s(&self, utc_s: i64) -> i64 {
        utc_s + self.offset_s(utc_s)
    }

    /// What a local time is ahead of UTC. Of a time that is there twice the first one counts.
    pub fn offset_of_local_s(&self, local_s: i64) -> i64 {
        // No zone is further from UTC than that, so the earlier offset is the one before any change near by.
        let earlier = self.offset_s(local_s - 86_400);
        let later = self.offset_s(local_s - earlier);
        if self.offset_s(local_s - later) == later {
            later
        } else {
            earlier
        }
    }

    fn offset_s(&self, utc_s: i64) -> i64 {
        i64::from(self.rules.to_offset(stamp(utc_s)).seconds())
    }

    /// The stretch with this second.
    pub(super) fn stretch(&self, utc_s: i64) -> Stretch {
        let offset_s = self.offset_s(utc_s);
        // What precedes is strictly before; a change at this very second belongs to it.
        let from_s = self
            .rules
            .preceding(stamp(utc_s + 1))
            .next()
            .map(|change| change.timestamp().as_second());
        let until_s = self
            .rules
            .following(stamp(utc_s))
            .next()
            .map(|change| change.timestamp().as_second());
        Stretch {
            from_s,
            until_s,
            offset_s,
            offset_before_s: from_s.map_or(offset_s, |from_s| self.offset_s(from_s - 1)),
        }
    }
}

/// A time that the library knows; times of the core are far inside its range.
fn stamp(utc_s: i64) -> Timestamp {
    let within = utc_s.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(within).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// The date of a local time.
pub(super) fn date(local_s: i64) -> Date {
    Offset::UTC.to_datetime(stamp(local_s)).date()
}

/// The local time at which a date begins.
pub(super) fn midnight_s(date: Date) -> i64 {
    Offset::UTC
        .to_timestamp(date.to_datetime(jiff::civil::Time::midnight()))
        .map_or(i64::MAX / 2, Timestamp::as_second)
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(text: &str) -> Result<Zone, String> {
        let rules = TimeZoneDatabase::bundled().get(text).map_err(|_| {
            format!("{text:?} is not a time zone; write its name in the time zone database, like Europe/Berlin or UTC")
        })?;
        Ok(Zone {
            name: rules.iana_name().unwrap_or(text).to_string(),
            rules,
        })
    }
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(text: String) -> Result<Zone, String> {
        text.parse()
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Zone) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Zone) -> Ordering {
        self.name.cmp(&other.name)
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}
