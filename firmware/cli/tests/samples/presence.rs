//! Samples of what tells what is there: comparing, times, days.

use blockhaul_core::Kind;
use blockhaul_core::control::types::*;
use hal::Uuid;
use serde_json::json;

use super::{Sample, name, with_least};

/// All of them.
pub fn samples() -> Vec<Sample> {
    vec![compare(), exists(), statistics()]
}

fn compare() -> Sample {
    let call = CompareCall {
        name: name(),
        with: name(),
        camera: Some(name()),
    };
    let difference = Difference {
        origin: Uuid::default(),
        camera: name(),
        kind: Kind::Video,
        from: 1,
        to: 2,
        what: Whose::OnlyHere,
    };
    let compared = Compared {
        differences: vec![difference],
        ..Compared::default()
    };
    let least = json!({ "name": "lobby", "with": "main" });
    with_least("io.blockhaul.Archive.Compare", call, least, compared)
}

fn exists() -> Sample {
    let call = ExistsCall {
        archive: name(),
        camera: name(),
        kind: Kind::Audio,
        from_utc_ns: 1,
        to_utc_ns: 2,
    };
    let missing = MissingTime {
        from_utc_ns: 1,
        to_utc_ns: 2,
        what: MissingWhat::NotRecorded,
    };
    let reply = Exists {
        answer: Extant::Partly,
        missing: vec![missing],
    };
    let least = json!({ "archive": "lobby", "camera": "lobby", "from_utc_ns": 1, "to_utc_ns": 2 });
    with_least("io.blockhaul.Archive.Exists", call, least, reply)
}

fn statistics() -> Sample {
    let call = StatisticsCall {
        archive: name(),
        camera: Some(name()),
        from_utc_ns: Some(1),
        to_utc_ns: Some(2),
    };
    let day = DayStatistics {
        day_utc_ns: 0,
        origin: Uuid::default(),
        camera: name(),
        kind: Kind::Video,
        recorded_blocks: 1,
        recorded_bytes: 1,
        hauled_blocks: 0,
        hauled_bytes: 0,
        verified_blocks: 1,
        verified_bytes: 1,
        lost_blocks: 0,
    };
    let reply = Statistics {
        days: vec![day],
        left_out: 0,
    };
    with_least("io.blockhaul.Archive.Statistics", call, json!({ "archive": "lobby" }), reply)
}
