//! A check of a card: how long it will take, how far it is, what was found.

use blockhaul_core::control::types::{CardChecked, CheckPhase, CheckTimes, CheckVerdict, PlaceFound};

use super::table::{Table, facts};
use super::text::printable;
use super::units::{count, duration, percent, rate, size, things};
use super::{Look, Tone};

/// Before it goes on: what it does, and how long that will take.
pub fn estimate(path: &str, checked: &CardChecked) -> String {
    let writes = if checked.writes.is_some() {
        ", by reading and by writing; what is there is put back"
    } else {
        ", by reading"
    };
    format!(
        "Checking {path} of {}{writes}: {} at places all over it, about {}.\n",
        size(checked.size_bytes),
        things(checked.total, "operation"),
        duration(checked.left_ms)
    )
}

fn doing(phase: CheckPhase) -> &'static str {
    match phase {
        CheckPhase::Reading => "reading",
        CheckPhase::Saving => "reading what will be put back",
        CheckPhase::Writing => "writing",
        CheckPhase::ReadingBack => "reading back",
        CheckPhase::PuttingBack => "putting back what was there",
        CheckPhase::Proving => "reading what was put back",
        CheckPhase::Ended => "done",
    }
}

/// One line of progress.
pub fn progress(path: &str, checked: &CardChecked) -> String {
    let writes = checked.writes.as_ref();
    let failed = checked.reads.failed + writes.map_or(0, |writes| writes.failed);
    format!(
        "{path}: {}, {} %, {failed} failed, about {} left",
        doing(checked.phase),
        percent(checked.done, checked.total),
        duration(checked.left_ms)
    )
}

/// Microseconds in people's units.
fn time(us: u64) -> String {
    if us < 10_000 {
        return format!("{}.{}ms", us / 1_000, us % 1_000 / 100);
    }
    duration(us / 1_000)
}

fn found(found: PlaceFound) -> &'static str {
    match found {
        PlaceFound::Slow => "slow",
        PlaceFound::Unreadable => "cannot be read",
        PlaceFound::Repeats => "the card begins here again",
        PlaceFound::Unwritable => "refuses the write",
        PlaceFound::NotWritten => "acknowledges the write, holds what it held before",
        PlaceFound::Altered => "acknowledges the write, holds something else",
        PlaceFound::Wraps => "is another place too",
        PlaceFound::NotPutBack => "what was there could not be put back",
    }
}

/// Places of one kind that are shown.
const SHOWN_MAX: usize = 8;

/// What was found.
pub fn report(path: &str, checked: &CardChecked, look: &Look) -> String {
    let verdict = checked.verdict.unwrap_or(CheckVerdict::Stopped);
    let tone = match verdict {
        CheckVerdict::Good => Tone::Good,
        CheckVerdict::Slow | CheckVerdict::Gone | CheckVerdict::Stopped => Tone::Watch,
        _ => Tone::Bad,
    };
    let sentence = printable(&format!("{path}: {}", checked.sentence));
    let mut told = format!("{}\n", look.paint(tone, &sentence));
    if !checked.next.is_empty() {
        told += &format!("next: {}\n", printable(&checked.next));
    }
    let blank = format!(
        "{} of {} places read hold nothing",
        count(checked.blank),
        count(checked.reads.places)
    );
    told += "\n";
    told += &facts(
        &[
            ("size", size(checked.size_bytes)),
            ("at most", checked.real_bytes.map_or(String::new(), size)),
            ("registers", checked.serial.clone()),
            ("blank", blank),
            ("took", duration(checked.taken_ms)),
        ],
        look,
    );
    let mut table = Table::new(&[
        "OPERATION",
        ">PLACES",
        ">EACH",
        ">FAILED",
        ">SLOW",
        ">HALF",
        ">95 %",
        ">99 %",
        ">LONGEST",
        ">SPEED",
    ]);
    let mut row = |name: &str, times: &CheckTimes| {
        let speed = times.place_bytes.saturating_mul(1_000_000).checked_div(times.p50_us);
        table.row([
            name.to_owned(),
            count(times.places),
            size(times.place_bytes),
            count(times.failed),
            count(times.slow),
            time(times.p50_us),
            time(times.p95_us),
            time(times.p99_us),
            time(times.longest_us),
            speed.map_or(String::new(), rate),
        ]);
    };
    row("read", &checked.reads);
    if let Some(writes) = &checked.writes {
        row("write", writes);
    }
    told += &format!("\n{}", table.lines(look));
    let mut places = Table::new(&[">PLACE", "WHAT WAS FOUND", "MORE"]);
    let mut left = 0;
    for (at, place) in checked.places.iter().enumerate() {
        let before = checked.places[..at].iter().filter(|one| one.found == place.found).count();
        if before >= SHOWN_MAX {
            left += 1;
            continue;
        }
        places.row([count(place.at_bytes), found(place.found).into(), place.detail.clone()]);
    }
    if !places.is_empty() {
        told += &format!("\n{}", places.lines(look));
    }
    if left > 0 {
        told += &format!("… and {left} more: --json names them.\n");
    }
    told
}

#[cfg(test)]
mod tests {
    use blockhaul_core::control::types::CheckPlace;

    use super::*;
    use crate::render::sample;

    fn checked() -> CardChecked {
        let times = CheckTimes {
            places: 1_024,
            place_bytes: 256 << 10,
            failed: 0,
            p50_us: 12_500,
            p95_us: 14_000,
            p99_us: 20_000,
            longest_us: 640_000,
            slow: 1,
        };
        CardChecked {
            phase: CheckPhase::Writing,
            verdict: None,
            sentence: String::new(),
            next: String::new(),
            size_bytes: 32 << 30,
            real_bytes: None,
            serial: "ab12".into(),
            done: 1_500,
            total: 3_000,
            taken_ms: 15_000,
            left_ms: 15_000,
            blank: 7,
            reads: times.clone(),
            writes: Some(CheckTimes {
                place_bytes: 4_096,
                p50_us: 1_250,
                ..times
            }),
            places: Vec::new(),
        }
    }

    #[test]
    fn the_estimate_comes_first_and_progress_says_what_is_left() {
        assert_eq!(
            estimate("/dev/sdb", &checked()),
            "Checking /dev/sdb of 32.0 GiB, by reading and by writing; what is there is put back: 3,000 operations at places all over it, \
             about 15s.\n"
        );
        assert_eq!(
            progress("/dev/sdb", &checked()),
            "/dev/sdb: writing, 50 %, 0 failed, about 15s left"
        );
    }

    #[test]
    fn the_verdict_stands_in_front_and_places_are_named() {
        let mut bad = checked();
        bad.verdict = Some(CheckVerdict::Counterfeit);
        bad.sentence = "Counterfeit: it says that it has 32 GiB, and begins again after 8 GiB.".into();
        bad.next = "Throw it away.".into();
        bad.real_bytes = Some(8 << 30);
        bad.places = (0..10)
            .map(|number| CheckPlace {
                at_bytes: number * 4_096,
                found: PlaceFound::Wraps,
                detail: format!("what was written to {}", number + 1),
            })
            .collect();
        let told = report("/dev/sdb", &bad, &sample::plain());
        assert!(told.starts_with(
            "/dev/sdb: Counterfeit: it says that it has 32 GiB, and begins again after 8 GiB.\nnext: Throw it away.\n"
        ));
        assert!(
            told.contains("write       1,024    4.0 KiB       0     1  1.2ms  14ms  20ms    640ms   3.1 MiB/s\n"),
            "{told}"
        );
        assert!(
            told.contains("28,672  is another place too  what was written to 8\n"),
            "{told}"
        );
        assert!(told.ends_with("… and 2 more: --json names them.\n"), "{told}");
    }
}
