//! How long an archive keeps its blocks, and who guards them.

use blockhaul_core::control::types::{GuardCount, GuardStatus, JobReleased, Retention, RetentionShown};

use super::job;
use super::table::{Table, facts};
use super::units::{duration, size, things, time};
use super::{Look, Tone};

/// Who holds how much since when.
pub fn table(guards: &[GuardStatus], look: &Look) -> String {
    let mut table = Table::new(&["GUARD", "STATE", "ARCHIVE", ">HOLDS", ">BYTES", "OLDEST", "SINCE"]);
    for guard in guards {
        let name = if guard.counts {
            guard.job.to_string()
        } else {
            format!("{} (does not count)", guard.job)
        };
        table.row([
            name,
            job::state(guard.state).0.to_owned(),
            guard.archive.to_string(),
            things(guard.blocks, "block"),
            size(guard.bytes),
            time(guard.oldest_utc_ns.unwrap_or(0), look),
            time(guard.since_utc_ns, look),
        ]);
        table.note("why:", &guard.why, Tone::Watch);
    }
    table.lines(look)
}

/// The retention of an archive as it is.
pub fn shown(shown: &RetentionShown, look: &Look) -> String {
    let mut text = facts(
        &[
            ("Archive", shown.archive.to_string()),
            ("Keeps", words(&shown.retention)),
            ("Counts", counted(&shown.retention)),
            ("Begins at", format!("block {}", shown.oldest)),
            ("Release mark", format!("block {}", shown.release_mark)),
            ("Freed", format!("{} since the start", things(shown.freed_blocks, "block"))),
            ("Next", shown.next.clone()),
        ],
        look,
    );
    for note in &shown.notes {
        text += &format!("\nMind: {note}\n");
    }
    if !shown.guards.is_empty() {
        text += "\n";
        text += &table(&shown.guards, look);
    }
    text
}

/// What a retention would free.
pub fn tried(tried: &RetentionShown, look: &Look) -> String {
    format!(
        "Nothing was changed. {} of archive {} ({}) would be freed at once.\n\n{}",
        things(tried.blocks, "block"),
        tried.archive,
        size(tried.bytes),
        shown(tried, look)
    )
}

/// What a job has given up, or would.
pub fn released(released: &JobReleased) -> String {
    let guard = &released.guard;
    let held = format!(
        "{} of archive {} ({})",
        things(guard.blocks, "block"),
        guard.archive,
        size(guard.bytes)
    );
    if released.done {
        format!(
            "Job {} guards nothing any more: {held} that are not known to be at its target may be freed.\n\
             Take it back: blockhaul job guard {}\n",
            guard.job, guard.job
        )
    } else {
        format!("Nothing was changed. Job {} would give up {held}.\n", guard.job)
    }
}

/// What a job guards again.
pub fn guarding(guarding: &JobReleased) -> String {
    let guard = &guarding.guard;
    format!(
        "Job {} guards {} of archive {} ({}).\n",
        guard.job,
        things(guard.blocks, "block"),
        guard.archive,
        size(guard.bytes)
    )
}

fn counted(retention: &Retention) -> String {
    let names: Vec<String> = retention.jobs.iter().map(ToString::to_string).collect();
    match retention.count {
        GuardCount::All => "every job that hauls it".into(),
        GuardCount::Only => format!("only {}", names.join(", ")),
        GuardCount::AnyOf => format!("one of {}", names.join(", ")),
    }
}

/// The bounds in words.
fn words(retention: &Retention) -> String {
    let mut all = Vec::new();
    if retention.remove_after_success {
        all.push("until hauled".to_owned());
    }
    let bounds = |ages: (Option<u64>, Option<u64>), sizes: (Option<u64>, Option<u64>), each: &str| {
        let age = |word: &str, bound: Option<u64>| bound.map(|ms| format!("{word} {}", duration(ms)));
        let room = |word: &str, each: &str, bound: Option<u64>| bound.map(|bytes| format!("{word} {}{each}", size(bytes)));
        let bounds = [
            age("at most", ages.1),
            room("at most", each, sizes.1),
            age("at least", ages.0),
            room("at least", " of each track", sizes.0),
        ];
        bounds.into_iter().flatten().collect::<Vec<_>>()
    };
    all.extend(bounds(
        (retention.min_age_ms, retention.max_age_ms),
        (retention.min_bytes, retention.max_bytes),
        "",
    ));
    for camera in &retention.cameras {
        let own = bounds(
            (camera.min_age_ms, camera.max_age_ms),
            (camera.min_bytes, camera.max_bytes),
            " of each track",
        );
        all.push(format!("of camera {} {}", camera.camera, own.join(" and ")));
    }
    if retention.protect {
        all.push("a ring is full rather than give up what is guarded, tagged or within a minimum".into());
    }
    if all.is_empty() {
        all.push("everything; a ring gives up its oldest segments when it comes round".into());
    }
    all.join(", ")
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::JobState;

    /// A guard that holds something.
    pub fn far() -> GuardStatus {
        GuardStatus {
            archive: "card".parse().unwrap(),
            job: "far".parse().unwrap(),
            counts: true,
            blocks: 1_204,
            bytes: 1_204 << 20,
            oldest_utc_ns: Some(1_795_255_203_000_000_000),
            since_utc_ns: 0,
            state: JobState::Disabled,
            why: "switched off".into(),
        }
    }

    #[test]
    fn who_holds_how_much() {
        let one = RetentionShown {
            notes: vec![],
            archive: "card".parse().unwrap(),
            retention: Retention {
                remove_after_success: true,
                min_age_ms: Some(86_400_000),
                ..Retention::default()
            },
            oldest: 16,
            release_mark: 16,
            blocks: 8,
            bytes: 8 << 20,
            freed_blocks: 16,
            next: "Next is the segment from 16; job far guards blocks from 16 on.".into(),
            guards: vec![far()],
        };
        assert_eq!(
            tried(&one, &sample::plain()),
            "\
Nothing was changed. 8 blocks of archive card (8.0 MiB) would be freed at once.

Archive       card
Keeps         until hauled, at least 1d
Counts        every job that hauls it
Begins at     block 16
Release mark  block 16
Freed         16 blocks since the start
Next          Next is the segment from 16; job far guards blocks from 16 on.

GUARD  STATE     ARCHIVE         HOLDS    BYTES  OLDEST               SINCE
far    disabled  card     1,204 blocks  1.2 GiB  2026-11-21 10:00:03  -
  why: switched off
"
        );
    }
}
