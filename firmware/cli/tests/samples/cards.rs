//! Samples of cards.

use blockhaul_core::Kind;
use blockhaul_core::control::types::*;
use hal::{CardFacts, CardForm, Uuid};
use serde_json::json;

use super::{Sample, name, plain, with_least};

/// All of them.
pub fn samples() -> Vec<Sample> {
    let pattern = || "%c/**.mp4".parse().unwrap();
    let add = CardAdd {
        name: name(),
        archive: name(),
        path: "/dev/sdb1".into(),
        patterns: vec![pattern()],
        camera: Some(name()),
        kind: Kind::Video,
        sidecars: Some(blockhaul_core::card::profile::SidecarForm::Axis),
        zone: Some("Europe/Berlin".parse().unwrap()),
        settle_ms: Some(60_000),
    };
    let least = json!({ "name": "dash", "archive": "card", "path": "/dev/sdb1", "patterns": ["%c/**.mp4"] });
    let info = CardInfoCall {
        path: "/dev/sdb1".into(),
        patterns: vec![pattern()],
    };
    let found = CardInfo {
        facts: CardFacts {
            form: CardForm::Exfat,
            identity: Some(Uuid::default()),
            volume_id: "1234-ABCD".into(),
            label: "CAMERA".into(),
            size_bytes: 1 << 30,
            dirty: true,
            serial: "S1".into(),
            same_as: 7,
        },
        known: Some(name()),
        files: 1,
        bytes: 2,
        more: false,
        damaged: 1,
        damage: vec!["folder / has a loop in its clusters".into()],
        matched: vec![CardMatched {
            pattern: pattern(),
            files: 1,
            bytes: 2,
        }],
        sample: vec![CardSample {
            path: "a/b.mp4".into(),
            bytes: 2,
            modified_ns: 3,
        }],
    };
    let status = CardStatus {
        name: name(),
        archive: name(),
        origin: Uuid::default(),
        state: CardState::Taken,
        why: String::new(),
        action: String::new(),
        path: String::new(),
        volume_id: String::new(),
        file: String::new(),
        files_left: 0,
        bytes_left: 0,
        files_waiting: 0,
        files: 0,
        bytes: 0,
        files_lost: 0,
        files_unreadable: 0,
    };
    let times = || CheckTimes {
        places: 1,
        place_bytes: 2,
        failed: 3,
        p50_us: 4,
        p95_us: 5,
        p99_us: 6,
        longest_us: 7,
        slow: 8,
    };
    let checked = || CardChecked {
        phase: CheckPhase::Ended,
        verdict: Some(CheckVerdict::Counterfeit),
        sentence: "Counterfeit.".into(),
        next: "Throw it away.".into(),
        size_bytes: 1,
        real_bytes: Some(2),
        serial: "S1".into(),
        done: 3,
        total: 4,
        taken_ms: 5,
        left_ms: 6,
        blank: 7,
        reads: times(),
        writes: Some(times()),
        places: vec![CheckPlace {
            at_bytes: 8,
            found: PlaceFound::Wraps,
            detail: "what was written to 9".into(),
        }],
    };
    let check = || CardCheckCall { path: "/dev/sdb".into() };
    vec![
        plain("io.blockhaul.Card.Check", check(), checked()),
        plain("io.blockhaul.Card.CheckByWriting", check(), checked()),
        with_least("io.blockhaul.Card.Add", add, least, Nothing {}),
        with_least("io.blockhaul.Card.Info", info, json!({ "path": "/dev/sdb1" }), found),
        plain("io.blockhaul.Card.List", Nothing {}, Cards { cards: vec![status] }),
        plain("io.blockhaul.Card.Remove", Named { name: name() }, Nothing {}),
    ]
}
