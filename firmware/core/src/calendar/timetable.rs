//! A weekly timetable in a time zone: `mon-fri 08:00-18:00, sat 10:00-12:00`.
//!
//! It says at which times of the local clock something is open. A time that the clock shows twice is open twice; one that it skips
//! does not come.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use jiff::civil::Weekday;
use serde::{Deserialize, Serialize};

use super::zone::{date, midnight_s};
use super::{DAY_MINUTES, DAY_S, SECOND_NS, Zone, place};

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WEEK_MINUTES: i64 = 7 * DAY_MINUTES;
/// No change is further away: a zone may skip the only day of the week on which there is one.
const AHEAD_MAX_S: i64 = 22 * DAY_S;

/// A weekly timetable in a time zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Timetable {
    text: String,
    zone: Zone,
    /// Open from the one minute of the week, counted from Monday, to before the other. In order, apart from each other.
    open: Vec<(i64, i64)>,
}

/// As it stands in documents and messages.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    week: String,
    zone: Zone,
}

impl Timetable {
    /// From a text. The error is a sentence.
    pub fn new(text: &str, zone: Zone) -> Result<Timetable, String> {
        let mut open = Vec::new();
        let mut days = Vec::new();
        let mut entries: Vec<&str> = text.split(',').map(str::trim).collect();
        // A comma at the end is no entry.
        if entries.len() > 1 && entries.last() == Some(&"") {
            entries.pop();
        }
        for entry in &entries {
            let wrong = |why: String| {
                format!("{entry:?} cannot be read: {why}; write a timetable like \"mon-fri 08:00-18:00, sat 10:00-12:00\"")
            };
            let mut hours = 0;
            for word in entry.split_ascii_whitespace() {
                if word.starts_with(|first: char| first.is_ascii_digit()) {
                    let (from, until) = times(word).map_err(wrong)?;
                    if days.is_empty() {
                        days.extend(0..7);
                    }
                    open.extend(days.iter().flat_map(|day| stretch(*day, from, until)).flatten());
                    hours += 1;
                } else if hours == 0 {
                    days.extend(weekdays(word).map_err(wrong)?);
                } else {
                    return Err(wrong("days stand before the hours".to_string()));
                }
            }
            if hours > 0 {
                days.clear();
            } else if entry.is_empty() {
                return Err(wrong("it is empty".to_string()));
            }
        }
        if !days.is_empty() {
            return Err(format!(
                "{text:?} names days without hours; write them behind, like \"sat 10:00-12:00\" or \"sun 00:00-24:00\""
            ));
        }
        Ok(Timetable {
            text: entries.join(", "),
            zone,
            open: joined(open),
        })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The zone whose clock it follows.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Whether it is open at that time.
    pub fn is_open(&self, utc_ns: i64) -> bool {
        self.is_open_at(utc_ns.div_euclid(SECOND_NS))
    }

    fn is_open_at(&self, utc_s: i64) -> bool {
        let minute = week_second(self.zone.local_s(utc_s)).div_euclid(60);
        self.open.iter().any(|(from, until)| (*from..*until).contains(&minute))
    }

    /// The first time after `utc_ns` at which it opens if it is closed, or closes if it is open; none if it never does.
    pub fn next_change(&self, utc_ns: i64) -> Option<i64> {
        let now_s = utc_ns.div_euclid(SECOND_NS);
        let is_open = self.is_open_at(now_s);
        let last_s = now_s + AHEAD_MAX_S;
        let mut at_s = now_s;
        while at_s < last_s {
            let of_week_s = week_second(self.zone.local_s(at_s));
            let edges = self.open.iter().flat_map(|(from, until)| [from * 60, until * 60]);
            let ahead_s = edges
                .map(|edge_s| (edge_s - of_week_s - 1).rem_euclid(WEEK_MINUTES * 60) + 1)
                .min()?;
            let changes_s = self.zone.stretch(at_s).until_s.unwrap_or(i64::MAX);
            at_s = (at_s + ahead_s).min(changes_s);
            if self.is_open_at(at_s) != is_open {
                return at_s.checked_mul(SECOND_NS);
            }
        }
        None
    }
}

/// Seconds since the local clock showed Monday, 00:00.
fn week_second(local_s: i64) -> i64 {
    let day = date(local_s);
    let since_monday = i64::from(day.weekday().since(Weekday::Monday));
    since_monday * DAY_S + local_s - midnight_s(day)
}

/// `mon` or `mon-fri`; a range may go over the end of the week.
fn weekdays(word: &str) -> Result<Vec<i64>, String> {
    let day = |text: &str| {
        place(&WEEKDAYS, text).ok_or_else(|| format!("{text:?} is neither a day like mon nor hours like 08:00-18:00"))
    };
    let (first, last) = match word.split_once('-') {
        Some((first, last)) => (day(first)?, day(last)?),
        None => (day(word)?, day(word)?),
    };
    let count = (last + 7 - first) % 7 + 1;
    Ok((first..first + count).map(|day| (day % 7) as i64).collect())
}

/// `08:00-18:00` in minutes of the day. The end may be 24:00, and earlier than the begin: then it is on the next day.
fn times(word: &str) -> Result<(i64, i64), String> {
    let (from, until) = word.split_once('-').ok_or_else(|| format!("{word:?} has no end"))?;
    let (from, until) = (clock(from)?, clock(until)?);
    if from == until || from == DAY_MINUTES {
        return Err(format!("{word:?} is no time at all"));
    }
    Ok((from, until))
}

/// `08:00` in minutes.
fn clock(text: &str) -> Result<i64, String> {
    let part = |text: &str, most: i64| {
        let digits = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|value| digits && *value <= most)
    };
    let (hour, minute) = text.split_once(':').unwrap_or((text, ""));
    match (part(hour, 24), part(minute, 59)) {
        (Some(hour), Some(minute)) if minute == 0 || hour < 24 => Ok(hour * 60 + minute),
        _ => Err(format!("{text:?} is not a time of day like 08:00")),
    }
}

/// The minutes of the week that a stretch of one day takes; two pieces if it goes over the end of the week.
fn stretch(day: i64, from: i64, until: i64) -> [Option<(i64, i64)>; 2] {
    let until = if until < from { until + DAY_MINUTES } else { until };
    let (from, until) = (day * DAY_MINUTES + from, day * DAY_MINUTES + until);
    let beyond = until - WEEK_MINUTES;
    [Some((from, until.min(WEEK_MINUTES))), (beyond > 0).then_some((0, beyond))]
}

/// In order, and what touches is one.
fn joined(mut open: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    open.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, until) in open {
        match joined.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => joined.push((from, until)),
        }
    }
    joined
}

impl TryFrom<Text> for Timetable {
    type Error = String;

    fn try_from(text: Text) -> Result<Timetable, String> {
        Timetable::new(&text.week, text.zone)
    }
}

impl From<Timetable> for Text {
    fn from(timetable: Timetable) -> Text {
        Text {
            week: timetable.text,
            zone: timetable.zone,
        }
    }
}

impl fmt::Display for Timetable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone)
    }
}
