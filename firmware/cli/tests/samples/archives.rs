//! Samples of archives.

use blockhaul_core::Kind;
use blockhaul_core::control::types::*;
use hal::Uuid;
use serde_json::json;

use super::{Sample, archive, info, name, plain, with_least};

/// All of them.
pub fn samples() -> Vec<Sample> {
    let create = ArchiveCreate {
        name: name(),
        volume: "/dev/sda".into(),
        size_bytes: Some(1 << 30),
        block_bytes: 1 << 20,
        mode: Mode::Append,
        destroy: Some("S1".into()),
        dry_run: true,
    };
    let open = ArchiveOpen {
        name: name(),
        volume: "/dev/sda".into(),
        uuid: Some(Uuid::default()),
        read_only: true,
    };
    let export = ExportCall {
        archive: name(),
        camera: name(),
        kind: Kind::Video,
        from_utc_ns: Some(1),
        to_utc_ns: Some(2),
        origin: Some(Uuid::default()),
        manifest: true,
    };
    let exported = Exported {
        origins: vec![
            ExportedOrigin {
                origin: Uuid::default(),
                blocks: 2,
                bytes: 2_000_000,
                left_out: 0,
            },
            ExportedOrigin {
                origin: Uuid([2; 16]),
                blocks: 1,
                bytes: 1_000_000,
                left_out: 7,
            },
        ],
        left_out: vec![LeftOut {
            origin: Uuid([2; 16]),
            from: 0,
            to: 7,
        }],
        holes: vec![Hole {
            from: 1,
            to: 2,
            what: MissingWhat::Damaged,
            origin: Some(Uuid::default()),
        }],
        ..Exported::default()
    };
    let damaged = vec![DamagedBlock {
        log_sequence: 7,
        why: "The payload is another.".into(),
        replaced_by: Some(9),
    }];
    let verified = Verified {
        blocks: 1,
        total: 1,
        good: 0,
        damaged,
        damaged_count: 1,
        replaced: 1,
        back_filled: 1,
    };
    let gap = Missing {
        origin: Uuid::default(),
        kind: Kind::Video,
        from: 1,
        to: 2,
        from_utc_ns: 1,
        to_utc_ns: 2,
        what: MissingWhat::NotRetrieved,
    };
    let least = json!({ "archive": "lobby", "camera": "lobby" });
    let mut create = with_least(
        "io.blockhaul.Archive.Create",
        create,
        json!({ "name": "lobby", "volume": "/dev/sda" }),
        info(),
    );
    // What a dry run is answered with has no type of its own.
    create
        .replies
        .push(json!({ "plan": "Nothing was written.", "slots": 9, "block_bytes": 1 << 20 }));
    vec![
        create,
        plain(
            "io.blockhaul.Archive.List",
            Nothing {},
            Archives {
                archives: vec![archive()],
            },
        ),
        plain("io.blockhaul.Archive.Open", open, info()),
        plain("io.blockhaul.Archive.Info", Named { name: name() }, info()),
        plain("io.blockhaul.Archive.Verify", Named { name: name() }, verified),
        with_least("io.blockhaul.Archive.Export", export, least.clone(), exported),
        plain(
            "io.blockhaul.Archive.Gaps",
            GapsCall {
                archive: name(),
                camera: name(),
            },
            Gaps {
                gaps: vec![gap],
                left_out: 0,
            },
        ),
        with_least(
            "io.blockhaul.Archive.Migrate",
            moving(),
            json!({ "from": "lobby", "to": "lobby" }),
            Migrated {
                job: Some(name()),
                blocks: 1,
                bytes: 1,
                done: true,
            },
        ),
        with_least(
            "io.blockhaul.Archive.CutOver",
            moving(),
            json!({ "from": "lobby", "to": "lobby" }),
            CutOver {
                recorders: vec![name()],
                jobs: vec![name()],
                staying: vec![name()],
                cards: vec![name()],
                blocks: 1,
                done: true,
            },
        ),
        with_least(
            "io.blockhaul.Archive.Scrub",
            ScrubCall {
                name: name(),
                rate_bytes: Some(1),
                pause_ms: 1,
            },
            json!({ "name": "lobby" }),
            Nothing {},
        ),
        plain("io.blockhaul.Archive.Remove", Named { name: name() }, Nothing {}),
    ]
}

fn moving() -> MoveCall {
    MoveCall {
        from: name(),
        to: name(),
        dry_run: true,
    }
}
