//! Cron expressions and weekly timetables, and the times that they say.
//!
//! The first byte is the time zone, the next eight the time that is asked about in seconds; the rest is the text.

use blockhaul_core::calendar::{Cron, Timetable, Zone};

use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "calendar",
    what: "cron expressions and timetables",
    longest: 256,
    check,
    seeds,
    words: &[
        "@daily",
        "@hourly",
        "@weekly",
        "*/5",
        "mon-fri",
        "sat",
        "sun",
        "08:00-18:00",
        "22:00-06:00",
        "00:00-24:00",
        "jan",
        "29",
        "feb",
        "-",
        ",",
    ],
};

/// Zones with and without changes of the clock, with half hours, and one that skipped a day.
const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Pacific/Apia",
];
/// What is asked about lies in 1970 to 2100.
const SPAN_S: u64 = 4_102_444_800;
const SECOND_NS: i64 = 1_000_000_000;
/// A sentence quotes the text; sets of days and hours take a few words each.
const TIMES: usize = 512;

fn check(bytes: &[u8]) {
    let Some((zone, rest)) = bytes.split_first() else { return };
    let Some((time, text)) = rest.split_first_chunk() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else { return };
    let zone = ZONES[usize::from(*zone) % ZONES.len()];
    let zone: Zone = zone.parse().expect("the database has it");
    let seconds = i64::try_from(u64::from_le_bytes(*time) % SPAN_S).expect("below 2100");
    let utc_ns = seconds * SECOND_NS;
    match heap::within(TIMES, bytes, || Cron::new(text, zone.clone())) {
        Err(why) => assert!(!why.is_empty(), "refused without a reason"),
        Ok(cron) => {
            let again = Cron::new(cron.expression(), zone.clone());
            assert_eq!(again.as_ref(), Ok(&cron), "what is shown is not what was read");
            let next_ns = cron.next_after(utc_ns).expect("what can never come is refused");
            assert!(next_ns > utc_ns, "the next time is not after this one");
            assert_eq!(cron.next_after(next_ns - 1), Some(next_ns), "nothing lies between");
        }
    }
    match heap::within(TIMES, bytes, || Timetable::new(text, zone.clone())) {
        Err(why) => assert!(!why.is_empty(), "refused without a reason"),
        Ok(table) => {
            let again = Timetable::new(table.text(), zone);
            assert_eq!(again.as_ref(), Ok(&table), "what is shown is not what was read");
            if let Some(change_ns) = table.next_change(utc_ns) {
                assert!(change_ns > utc_ns, "the next change is not after this time");
                let (before, then) = (table.is_open(change_ns - 1), table.is_open(change_ns));
                assert_eq!((before, then), (table.is_open(utc_ns), !before), "nothing changes there");
            }
        }
    }
}

fn seeds() -> Vec<Seed> {
    let seed = |name: &str, zone: u8, seconds: u64, text: &str| {
        (
            name.to_owned(),
            [&[zone][..], &seconds.to_le_bytes(), text.as_bytes()].concat(),
        )
    };
    vec![
        seed("nightly", 1, 1_800_000_000, "30 2 * * *"),
        seed("leap-day", 0, 1_700_000_000, "0 12 29 feb *"),
        seed("steps", 3, 1_750_000_000, "*/15 8-18 * * mon-fri"),
        seed("word", 5, 1_325_000_000, "@weekly"),
        seed("office", 2, 1_793_500_000, "mon-fri 08:00-18:00, sat 10:00-12:00"),
        seed("over-midnight", 4, 1_775_000_000, "22:00-06:00"),
    ]
}
