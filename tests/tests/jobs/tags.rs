//! Tags make jobs chain: one job tags what it has brought over, another one takes what has that tag, up to a mark; and a tag keeps
//! blocks from being freed.

use blockhaul_tests::stage::{Pair, SLOTS, pair, pair_with};
use serde_json::{Value, json};

use crate::target::{SECOND, job, missing, numbers, there, utc};

/// Ranges of the tag at the source.
fn tagged(pair: &mut Pair, tag: &str) -> Vec<(u64, u64)> {
    let all = pair.stage.ask(pair.lobby, "Tag.List", json!({ "archive": "lobby" }));
    let tags = all["tags"].as_array().unwrap().iter().filter(|one| one["tag"] == tag);
    tags.map(|one| (one["from"].as_u64().unwrap(), one["to"].as_u64().unwrap()))
        .collect()
}

fn tag(pair: &mut Pair, verb: &str, tag: &str, from: u64, to: u64) {
    let call = json!({ "archive": "lobby", "camera": "gate", "tag": tag, "from": from, "to": to });
    pair.stage.ask(pair.lobby, &format!("Tag.{verb}"), call);
}

fn run(pair: &mut Pair, more: Value) -> Value {
    let mut call = json!({ "name": "out", "wait": true });
    for (key, value) in more.as_object().unwrap() {
        call[key] = value.clone();
    }
    pair.stage.ask(pair.lobby, "Job.Run", call)["result"].take()
}

#[test]
fn what_is_over_there_is_tagged_and_what_is_tagged_goes_over() {
    let plan =
        json!({ "filter": { "has": ["ready"], "lacks": ["private"] }, "after": { "tag": ["hauled"], "untag": ["ready"] } });
    let mut pair = pair_with(2 * SLOTS, &[], None, json!({ "mode": "always", "plan": plan }));
    pair.stage.record(pair.lobby, 10);
    pair.stage.pass(5);
    assert!(there(&pair).is_empty());
    assert_eq!(job(&mut pair)["state"], "caught-up");
    tag(&mut pair, "Set", "private", 4, 5);
    tag(&mut pair, "Set", "ready", 2, 7);
    pair.stage.pass(5);
    assert_eq!(there(&pair), numbers([2, 3, 5, 6]));
    assert_eq!(missing(&mut pair), [(0, 2, "filtered".into()), (4, 5, "filtered".into())]);
    // What is tagged later comes by itself as long as nothing behind it has gone over.
    tag(&mut pair, "Set", "ready", 8, 9);
    pair.stage.pass(5);
    assert_eq!(there(&pair), numbers([2, 3, 5, 6, 8]));
    assert!(
        tagged(&mut pair, "hauled").is_empty(),
        "a tag costs a block: they are put together"
    );
    pair.stage.pass(70);
    assert_eq!(tagged(&mut pair, "hauled"), [(2, 4), (5, 7), (8, 9)]);
    assert_eq!(
        tagged(&mut pair, "ready"),
        [(4, 5)],
        "taken from what is over there, and from nothing else"
    );

    // What had been passed over comes with a full run, and gets its tag too.
    tag(&mut pair, "Unset", "private", 4, 5);
    pair.stage.ask(pair.lobby, "Job.Run", json!({ "name": "out", "full": true }));
    pair.stage.pass(70);
    assert_eq!(there(&pair), numbers([2, 3, 4, 5, 6, 8]));
    assert_eq!(tagged(&mut pair, "hauled"), [(2, 7), (8, 9)]);
    assert!(tagged(&mut pair, "ready").is_empty());
}

#[test]
fn the_tags_are_there_when_a_run_has_ended() {
    let plan = json!({ "after": { "tag": ["hauled"] } });
    let mut pair = pair_with(2 * SLOTS, &[], None, json!({ "mode": "on-demand", "plan": plan }));
    pair.stage.record(pair.lobby, 3);
    assert_eq!(run(&mut pair, json!({})), "completed");
    pair.stage.pass(1);
    assert_eq!(tagged(&mut pair, "hauled"), [(0, 3)]);
    // A crash takes what was not tagged yet: a full run makes up for it.
    tag(&mut pair, "Unset", "hauled", 1, 2);
    assert_eq!(run(&mut pair, json!({ "full": true })), "completed");
    pair.stage.pass(1);
    assert_eq!(tagged(&mut pair, "hauled"), [(0, 3)]);
}

#[test]
fn a_run_ends_where_a_mark_stands() {
    let mut pair = pair(2 * SLOTS, &[], "on-demand", None);
    pair.stage.record(pair.lobby, 4);
    pair.stage
        .ask(pair.lobby, "Mark.Create", json!({ "archive": "lobby", "name": "before" }));
    pair.stage.record(pair.lobby, 3);
    let wrong = json!({ "name": "out", "bounds": { "mark": "after" } });
    let why = pair.stage.refused(pair.lobby, "Job.Run", wrong);
    assert!(why.contains("no mark after"), "{why}");
    assert_eq!(run(&mut pair, json!({ "bounds": { "mark": "before" } })), "partial");
    assert_eq!(there(&pair), numbers(0..4));
    assert_eq!(run(&mut pair, json!({ "bounds": { "mark": "before" } })), "partial");
    assert_eq!(there(&pair), numbers(0..4));
    assert_eq!(run(&mut pair, json!({})), "completed");
    assert_eq!(there(&pair), numbers(0..7));
    let lost = missing(&mut pair).into_iter().filter(|(_, _, what)| what != "not-recorded");
    assert_eq!(lost.count(), 0);
}

fn oldest(pair: &mut Pair) -> u64 {
    let shown = pair.stage.ask(pair.lobby, "Retention.Show", json!({ "archive": "lobby" }));
    shown["oldest"].as_u64().unwrap()
}

#[test]
fn a_tag_keeps_what_was_hauled_and_a_macro_can_put_it_there() {
    let mut pair = pair(8 * SLOTS, &[], "always", None);
    let rule = json!({
        "name": "alarm", "on": "configured", "steps": ["tag keep lobby/gate last 3s"],
    });
    pair.stage.ask(pair.lobby, "Macro.Create", rule);
    pair.stage.record(pair.lobby, 6);
    pair.stage.add_recorder(pair.lobby, "lobby", "hall");
    pair.stage.pass(2);
    let kept = tagged(&mut pair, "keep");
    assert!(
        kept.len() == 1 && kept[0].0 > 0 && kept[0].1 == 6,
        "{kept:?} at {}",
        utc(&pair) / SECOND
    );
    let retention = json!({ "archive": "lobby", "retention": { "remove_after_success": true, "protect": true } });
    pair.stage.ask(pair.lobby, "Retention.Set", retention);
    pair.stage.record(pair.lobby, 40);
    pair.stage.pass(30);
    let before = oldest(&mut pair);
    assert!(
        before <= kept[0].0 + 2,
        "{before}: the log begins at or before what the tag keeps"
    );
    assert!(
        pair.stage.times(pair.lobby, "archive-full") > 0,
        "the ring is full rather than give up what is kept"
    );
    tag(&mut pair, "Unset", "keep", 0, 100);
    pair.stage.pass(30);
    assert!(oldest(&mut pair) > before, "{} and {before}", oldest(&mut pair));
}

#[test]
fn a_camera_that_no_job_takes_is_not_removed() {
    let mut pair = pair_with(8 * SLOTS, &[], None, json!({ "mode": "always", "cameras": ["gate"] }));
    pair.stage.add_recorder(pair.lobby, "lobby", "hall");
    pair.stage.feed(pair.lobby, "hall", 1);
    pair.stage.record(pair.lobby, 3);
    let retention = json!({ "archive": "lobby", "retention": { "remove_after_success": true } });
    pair.stage.ask(pair.lobby, "Retention.Set", retention);
    pair.stage.record(pair.lobby, 20);
    pair.stage.pass(20);
    let shown = pair.stage.ask(pair.lobby, "Retention.Show", json!({ "archive": "lobby" }));
    assert_eq!(shown["freed_blocks"], 0, "{shown}");
    assert!(shown["next"].as_str().unwrap().contains("camera hall"), "{shown}");
    assert_eq!(shown["notes"], Value::Null, "nothing is left out");
    let plan = json!({ "filter": { "key_frames": true } });
    pair.stage
        .ask(pair.lobby, "Job.Switch", json!({ "name": "out", "plan": plan }));
    let shown = pair.stage.ask(pair.lobby, "Retention.Show", json!({ "archive": "lobby" }));
    assert!(shown["notes"][0].as_str().unwrap().contains("Job out"), "{shown}");
}
