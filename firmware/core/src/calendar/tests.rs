//! Expressions and timetables on real and odd clocks, by example and against a walk over every minute.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use jiff::Timestamp;
use jiff::civil::{DateTime, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::{Cron, SECOND_NS, Timetable, Zone};

const MINUTE_NS: i64 = 60 * SECOND_NS;

fn ns(utc: &str) -> i64 {
    utc.parse::<Timestamp>().unwrap().as_second() * SECOND_NS
}

fn text(utc_ns: i64) -> String {
    Timestamp::from_nanosecond(i128::from(utc_ns)).unwrap().to_string()
}

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn cron(expression: &str, name: &str) -> Cron {
    Cron::new(expression, zone(name)).unwrap()
}

/// The next times, in UTC.
fn next(cron: &Cron, after: &str, count: usize) -> Vec<String> {
    let mut at_ns = ns(after);
    let mut due = || {
        at_ns = cron.next_after(at_ns)?;
        Some(text(at_ns))
    };
    (0..count).map_while(|_| due()).collect()
}

fn changes(timetable: &Timetable, after: &str, count: usize) -> Vec<String> {
    let mut at_ns = ns(after);
    let mut change = || {
        at_ns = timetable.next_change(at_ns)?;
        Some(text(at_ns))
    };
    (0..count).map_while(|_| change()).collect()
}

#[test]
fn fields_ranges_steps_lists_names_and_words() {
    for (expression, after, due) in [
        ("* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"),
        ("*/15 * * * *", "2026-01-01T00:15:00Z", "2026-01-01T00:30:00Z"),
        ("5/20 * * * *", "2026-01-01T00:30:00Z", "2026-01-01T00:45:00Z"),
        ("0 8-18/2 * * *", "2026-01-01T08:00:01Z", "2026-01-01T10:00:00Z"),
        ("0,30 9,17 * * *", "2026-01-01T09:30:00Z", "2026-01-01T17:00:00Z"),
        ("0 2 * * mon-fri", "2026-01-02T02:00:00Z", "2026-01-05T02:00:00Z"),
        ("0 2 * * Fri-Sun", "2026-01-04T02:00:00Z", "2026-01-09T02:00:00Z"),
        ("0 2 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T02:00:00Z"),
        ("0 2 * * 0", "2026-01-01T00:00:00Z", "2026-01-04T02:00:00Z"),
        ("0 0 1 jan,JUL *", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"),
        ("0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"),
        ("0 0 29 2 *", "2096-02-29T00:00:00Z", "2104-02-29T00:00:00Z"),
        ("@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"),
        ("@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        ("@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"),
        ("@Monthly", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
        ("@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ] {
        assert_eq!(next(&cron(expression, "UTC"), after, 1), [due], "{expression} after {after}");
    }
    // Parts of a second before the minute are before it.
    assert_eq!(cron("* * * * *", "UTC").next_after(-1), Some(0));
    assert_eq!(cron("  0   2 * *\t* ", "UTC").expression(), "0 2 * * *");
}

#[test]
fn an_error_names_the_field() {
    for (expression, names) in [
        ("", "five fields"),
        ("0 2 * *", "five fields"),
        ("0 2 * * * *", "five fields"),
        ("60 2 * * *", "minute"),
        ("0 24 * * *", "hour"),
        ("0 2 0 * *", "day of the month"),
        ("0 2 * 13 *", "month"),
        ("0 2 * foo *", "month"),
        ("0 2 * * 8", "day of the week"),
        ("0 2 * * mon-", "day of the week"),
        ("*/0 2 * * *", "minute"),
        ("30-10 2 * * *", "minute"),
        ("+5 2 * * *", "minute"),
        ("1,,2 2 * * *", "minute"),
        ("0 2 30 2 *", "day of the month"),
        ("0 2 31 4,6 *", "day of the month"),
        ("@reboot", "@daily"),
    ] {
        let error = Cron::new(expression, Zone::utc()).unwrap_err();
        assert!(error.contains(names), "{expression:?}: {error}");
    }
    // The day of the week brings it about all the same.
    assert!(Cron::new("0 2 30 2 mon", Zone::utc()).is_ok());
    for bad in ["", "Europe/Atlantis", "CEST5", "../etc/passwd"] {
        let error = bad.parse::<Zone>().unwrap_err();
        assert!(error.contains("Europe/Berlin"), "{error}");
    }
    assert_eq!(zone("europe/berlin"), zone("Europe/Berlin"));
}

#[test]
fn berlin_skips_an_hour_and_shows_one_twice() {
    // 29 March 2026: 02:00 to 03:00 is skipped, at 01:00 UTC.
    let skipped = cron("30 2 * * *", "Europe/Berlin");
    let around = next(&skipped, "2026-03-27T12:00:00Z", 3);
    assert_eq!(
        around,
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
    // Six skipped times are due once, and so is one that falls just behind them.
    let often = cron("*/10 2,3 * * *", "Europe/Berlin");
    let around = next(&often, "2026-03-29T00:59:00Z", 2);
    assert_eq!(around, ["2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z"]);
    // 25 October 2026: 02:00 to 03:00 comes twice, from 00:00 and from 01:00 UTC.
    let twice = next(&skipped, "2026-10-24T12:00:00Z", 2);
    assert_eq!(twice, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    let edge = cron("0 3 * * *", "Europe/Berlin");
    assert_eq!(next(&edge, "2026-10-25T00:30:00Z", 1), ["2026-10-25T02:00:00Z"]);
    // What is for every hour goes on.
    let steady = cron("*/30 * * * *", "Europe/Berlin");
    let through = next(&steady, "2026-10-25T00:15:00Z", 4);
    assert_eq!(
        through,
        [
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
    let hourly = cron("5 * * * *", "Europe/Berlin");
    assert_eq!(next(&hourly, "2026-03-29T00:30:00Z", 1), ["2026-03-29T01:05:00Z"]);
}

#[test]
fn half_an_hour_two_hours_and_a_whole_day() {
    // Lord Howe: 4 October 2026, 02:00 to 02:30 is skipped; 5 April 2026, 01:30 to 02:00 comes twice.
    let lord_howe = |expression| cron(expression, "Australia/Lord_Howe");
    assert_eq!(
        next(&lord_howe("15 2 * * *"), "2026-10-03T00:00:00Z", 1),
        ["2026-10-03T15:30:00Z"]
    );
    assert_eq!(
        next(&lord_howe("45 2 * * *"), "2026-10-03T00:00:00Z", 1),
        ["2026-10-03T15:45:00Z"]
    );
    let twice = next(&lord_howe("45 1 * * *"), "2026-04-04T00:00:00Z", 2);
    assert_eq!(twice, ["2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"]);
    // Troll changes by two hours.
    assert_eq!(
        next(&cron("30 1,2 * * *", "Antarctica/Troll"), "2026-03-28T12:00:00Z", 2),
        ["2026-03-29T01:00:00Z", "2026-03-29T23:30:00Z"]
    );
    // Apia had no 30 December 2011.
    assert_eq!(
        next(&cron("0 12 * * *", "Pacific/Apia"), "2011-12-30T00:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z"]
    );
    // A fraction of an hour from UTC, without changes.
    assert_eq!(
        next(&cron("0 2 * * *", "Asia/Kathmandu"), "2026-01-01T00:00:00Z", 1),
        ["2026-01-01T20:15:00Z"]
    );
}

#[test]
fn zones_with_a_history() {
    // Berlin before 1893 was 53 minutes and 28 seconds ahead; Moscow stayed on summer time from 2011 and left it in 2014.
    assert_eq!(
        next(&cron("0 12 * * *", "Europe/Berlin"), "1892-06-01T00:00:00Z", 1),
        ["1892-06-01T11:06:32Z"]
    );
    let moscow = cron("0 12 * * *", "Europe/Moscow");
    assert_eq!(next(&moscow, "2010-12-01T00:00:00Z", 1), ["2010-12-01T09:00:00Z"]);
    assert_eq!(next(&moscow, "2013-12-01T00:00:00Z", 1), ["2013-12-01T08:00:00Z"]);
    assert_eq!(next(&moscow, "2014-12-01T00:00:00Z", 1), ["2014-12-01T09:00:00Z"]);
    // The whole range of the clock, and its end.
    let yearly = cron("@yearly", "Europe/Berlin");
    assert!(yearly.next_after(i64::MIN).is_some());
    assert_eq!(yearly.next_after(i64::MAX), None);
    assert_eq!(
        Timetable::new("mon 08:00-09:00", zone("Europe/Berlin"))
            .unwrap()
            .next_change(i64::MAX),
        None
    );
}

#[test]
fn timetables() {
    let work = Timetable::new("mon-fri 08:00-18:00, sat 10:00-12:00", zone("Europe/Berlin")).unwrap();
    // 2 January 2026 is a Friday.
    for (at, open) in [
        ("2026-01-02T06:59:59Z", false),
        ("2026-01-02T07:00:00Z", true),
        ("2026-01-02T16:59:59Z", true),
        ("2026-01-02T17:00:00Z", false),
        ("2026-01-03T10:30:00Z", true),
        ("2026-01-04T10:30:00Z", false),
    ] {
        assert_eq!(work.is_open(ns(at)), open, "{at}");
    }
    let week = changes(&work, "2026-01-02T12:00:00Z", 4);
    assert_eq!(
        week,
        [
            "2026-01-02T17:00:00Z",
            "2026-01-03T09:00:00Z",
            "2026-01-03T11:00:00Z",
            "2026-01-05T07:00:00Z"
        ]
    );
    // Through the night and over the end of the week; days as a list; all days.
    let night = Timetable::new("sat, sun 22:00-06:00", zone("UTC")).unwrap();
    let nights = changes(&night, "2026-01-03T00:00:00Z", 4);
    assert_eq!(
        nights,
        [
            "2026-01-03T22:00:00Z",
            "2026-01-04T06:00:00Z",
            "2026-01-04T22:00:00Z",
            "2026-01-05T06:00:00Z"
        ]
    );
    let daily = Timetable::new("8:30-9:15 22:00-24:00, 00:00-01:00", zone("UTC")).unwrap();
    let days = changes(&daily, "2026-01-03T00:00:00Z", 4);
    assert_eq!(
        days,
        [
            "2026-01-03T01:00:00Z",
            "2026-01-03T08:30:00Z",
            "2026-01-03T09:15:00Z",
            "2026-01-03T22:00:00Z"
        ]
    );
    let always = Timetable::new("mon-sun 00:00-24:00", zone("Europe/Berlin")).unwrap();
    assert!(always.is_open(ns("2026-03-29T01:00:00Z")));
    assert_eq!(always.next_change(ns("2026-03-29T01:00:00Z")), None);
}

#[test]
fn a_timetable_on_the_days_of_change() {
    let night = Timetable::new("sun 02:00-03:00", zone("Europe/Berlin")).unwrap();
    // Skipped with the hour; open for two hours when it comes twice.
    assert_eq!(changes(&night, "2026-03-28T12:00:00Z", 1), ["2026-04-05T00:00:00Z"]);
    let twice = changes(&night, "2026-10-24T12:00:00Z", 2);
    assert_eq!(twice, ["2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"]);
    // In Apia the Friday at the end of 2011 did not come.
    let friday = Timetable::new("fri 10:00-11:00", zone("Pacific/Apia")).unwrap();
    assert_eq!(changes(&friday, "2011-12-25T00:00:00Z", 1), ["2012-01-05T20:00:00Z"]);
}

#[test]
fn a_timetable_that_cannot_be_read_says_what() {
    for (bad, names) in [
        ("", "empty"),
        ("mon", "hours"),
        ("mon 08:00", "end"),
        ("mon 8-18", "time of day"),
        ("mon 08:00-25:00", "25:00"),
        ("mon 08:00-24:30", "24:30"),
        ("mon 08:00-08:00", "no time at all"),
        ("mon 24:00-08:00", "no time at all"),
        ("montag 08:00-18:00", "montag"),
        ("08:00-18:00 mon", "before"),
        ("mon 08:00-18:00,, tue 08:00-18:00", "empty"),
        ("mon 08:00-+9:00", "+9:00"),
    ] {
        let error = Timetable::new(bad, Zone::utc()).unwrap_err();
        assert!(error.contains(names), "{bad:?}: {error}");
    }
}

#[test]
fn documents_hold_what_people_wrote() {
    let cron = cron("0 2 * * mon-fri", "Europe/Berlin");
    let document = toml::to_string(&cron).unwrap();
    assert_eq!(document, "expression = \"0 2 * * mon-fri\"\nzone = \"Europe/Berlin\"\n");
    assert_eq!(toml::from_str::<Cron>(&document), Ok(cron));
    let timetable = Timetable::new("mon 08:00-18:00", zone("UTC")).unwrap();
    assert_eq!(
        toml::from_str::<Timetable>(&toml::to_string(&timetable).unwrap()),
        Ok(timetable)
    );
    assert!(toml::from_str::<Cron>("expression = \"0 2 * *\"\nzone = \"UTC\"\n").is_err());
    assert!(toml::from_str::<Timetable>("week = \"mon 08:00-18:00\"\nzone = \"Mars\"\n").is_err());
}

/// Zones with every oddity, and a time near one.
const ODD: [(&str, &str); 12] = [
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("America/New_York", "2007-03-11T07:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Africa/Casablanca", "2025-02-23T02:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
    ("Europe/Moscow", "2014-10-25T22:00:00Z"),
    ("UTC", "2024-02-29T00:00:00Z"),
];

/// Numbers for the property tests.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    /// Some of the numbers of a range; sometimes all.
    fn some(&mut self, range: core::ops::Range<u64>, all_of_ten: u64) -> Vec<u64> {
        if self.below(10) < all_of_ten {
            return range.collect();
        }
        let (start, span) = (range.start, range.end - range.start);
        let mut some: Vec<u64> = (0..=self.below(3)).map(|_| start + self.below(span)).collect();
        some.sort_unstable();
        some.dedup();
        some
    }
}

/// The minutes from `from_ns` on, each with what the clock on the wall shows.
fn minutes(rules: &TimeZone, from_ns: i64, count: i64) -> impl Iterator<Item = (i64, DateTime)> {
    let first_ns = from_ns.div_euclid(MINUTE_NS) * MINUTE_NS;
    (0..count).map(move |minute| {
        let at_ns = first_ns + minute * MINUTE_NS;
        (
            at_ns,
            rules.to_datetime(Timestamp::from_nanosecond(i128::from(at_ns)).unwrap()),
        )
    })
}

fn field(values: &[u64], all: u64) -> String {
    if values.len() as u64 == all {
        return "*".to_string();
    }
    let words: Vec<String> = values.iter().map(u64::to_string).collect();
    words.join(",")
}

#[test]
fn cron_is_what_a_walk_over_every_minute_finds() {
    const DAYS: i64 = 9;
    let mut dice = Dice(7);
    let (mut found, mut not_found) = (0, 0);
    for round in 0..240 {
        let (name, near) = ODD[round % ODD.len()];
        let rules = TimeZoneDatabase::bundled().get(name).unwrap();
        let (minute, hour) = (dice.some(0..60, 1), dice.some(0..24, 2));
        let hour = if dice.below(2) == 0 {
            [hour, Vec::from([0, 1, 2, 3])].concat()
        } else {
            hour
        };
        let (day, month, weekday) = (dice.some(1..32, 6), dice.some(1..13, 8), dice.some(0..7, 6));
        let mut hours = hour;
        hours.sort_unstable();
        hours.dedup();
        let expression = [
            field(&minute, 60),
            field(&hours, 24),
            field(&day, 31),
            field(&month, 12),
            field(&weekday, 7),
        ]
        .join(" ");
        let Ok(cron) = Cron::new(&expression, zone(name)) else {
            continue;
        };
        let either = day.len() < 31 && weekday.len() < 7;
        let fits = |at: DateTime| {
            let of_month = day.contains(&(at.day() as u64));
            let of_week = weekday.contains(&(at.weekday().to_sunday_zero_offset() as u64));
            minute.contains(&(at.minute() as u64))
                && hours.contains(&(at.hour() as u64))
                && month.contains(&(at.month() as u64))
                && if either { of_month || of_week } else { of_month && of_week }
        };
        let after_ns = ns(near) + (dice.below(4 * 1440) as i64 - 3 * 1440) * MINUTE_NS + dice.below(60) as i64 * SECOND_NS;
        // Two days earlier, so that the walk knows what the clock has shown.
        let mut shown: Option<DateTime> = None;
        let begin_ns = after_ns - 2 * 1440 * MINUTE_NS;
        let mut due_ns = None;
        for (at_ns, at) in minutes(&rules, begin_ns, (DAYS + 2) * 1440) {
            let one = jiff::Span::new().minutes(1);
            let due = if hours.len() == 24 {
                fits(at)
            } else {
                let mut due = false;
                // Every minute of the wall that was not shown before, also those that were skipped.
                let mut wall = shown.map_or(at, |shown| shown.checked_add(one).unwrap());
                while wall <= at {
                    due |= fits(wall);
                    wall = wall.checked_add(one).unwrap();
                }
                due
            };
            shown = Some(shown.map_or(at, |shown| shown.max(at)));
            if due && at_ns > after_ns {
                due_ns = Some(at_ns);
                break;
            }
        }
        let next_ns = cron.next_after(after_ns);
        match due_ns {
            Some(_) => found += 1,
            None => not_found += 1,
        }
        let within_ns =
            next_ns.filter(|next_ns| *next_ns < begin_ns.div_euclid(MINUTE_NS) * MINUTE_NS + (DAYS + 2) * 1440 * MINUTE_NS);
        assert_eq!(
            within_ns.map(text),
            due_ns.map(text),
            "{expression} in {name} after {}",
            text(after_ns)
        );
    }
    assert!(found > 100 && not_found > 5, "{found} found, {not_found} not");
}

#[test]
fn a_timetable_is_what_a_walk_over_every_minute_finds() {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let mut dice = Dice(11);
    for round in 0..120 {
        let (name, near) = ODD[round % ODD.len()];
        let rules = TimeZoneDatabase::bundled().get(name).unwrap();
        let entries: Vec<(u64, u64, u64)> = (0..=dice.below(4))
            .map(|_| (dice.below(7), dice.below(24 * 60), 1 + dice.below(24 * 60)))
            .filter(|(_, from, until)| from != until)
            .collect();
        let words: Vec<String> = entries
            .iter()
            .map(|(day, from, until)| {
                let day = NAMES[*day as usize];
                format!("{day} {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, until / 60, until % 60)
            })
            .collect();
        let Ok(timetable) = Timetable::new(&words.join(", "), zone(name)) else {
            continue;
        };
        let is_open = |at: DateTime| {
            let minute = at.hour() as u64 * 60 + at.minute() as u64;
            let day = at.weekday().since(Weekday::Monday) as u64;
            entries.iter().any(|(on, from, until)| {
                let today = *on == day && minute >= *from && (minute < *until || until < from);
                let from_yesterday = (*on + 1) % 7 == day && until < from && minute < *until;
                today || from_yesterday
            })
        };
        let after_ns = ns(near) + (dice.below(4 * 1440) as i64 - 3 * 1440) * MINUTE_NS;
        let mut was = None;
        let mut change_ns = None;
        for (at_ns, at) in minutes(&rules, after_ns, 8 * 1440) {
            let open = is_open(at);
            assert_eq!(timetable.is_open(at_ns), open, "{timetable} at {}", text(at_ns));
            if was.is_some_and(|was| was != open) {
                change_ns = Some(at_ns);
                break;
            }
            was = Some(open);
        }
        let next_ns = timetable.next_change(after_ns);
        let within_ns = next_ns.filter(|next_ns| *next_ns < after_ns + 8 * 1440 * MINUTE_NS);
        assert_eq!(
            within_ns.map(text),
            change_ns.map(text),
            "{timetable} after {}",
            text(after_ns)
        );
    }
}
