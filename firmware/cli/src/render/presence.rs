//! What is there of cameras and what is not: gaps, times, days.

use blockhaul_core::control::types::{Exists, Extant, Gaps, Missing, MissingWhat, Statistics};

use super::Look;
use super::table::Table;
use super::units::{count, duration, size, things, time};

/// The words for a kind of missing.
fn what(what: MissingWhat) -> &'static str {
    match what {
        MissingWhat::NotRecorded => "not recorded",
        MissingWhat::NotRetrieved => "not retrieved",
        MissingWhat::Expired => "expired",
        MissingWhat::Damaged => "damaged",
        MissingWhat::Filtered => "filtered",
    }
}

/// What is missing of a camera.
pub fn gaps(camera: &str, gaps: &Gaps, look: &Look) -> String {
    let mut table = Table::new(&["KIND", "WHAT", ">FROM", ">TO", ">BLOCKS", "AFTER", "BEFORE", "ORIGIN"]);
    for Missing {
        origin,
        kind,
        from,
        to,
        from_utc_ns,
        to_utc_ns,
        what,
    } in &gaps.gaps
    {
        let none = from >= to;
        table.row([
            kind.to_string(),
            self::what(*what).into(),
            if none { String::new() } else { count(*from) },
            if none { String::new() } else { count(to.saturating_sub(1)) },
            count(to.saturating_sub(*from)),
            time(*from_utc_ns, look),
            time(*to_utc_ns, look),
            origin.to_string(),
        ]);
    }
    let mut text = if table.is_empty() {
        format!("Nothing is known to be missing of camera {camera}.\n")
    } else {
        table.lines(look)
    };
    if gaps.left_out > 0 {
        text += &format!("… and {} more.\n", things(gaps.left_out, "stretch"));
    }
    text
}

/// Whether a time is there.
pub fn exists(exists: &Exists, look: &Look) -> String {
    let mut text = match exists.answer {
        Extant::Yes => return "yes\n".into(),
        Extant::No => String::from("no\n"),
        Extant::Partly => String::from("partly\n"),
    };
    let mut table = Table::new(&["MISSING FROM", "TO", ">LONG", "WHAT"]);
    for missing in &exists.missing {
        let long_ms = missing.to_utc_ns.saturating_sub(missing.from_utc_ns).max(0).unsigned_abs() / 1_000_000;
        table.row([
            time(missing.from_utc_ns, look),
            time(missing.to_utc_ns, look),
            duration(long_ms),
            what(missing.what).into(),
        ]);
    }
    text += &table.lines(look);
    text
}

/// How much there is of each day and track, of each archive.
pub fn statistics(archives: &[(String, Statistics)], look: &Look) -> String {
    let mut table = Table::new(&[
        "DAY",
        "ARCHIVE",
        "CAMERA",
        "KIND",
        ">RECORDED",
        ">",
        ">HAULED",
        ">",
        ">VERIFIED",
        ">LOST",
    ]);
    // Days are of UTC, whatever the zone of the reader.
    let utc = Look {
        zone: jiff::tz::TimeZone::UTC,
        ..look.clone()
    };
    for (archive, statistics) in archives {
        for day in &statistics.days {
            let date = time(day.day_utc_ns, &utc);
            table.row([
                date.split(' ').next().unwrap_or_default().to_owned(),
                archive.clone(),
                day.camera.to_string(),
                day.kind.to_string(),
                count(day.recorded_blocks),
                size(day.recorded_bytes),
                count(day.hauled_blocks),
                size(day.hauled_bytes),
                count(day.verified_blocks),
                count(day.lost_blocks),
            ]);
        }
    }
    let left_out: u64 = archives.iter().map(|(_, statistics)| statistics.left_out).sum();
    let mut text = if table.is_empty() {
        "There are no blocks.\n".into()
    } else {
        table.lines(look)
    };
    if left_out > 0 {
        text += &format!(
            "{} of other days are not shown; ask for fewer with --camera, --from, --to.\n",
            things(left_out, "block")
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::{DayStatistics, MissingTime};

    const AT: i64 = 1_795_255_203_000_000_000;

    #[test]
    fn gaps_in_words() {
        let none = Gaps {
            gaps: Vec::new(),
            left_out: 0,
        };
        assert_eq!(
            gaps("lobby", &none, &sample::plain()),
            "Nothing is known to be missing of camera lobby.\n"
        );
        let missing = |from, to, what| Missing {
            origin: "12345678-9abc-def0-0102-030405060708".parse().unwrap(),
            kind: Default::default(),
            from,
            to,
            from_utc_ns: 0,
            to_utc_ns: AT,
            what,
        };
        let some = Gaps {
            gaps: vec![
                missing(4, 9, MissingWhat::NotRetrieved),
                missing(12, 12, MissingWhat::NotRecorded),
            ],
            left_out: 0,
        };
        assert_eq!(
            gaps("lobby", &some, &sample::plain()),
            "\
KIND   WHAT           FROM  TO  BLOCKS  AFTER  BEFORE               ORIGIN
video  not retrieved     4   8       5  -      2026-11-21 10:00:03  12345678-9abc-def0-0102-030405060708
video  not recorded      -   -       0  -      2026-11-21 10:00:03  12345678-9abc-def0-0102-030405060708
"
        );
    }

    #[test]
    fn times_and_days_in_words() {
        let partly = Exists {
            answer: Extant::Partly,
            missing: vec![MissingTime {
                from_utc_ns: AT,
                to_utc_ns: AT + 90_000_000_000,
                what: MissingWhat::Expired,
            }],
        };
        assert_eq!(
            exists(&partly, &sample::plain()),
            "\
partly
MISSING FROM         TO                     LONG  WHAT
2026-11-21 10:00:03  2026-11-21 10:01:33  1m 30s  expired
"
        );
        let day = DayStatistics {
            day_utc_ns: AT / 86_400_000_000_000 * 86_400_000_000_000,
            origin: Default::default(),
            camera: "lobby".parse().unwrap(),
            kind: Default::default(),
            recorded_blocks: 1_204,
            recorded_bytes: 1 << 30,
            hauled_blocks: 0,
            hauled_bytes: 0,
            verified_blocks: 1_200,
            verified_bytes: 1 << 30,
            lost_blocks: 2,
        };
        let statistics = Statistics {
            days: vec![day],
            left_out: 0,
        };
        let text = super::statistics(&[("card".into(), statistics)], &sample::plain());
        assert!(
            text.contains("2026-11-21  card     lobby   video     1,204  1.0 GiB"),
            "{text}"
        );
    }
}
