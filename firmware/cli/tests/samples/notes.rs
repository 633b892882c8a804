//! Samples of tags and marks.

use blockhaul_core::Kind;
use blockhaul_core::control::types::*;
use hal::Uuid;
use serde_json::json;

use super::{Sample, name, plain, with_least};

/// Tags.
pub fn tags() -> Vec<Sample> {
    let change = TagChange {
        archive: name(),
        camera: name(),
        tag: name(),
        kind: Some(Kind::Audio),
        origin: Some(Uuid::default()),
        from_utc_ns: Some(1),
        to_utc_ns: Some(2),
        from: Some(1),
        to: Some(2),
        dry_run: true,
    };
    let least = json!({ "archive": "lobby", "camera": "lobby", "tag": "court" });
    let list = TagList {
        archive: name(),
        camera: Some(name()),
    };
    let tag = TagInfo {
        tag: name(),
        origin: Uuid::default(),
        camera: name(),
        kind: Kind::Video,
        from: 1,
        to: 2,
    };
    let changed = TagChanged::default();
    vec![
        with_least("io.blockhaul.Tag.Set", change.clone(), least.clone(), changed),
        with_least("io.blockhaul.Tag.Unset", change, least, changed),
        with_least(
            "io.blockhaul.Tag.List",
            list,
            json!({ "archive": "lobby" }),
            TagInfos { tags: vec![tag] },
        ),
    ]
}

/// Marks.
pub fn marks() -> Vec<Sample> {
    let mark = MarkInfo {
        name: name(),
        mark: Uuid::default(),
        made_in: Uuid::default(),
        utc_ns: 1,
        tracks: 1,
        blocks: 1,
        awaited: 0,
        missing: 0,
        diverged: 0,
    };
    let create = MarkCreate {
        name: name(),
        archive: name(),
        dry_run: true,
    };
    let wait = MarkWait {
        name: name(),
        archive: name(),
        timeout_ms: Some(1),
    };
    let restore = MarkRestore {
        name: name(),
        archive: name(),
        into: name(),
        dry_run: true,
    };
    let least = json!({ "name": "m1", "archive": "main" });
    let shown = MarkShown { mark: mark.clone() };
    vec![
        with_least("io.blockhaul.Mark.Create", create, least.clone(), shown.clone()),
        plain(
            "io.blockhaul.Mark.List",
            MarkList { archive: name() },
            MarkInfos { marks: vec![mark] },
        ),
        plain(
            "io.blockhaul.Mark.Remove",
            MarkRemove {
                name: name(),
                archive: name(),
            },
            Nothing {},
        ),
        with_least("io.blockhaul.Mark.Wait", wait, least, shown),
        with_least(
            "io.blockhaul.Mark.Restore",
            restore,
            json!({ "name": "m1", "archive": "main", "into": "new" }),
            Restored::default(),
        ),
    ]
}
