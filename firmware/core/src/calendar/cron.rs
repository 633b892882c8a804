//! A cron expression: five fields, or a word like `@daily`, in a time zone.
//!
//! Day of the month and day of the week: if both are restricted, either will do, as everywhere. An expression that can never come
//! is refused when it is written.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::zone::{Stretch, date, midnight_s};
use super::{DAY_S, SECOND_NS, Zone, place};

/// No expression that can come is further away: 29 February may be missing for eight years.
const DAYS_AHEAD_MAX: i64 = 366 * 9;

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// The words for expressions.
const WORDS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A cron expression in a time zone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "Text")]
pub struct Cron {
    expression: String,
    zone: Zone,
    /// One bit for each value of a field.
    minutes: u64,
    hours: u32,
    days: u32,
    months: u16,
    weekdays: u8,
    /// Neither day of the month nor day of the week is free, so either will do.
    either_day: bool,
}

/// As it stands in documents and messages.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    expression: String,
    zone: Zone,
}

/// What a field may hold.
struct Field {
    name: &'static str,
    lowest: u32,
    highest: u32,
    /// Names of the values from `lowest` on.
    names: &'static [&'static str],
}

const FIELDS: [Field; 5] = [
    Field {
        name: "minute",
        lowest: 0,
        highest: 59,
        names: &[],
    },
    Field {
        name: "hour",
        lowest: 0,
        highest: 23,
        names: &[],
    },
    Field {
        name: "day of the month",
        lowest: 1,
        highest: 31,
        names: &[],
    },
    Field {
        name: "month",
        lowest: 1,
        highest: 12,
        names: &MONTHS,
    },
    Field {
        name: "day of the week",
        lowest: 0,
        highest: 7,
        names: &WEEKDAYS,
    },
];

impl Field {
    /// The bits of its values.
    fn parse(&self, text: &str) -> Result<u64, String> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= self.part(part).map_err(|why| {
                let named = self
                    .names
                    .first()
                    .map_or(String::new(), |name| format!(" or a name like {name}"));
                let Field {
                    name, lowest, highest, ..
                } = self;
                format!(
                    "the {name}, {text:?}, cannot be read: {why}; write *, a number from {lowest} to {highest}{named}, \
                     a range like {lowest}-{highest}, a step like */2, or several of them with commas"
                )
            })?;
        }
        Ok(bits)
    }

    /// One of the parts between commas: `*`, `7`, `1-5`, `*/10`, `8-18/2`, `mon-fri`.
    fn part(&self, part: &str) -> Result<u64, String> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (
                range,
                Some(number(step).filter(|step| *step > 0).ok_or(format!("{step:?} is no step"))?),
            ),
            None => (part, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (self.lowest, self.highest),
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            // A number with a step goes on to the end.
            None if step.is_some() => (self.value(range)?, self.highest),
            None => (self.value(range)?, self.value(range)?),
        };
        // Sunday ends a week as well as it begins one.
        let last = if last == 0 && self.highest == 7 && first > 0 {
            7
        } else {
            last
        };
        if first > last {
            return Err(format!("{range:?} ends before it begins"));
        }
        let steps = (first..=last).step_by(step.unwrap_or(1) as usize);
        Ok(steps.fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Result<u32, String> {
        let named = place(self.names, text).map(|at| at as u32 + self.lowest);
        let value = named
            .or_else(|| number(text))
            .ok_or_else(|| format!("{text:?} is no value"))?;
        if (self.lowest..=self.highest).contains(&value) {
            Ok(value)
        } else {
            Err(format!("{value} is out of range"))
        }
    }
}

/// Digits only: no signs, no spaces.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

impl Cron {
    /// From an expression. The error is a sentence that names the field.
    pub fn new(expression: &str, zone: Zone) -> Result<Cron, String> {
        let trimmed = expression.trim();
        let plain = match trimmed.strip_prefix('@') {
            Some(_) => WORDS
                .iter()
                .find(|(word, _)| word.eq_ignore_ascii_case(trimmed))
                .map(|(_, plain)| *plain)
                .ok_or_else(|| {
                    format!("{trimmed:?} is not known; it is @hourly, @daily, @weekly, @monthly, @yearly, or five fields")
                })?,
            None => trimmed,
        };
        let fields: Vec<&str> = plain.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!(
                "a cron expression has five fields (minute, hour, day of the month, month, day of the week), and {trimmed:?} has {}; \
                 write it like \"0 2 * * *\"",
                fields.len()
            ));
        };
        let weekdays = FIELDS[4].parse(weekday)?;
        let cron = Cron {
            expression: fields_or_word(trimmed, &fields),
            zone,
            minutes: FIELDS[0].parse(minute)?,
            hours: FIELDS[1].parse(hour)? as u32,
            days: FIELDS[2].parse(day)? as u32,
            months: FIELDS[3].parse(month)? as u16,
            // Sunday is 0 and 7.
            weekdays: (weekdays | weekdays >> 7) as u8 & 0x7f,
            either_day: !day.starts_with('*') && !weekday.starts_with('*'),
        };
        if !cron.either_day && !(1..=12).any(|month| cron.has_month(month) && cron.days_of(month) != 0) {
            return Err(format!(
                "the day of the month, {day:?}, does not come in the month {month:?}; choose another day"
            ));
        }
        Ok(cron)
    }

    /// As it was written.
    pub fn expression(&self) -> &str {
        &self.expression
    }

    /// The zone whose clock it follows.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first time after `utc_ns` at which it is due, in nanoseconds since 1970; none behind the end of time.
    pub fn next_after(&self, utc_ns: i64) -> Option<i64> {
        let begin_s = utc_ns.div_euclid(SECOND_NS) + 1;
        let last_s = begin_s + DAYS_AHEAD_MAX * DAY_S;
        let mut at_s = begin_s;
        while at_s < last_s {
            let stretch = self.zone.stretch(at_s);
            let until_s = stretch.until_s.unwrap_or(last_s).min(last_s);
            if let Some(due_s) = self.first_in(&stretch, at_s, until_s) {
                return due_s.checked_mul(SECOND_NS);
            }
            at_s = until_s;
        }
        None
    }

    /// The first second of a stretch that is due, from `from_s` to before `until_s`.
    fn first_in(&self, stretch: &Stretch, from_s: i64, until_s: i64) -> Option<i64> {
        let every_hour = self.hours.count_ones() == 24;
        let mut from_local_s = from_s + stretch.offset_s;
        if let (Some(began_s), false) = (stretch.from_s, every_hour) {
            let (was_local_s, is_local_s) = (began_s + stretch.offset_before_s, began_s + stretch.offset_s);
            // Skipped by the clock: due once, right after.
            if from_s == began_s && self.first_local(was_local_s, is_local_s).is_some() {
                return Some(began_s);
            }
            // Shown by the clock before: not again.
            from_local_s = from_local_s.max(was_local_s);
        }
        let due_local_s = self.first_local(from_local_s, until_s + stretch.offset_s)?;
        Some(due_local_s - stretch.offset_s)
    }

    /// The first local time that fits, from the one to before the other.
    fn first_local(&self, from_s: i64, until_s: i64) -> Option<i64> {
        let mut day = date(from_s);
        loop {
            let midnight_s = midnight_s(day);
            if midnight_s >= until_s {
                return None;
            }
            if !self.has_month(day.month()) {
                day = day.last_of_month().tomorrow().ok()?;
                continue;
            }
            if self.has_day(day) {
                let minutes = (0..24).filter(|hour| self.hours >> hour & 1 == 1).flat_map(|hour| {
                    let minutes = (0..60).filter(|minute| self.minutes >> minute & 1 == 1);
                    minutes.map(move |minute| hour * 60 + minute)
                });
                let mut times = minutes.map(|minute: i64| midnight_s + minute * 60);
                if let Some(due_s) = times.find(|due_s| *due_s >= from_s) {
                    return (due_s < until_s).then_some(due_s);
                }
            }
            day = day.tomorrow().ok()?;
        }
    }

    fn has_month(&self, month: i8) -> bool {
        self.months >> month & 1 == 1
    }

    /// The chosen days that a month can have.
    fn days_of(&self, month: i8) -> u32 {
        let length = match month {
            2 => 29,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        self.days & ((1_u64 << (length + 1)) - 1) as u32
    }

    fn has_day(&self, day: Date) -> bool {
        let of_month = self.days >> day.day() & 1 == 1;
        let of_week = self.weekdays >> day.weekday().to_sunday_zero_offset() & 1 == 1;
        if self.either_day {
            of_month || of_week
        } else {
            of_month && of_week
        }
    }
}

/// The expression with single spaces.
fn fields_or_word(trimmed: &str, fields: &[&str]) -> String {
    if trimmed.starts_with('@') {
        trimmed.to_ascii_lowercase()
    } else {
        fields.join(" ")
    }
}

impl TryFrom<Text> for Cron {
    type Error = String;

    fn try_from(text: Text) -> Result<Cron, String> {
        Cron::new(&text.expression, text.zone)
    }
}

impl From<Cron> for Text {
    fn from(cron: Cron) -> Text {
        Text {
            expression: cron.expression.to_string(),
            zone: cron.zone,
        }
    }
}

impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.expression, self.zone)
    }
}
