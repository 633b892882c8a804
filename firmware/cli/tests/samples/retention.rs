//! Samples of retention and guards.

use super::*;

/// Who holds how much.
pub fn guard() -> GuardStatus {
    GuardStatus {
        archive: name(),
        job: name(),
        counts: true,
        blocks: 1,
        bytes: 1 << 20,
        oldest_utc_ns: Some(1),
        since_utc_ns: 1,
        state: JobState::Disabled,
        why: "switched off".into(),
    }
}

/// All methods of the interface, and what a job guards.
pub fn retention() -> Vec<Sample> {
    let policy = Retention {
        remove_after_success: true,
        protect: true,
        count: GuardCount::AnyOf,
        jobs: vec![name()],
        max_age_ms: Some(2),
        max_bytes: Some(2),
        min_age_ms: Some(1),
        min_bytes: Some(1),
        cameras: vec![CameraRetention {
            camera: name(),
            max_age_ms: Some(2),
            max_bytes: Some(2),
            min_age_ms: Some(1),
            min_bytes: Some(1),
        }],
    };
    let shown = RetentionShown {
        archive: name(),
        retention: policy.clone(),
        oldest: 1,
        release_mark: 1,
        blocks: 1,
        bytes: 1,
        freed_blocks: 1,
        next: "Next is the segment from 1.".into(),
        notes: vec!["Job lobby leaves blocks out.".into()],
        guards: vec![guard()],
    };
    let set = RetentionSet {
        archive: name(),
        retention: policy,
        dry_run: true,
    };
    let release = JobRelease {
        name: name(),
        dry_run: true,
    };
    let released = JobReleased {
        guard: guard(),
        done: true,
    };
    vec![
        plain(
            "io.blockhaul.Retention.Show",
            RetentionShow { archive: name() },
            shown.clone(),
        ),
        with_least(
            "io.blockhaul.Retention.Set",
            set,
            json!({ "archive": "card", "retention": {} }),
            shown,
        ),
        with_least(
            "io.blockhaul.Job.Release",
            release,
            json!({ "name": "lobby" }),
            released.clone(),
        ),
        plain("io.blockhaul.Job.Guard", Named { name: name() }, released),
    ]
}
