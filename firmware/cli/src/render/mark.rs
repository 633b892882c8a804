//! Marks, and what restoring came to.

use blockhaul_core::control::types::{MarkInfo, Restored};

use super::table::{Table, facts};
use super::units::{count, size, things, time};
use super::{Look, Tone};

/// What there is of a mark.
fn state(mark: &MarkInfo) -> (String, Tone) {
    match (mark.diverged, mark.awaited) {
        (0, 0) => ("complete".into(), Tone::Good),
        (0, awaited) => (format!("{} awaited", things(awaited, "block")), Tone::Watch),
        (diverged, _) => (format!("another history of {}", things(diverged, "track")), Tone::Bad),
    }
}

/// One row for each mark.
pub fn table(marks: &[MarkInfo], look: &Look) -> String {
    let mut table = Table::new(&["MARK", "STATE", ">TRACKS", ">BLOCKS", ">MISSING", "MADE", "IN"]);
    for mark in marks {
        let (word, tone) = state(mark);
        table
            .row([
                mark.name.to_string(),
                word,
                count(mark.tracks),
                count(mark.blocks),
                count(mark.missing),
                time(mark.utc_ns, look),
                mark.made_in.to_string(),
            ])
            .tone(1, tone);
    }
    if table.is_empty() {
        "There is no mark. Make one: blockhaul mark create NAME --archive ARCHIVE\n".into()
    } else {
        table.lines(look)
    }
}

/// One mark.
pub fn shown(mark: &MarkInfo, look: &Look) -> String {
    facts(
        &[
            ("Mark", mark.name.to_string()),
            ("State", state(mark).0),
            (
                "Names",
                format!("{} of {}", things(mark.blocks, "block"), things(mark.tracks, "track")),
            ),
            ("Missing", things(mark.missing, "block")),
            ("Made", format!("{} in archive {}", time(mark.utc_ns, look), mark.made_in)),
        ],
        look,
    )
}

/// One line of progress.
pub fn restoring(restored: &Restored) -> String {
    format!(
        "{} of {} copied ({})",
        count(restored.before + restored.blocks + restored.missing),
        things(restored.total, "block"),
        size(restored.bytes)
    )
}

/// What restoring came to.
pub fn restored(mark: &str, into: &str, dry_run: bool, restored: &Restored) -> String {
    let Restored {
        blocks,
        bytes,
        missing,
        before,
        free_slots,
        ..
    } = restored;
    let (blocks, tracks) = (things(*blocks, "block"), things(restored.tracks, "track"));
    let mut told = if dry_run {
        format!(
            "{blocks} ({}) of {tracks} would be copied into archive {into}, which has {} free. Nothing was written.\n",
            size(*bytes),
            things(*free_slots, "slot")
        )
    } else {
        format!(
            "Archive {into} is what mark {mark} names: {blocks} ({}) of {tracks} were copied.\n",
            size(*bytes)
        )
    };
    if *before > 0 {
        told += &format!("There before: {}.\n", things(*before, "block"));
    }
    if *missing > 0 {
        let verb = if dry_run { "to state" } else { "stated" };
        told += &format!("{} {verb} as missing; see `blockhaul gaps`.\n", things(*missing, "block"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn marks_in_words() {
        let mark = MarkInfo {
            name: "m1".parse().unwrap(),
            mark: "12345678-9abc-def0-0102-030405060708".parse().unwrap(),
            made_in: "12345678-9abc-def0-0102-030405060708".parse().unwrap(),
            utc_ns: 1_795_255_203_000_000_000,
            tracks: 2,
            blocks: 1_204,
            awaited: 4,
            missing: 1,
            diverged: 0,
        };
        assert_eq!(
            table(std::slice::from_ref(&mark), &sample::plain()),
            "\
MARK  STATE             TRACKS  BLOCKS  MISSING  MADE                 IN
m1    4 blocks awaited       2   1,204        1  2026-11-21 10:00:03  12345678-9abc-def0-0102-030405060708
"
        );
        let done = Restored {
            tracks: 2,
            total: 10,
            before: 3,
            blocks: 6,
            bytes: 6 << 20,
            missing: 1,
            free_slots: 9,
        };
        assert_eq!(
            restored("m1", "new", false, &done),
            "\
Archive new is what mark m1 names: 6 blocks (6.0 MiB) of 2 tracks were copied.
There before: 3 blocks.
1 block stated as missing; see `blockhaul gaps`.
"
        );
        assert!(restored("m1", "new", true, &done).contains("Nothing was written"));
    }
}
