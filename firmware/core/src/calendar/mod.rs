//! When something is due by the calendar of people: cron expressions and weekly timetables in a named time zone.
//!
//! Pure functions of a UTC time in nanoseconds; nothing here reads a clock. The time zones are those built into the program, so
//! that an appliance without a zone database knows them and a simulation gives the same answer everywhere.
//!
//! Daylight saving: what falls into the hour that is skipped is due once, right after it; what falls into the hour that comes
//! twice is due the first time. A cron expression for every hour is about minutes, not about hours, and simply goes on.

mod cron;
mod timetable;
mod zone;

#[cfg(test)]
mod tests;

pub use cron::Cron;
pub use timetable::Timetable;
pub use zone::Zone;

/// Minutes of a day.
const DAY_MINUTES: i64 = 24 * 60;
/// Seconds of a day.
const DAY_S: i64 = DAY_MINUTES * 60;
/// Nanoseconds of a second.
const SECOND_NS: i64 = 1_000_000_000;

/// The first number of names that this text is, in any case of letters, counted from 0.
fn place(names: &[&str], text: &str) -> Option<usize> {
    names.iter().position(|name| name.eq_ignore_ascii_case(text))
}
