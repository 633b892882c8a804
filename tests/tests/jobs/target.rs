//! What is at the target: pieces on its disk, and gaps as it states them.

use std::collections::BTreeSet;

use blockhaul_tests::reader::{Content, block, geometry};
use blockhaul_tests::stage::Pair;
use serde_json::{Value, json};

/// The virtual second, in nanoseconds.
pub const SECOND: i64 = 1_000_000_000;

/// Track sequences of the source's blocks that are whole and durable on the target's disk. A number twice is a failure.
pub fn there(pair: &Pair) -> BTreeSet<u64> {
    let disk = pair.stage.world.machines.disk(pair.stage.disk(pair.vault));
    let shape = geometry(disk.durable()).unwrap();
    let blocks = (0..shape.slots).filter_map(|slot| block(disk.durable(), &shape, slot).ok());
    let mut found = BTreeSet::new();
    for piece in blocks.filter_map(|block| match block.content {
        Content::Piece(piece) => Some(piece),
        Content::Records { .. } | Content::Checkpoint { .. } => None,
    }) {
        assert!(found.insert(piece.sequence), "block {} is there twice", piece.sequence);
    }
    found
}

/// The slot of the target's disk that holds a block.
pub fn slot_of(pair: &Pair, number: u64) -> u64 {
    let disk = pair.stage.world.machines.disk(pair.stage.disk(pair.vault));
    let shape = geometry(disk.durable()).unwrap();
    let holds = |slot: &u64| {
        let found = block(disk.durable(), &shape, *slot);
        found.is_ok_and(|found| matches!(found.content, Content::Piece(piece) if piece.sequence == number))
    };
    (0..shape.slots).find(holds).unwrap()
}

/// What the target states as missing: first, first behind, reason.
pub fn missing(pair: &mut Pair) -> Vec<(u64, u64, String)> {
    let gaps = pair
        .stage
        .ask(pair.vault, "Archive.Gaps", json!({ "archive": "vault", "camera": "gate" }));
    let one = |gap: &Value| {
        let number = |key: &str| gap[key].as_u64().unwrap();
        (number("from"), number("to"), gap["what"].as_str().unwrap().to_owned())
    };
    gaps["gaps"].as_array().unwrap().iter().map(one).collect()
}

/// The job as it is.
pub fn job(pair: &mut Pair) -> Value {
    pair.stage.ask(pair.lobby, "Job.Show", json!({ "name": "out" }))["job"].take()
}

/// Runs that an end remembers.
pub fn history(pair: &mut Pair, at: drivers_sim::SiteId) -> Vec<Value> {
    let mut answer = pair.stage.ask(at, "Job.History", json!({}));
    match answer["runs"].take() {
        Value::Array(runs) => runs,
        other => panic!("{other}"),
    }
}

/// What the source's wall clock shows.
pub fn utc(pair: &Pair) -> i64 {
    pair.stage.world.machines.moment(pair.lobby).utc_ns
}

/// A set of numbers.
pub fn numbers(all: impl IntoIterator<Item = u64>) -> BTreeSet<u64> {
    all.into_iter().collect()
}
