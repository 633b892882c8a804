//! What a check of a card finds, fault by fault; and that the card is as it was, whatever happens meanwhile.
//!
//! A card is filled with bytes of its own first, so that what is not put back shows.

use blockhaul_tests::site::VOLUME;
use drivers_sim::{Beyond, CallerId, DiskId, DiskModel, Effect, Fault, Image, IoKind, SimCard, SiteId};
use hal::{IoError, Role};
use serde_json::{Value, json};

use crate::stage::{SECOND_NS, SLOTS, Stage};

const SLOT: &str = "/dev/sdb";
const PATIENCE_NS: u64 = 60 * SECOND_NS;
const MIB: u64 = 1 << 20;
/// As large as it says.
const SIZE: u64 = 24 * MIB + 4096;

/// An appliance, and a card with bytes that differ everywhere.
fn with_card() -> (Stage, SiteId, DiskId) {
    let mut stage = Stage::new();
    let site = stage.add("lobby", SLOTS, "append");
    let model = DiskModel {
        removable: true,
        ..DiskModel::disk(SIZE, "CARD-1")
    };
    let card = stage.world.machines.add_disk(site, SLOT, model);
    let mut state = 1u64;
    for at in (0..SIZE).step_by(MIB as usize) {
        let mut bytes = Vec::with_capacity(MIB as usize);
        while bytes.len() < MIB.min(SIZE - at) as usize {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.extend_from_slice(&(state ^ state >> 29).to_le_bytes());
        }
        stage.world.machines.disk_mut(card).overwrite(at, &bytes);
    }
    (stage, site, card)
}

fn begin(stage: &mut Stage, site: SiteId, writes: bool) -> CallerId {
    let method = if writes { "CheckByWriting" } else { "Check" };
    let call = json!({ "method": format!("io.blockhaul.Card.{method}"), "parameters": { "path": SLOT }, "more": true });
    stage.world.machines.connect_and_call(site, Role::Admin, &call.to_string())
}

/// All answers, the last of them without `continues`.
fn end(stage: &mut Stage, caller: CallerId) -> Vec<Value> {
    let mut answers: Vec<Value> = Vec::new();
    for _ in 0..1_000 {
        stage.world.run_until(PATIENCE_NS, |world| world.machines.replies(caller) > 0);
        let reply = stage.world.machines.take_reply(caller).expect("an answer");
        answers.push(serde_json::from_slice(&reply).expect("it is JSON"));
        if answers.last().is_some_and(|answer| answer.get("continues").is_none()) {
            stage.world.machines.leave(caller);
            return answers;
        }
    }
    panic!("a check that does not end");
}

fn check(stage: &mut Stage, site: SiteId, writes: bool) -> Value {
    let caller = begin(stage, site, writes);
    let last = end(stage, caller).pop().expect("there is a last one");
    assert_eq!(last.get("error"), None, "{last}");
    last["parameters"].clone()
}

fn now(stage: &Stage, card: DiskId) -> Image {
    stage.world.machines.disk(card).current().clone()
}

/// What is at the places of a kind.
fn places<'a>(checked: &'a Value, found: &str) -> Vec<&'a Value> {
    let all = checked["places"].as_array().expect("a list");
    all.iter().filter(|place| place["found"] == found).collect()
}

/// One that has half of what it says.
pub fn story() -> Stage {
    let (mut stage, site, card) = with_card();
    stage.world.machines.disk_mut(card).shrink(12 * MIB, Beyond::Vanishes);
    assert_eq!(check(&mut stage, site, true)["verdict"], "counterfeit");
    stage
}

#[test]
fn a_good_card_is_good_and_as_it_was() {
    let (mut stage, site, card) = with_card();
    let before = now(&stage, card);
    for writes in [false, true] {
        let caller = begin(&mut stage, site, writes);
        let answers = end(&mut stage, caller);
        let first = &answers[0]["parameters"];
        assert!(answers.len() > 1 && first["left_ms"].as_u64() > Some(0), "{first}");
        let last = &answers.last().unwrap()["parameters"];
        assert_eq!(
            (&last["verdict"], &last["phase"]),
            (&"good".into(), &"ended".into()),
            "{last}"
        );
        assert_eq!(last["done"], last["total"], "{last}");
        assert_eq!(last["writes"].is_null(), !writes);
        assert!(last["reads"]["longest_us"].as_u64() > last["reads"]["p50_us"].as_u64());
        assert!(now(&stage, card) == before, "writes: {writes}");
        assert!(*stage.world.machines.disk(card).durable() == before);
    }
    assert_eq!(stage.times(site, "card-checked"), 2);
}

#[test]
fn capacity_that_vanishes_is_found_by_writing() {
    let (mut stage, site, card) = with_card();
    stage.world.machines.disk_mut(card).shrink(10 * MIB, Beyond::Vanishes);
    let before = now(&stage, card);
    assert_eq!(
        check(&mut stage, site, false)["verdict"],
        "good",
        "by reading it is empty there"
    );
    let found = check(&mut stage, site, true);
    assert_eq!(found["verdict"], "counterfeit", "{found}");
    let real = found["real_bytes"].as_u64().unwrap();
    assert!((10 * MIB..16 * MIB).contains(&real), "{found}");
    assert!(
        now(&stage, card)
            .differing(&before)
            .iter()
            .all(|range| range.start >= 10 * MIB)
    );
}

#[test]
fn a_card_that_begins_again_is_found_by_reading_at_a_power_of_two_and_by_writing_anywhere() {
    for (real, by_reading) in [(16 * MIB, true), (4 * MIB, true), (9 * MIB, false), (21 * MIB, false)] {
        let (mut stage, site, card) = with_card();
        stage.world.machines.disk_mut(card).shrink(real, Beyond::Wraps);
        let before = now(&stage, card);
        let read = check(&mut stage, site, false);
        let expected = if by_reading { "counterfeit" } else { "good" };
        assert_eq!(read["verdict"], expected, "{real}: {read}");
        if by_reading {
            assert_eq!(read["real_bytes"], real);
        }
        let written = check(&mut stage, site, true);
        assert_eq!(
            (&written["verdict"], &written["real_bytes"]),
            (&"counterfeit".into(), &real.into()),
            "{written}"
        );
        assert!(!places(&written, "wraps").is_empty());
        assert!(now(&stage, card) == before, "{real}: what it had is there again");
    }
}

#[test]
fn a_card_that_ends_before_it_says_is_found_by_reading() {
    let (mut stage, site, card) = with_card();
    let fault = Fault::always(IoKind::Read, 17 * MIB..u64::MAX, Effect::Error(IoError::Media));
    stage.world.machines.disk_mut(card).faults.push(fault);
    let found = check(&mut stage, site, false);
    assert_eq!(found["verdict"], "counterfeit", "{found}");
    let real = found["real_bytes"].as_u64().unwrap();
    assert!(real.abs_diff(17 * MIB) <= MIB, "{found}");
    assert!(
        found["reads"]["failed"].as_u64().unwrap() <= 20,
        "it does not try all of them: {found}"
    );
}

#[test]
fn bad_places_are_named() {
    let (mut stage, site, card) = with_card();
    let fault = Fault::always(IoKind::Read, 7 * MIB..7 * MIB + 512, Effect::Error(IoError::Media));
    stage.world.machines.disk_mut(card).faults.push(fault);
    let before = now(&stage, card);
    let found = check(&mut stage, site, true);
    assert_eq!(found["verdict"], "unreadable", "{found}");
    let at = places(&found, "unreadable")[0]["at_bytes"].as_u64().unwrap();
    assert!(at <= 7 * MIB && 7 * MIB < at + (256 << 10), "{found}");
    assert!(now(&stage, card) == before);
}

#[test]
fn writes_that_are_not_kept_are_found() {
    // All of them: a worn-out card.
    let (mut stage, site, card) = with_card();
    let before = now(&stage, card);
    let fault = Fault::always(IoKind::Write, 0..u64::MAX, Effect::Nothing);
    stage.world.machines.disk_mut(card).faults.push(fault);
    let found = check(&mut stage, site, true);
    assert_eq!(found["verdict"], "read-only", "{found}");
    assert!(now(&stage, card) == before);
    // Some: and then what is put back is not kept at first either.
    let (mut stage, site, card) = with_card();
    let fault = Fault {
        times: 2,
        ..Fault::always(IoKind::Write, 0..3 * MIB, Effect::Nothing)
    };
    stage.world.machines.disk_mut(card).faults.push(fault.clone());
    stage.world.machines.disk_mut(card).faults.push(Fault { skip: 1, ..fault });
    let found = check(&mut stage, site, true);
    assert_eq!(found["verdict"], "not-kept", "{found}");
    assert!(!places(&found, "not-written").is_empty(), "{found}");
    assert_eq!(places(&found, "not-put-back").len(), 0, "it is tried again: {found}");
    assert!(now(&stage, card) == before);
    // Bits that turn.
    let (mut stage, site, card) = with_card();
    let fault = Fault {
        skip: 3,
        times: 1,
        ..Fault::always(IoKind::Write, 0..u64::MAX, Effect::Flip)
    };
    stage.world.machines.disk_mut(card).faults.push(fault);
    let found = check(&mut stage, site, true);
    assert_eq!(
        (&found["verdict"], places(&found, "altered").len()),
        (&"not-kept".into(), 1),
        "{found}"
    );
    assert!(now(&stage, card) == before);
}

#[test]
fn writes_that_are_refused_are_found() {
    let (mut stage, site, card) = with_card();
    let before = now(&stage, card);
    // It becomes read-only meanwhile, as worn-out cards do.
    let caller = begin(&mut stage, site, true);
    stage.world.run_for(SECOND_NS / 50);
    stage.world.machines.disk_mut(card).read_only = true;
    let found = end(&mut stage, caller).pop().unwrap()["parameters"].clone();
    assert_eq!(found["verdict"], "read-only", "{found}");
    assert!(now(&stage, card) == before);
    let why = stage.refused(site, "Card.CheckByWriting", json!({ "path": SLOT }));
    assert!(why.contains("can be read and not written"), "{why}");
    // Of writes that fail any part may be there.
    stage.world.machines.disk_mut(card).read_only = false;
    let fault = Fault {
        skip: 2,
        ..Fault::always(IoKind::Write, 0..u64::MAX, Effect::Error(IoError::Media))
    };
    stage.world.machines.disk_mut(card).faults.push(fault);
    let found = check(&mut stage, site, true);
    assert_ne!(found["verdict"], "good", "{found}");
    assert!(found["writes"]["failed"].as_u64() > Some(0), "{found}");
    assert!(
        now(&stage, card).differing(&before).len() <= places(&found, "not-put-back").len(),
        "{found}"
    );
}

#[test]
fn slow_places_are_found() {
    let (mut stage, site, card) = with_card();
    stage.world.machines.disk_mut(card).latency.write_ns = 10_000_000..=700_000_000;
    let before = now(&stage, card);
    let found = check(&mut stage, site, true);
    assert_eq!(found["verdict"], "slow", "{found}");
    assert!(
        found["writes"]["slow"].as_u64() > Some(0) && found["reads"]["slow"] == 0,
        "{found}"
    );
    assert!(now(&stage, card) == before);
}

#[test]
fn what_is_in_use_is_not_written_and_may_be_read() {
    let (mut stage, site, card) = with_card();
    let path = json!({ "path": SLOT });
    stage.world.machines.disk_mut(card).held_by = "mounted at /mnt".into();
    let why = stage.refused(site, "Card.CheckByWriting", path.clone());
    assert!(why.contains("in use"), "{why}");
    assert_eq!(check(&mut stage, site, false)["verdict"], "good");
    stage.world.machines.disk_mut(card).held_by.clear();
    let why = stage.refused(site, "Card.CheckByWriting", json!({ "path": VOLUME }));
    assert!(why.contains("holds archive lobby"), "{why}");
    // A card of the settings, there or not.
    stage.world.machines.insert_card(site, SLOT, SimCard::new(1));
    let add = json!({ "name": "dash", "archive": "lobby", "path": SLOT, "patterns": ["*.mp4"], "camera": "front" });
    stage.ask(site, "Card.Add", add);
    stage.pass(5);
    let why = stage.refused(site, "Card.CheckByWriting", path.clone());
    assert!(why.contains("is card dash"), "{why}");
    stage.ask(site, "Card.Remove", json!({ "name": "dash" }));
    stage.pass(2);
    // One at a time, and nobody takes its patterns for files.
    let caller = begin(&mut stage, site, true);
    stage.world.run_for(SECOND_NS / 100);
    stage.world.machines.disk_mut(card).latency.factor = 1_000;
    for method in ["Card.CheckByWriting", "Card.Info"] {
        let why = stage.refused(site, method, path.clone());
        assert!(why.contains("is being checked"), "{why}");
    }
    stage.world.machines.disk_mut(card).latency.factor = 1;
    end(&mut stage, caller);
    stage.refused(site, "Card.Check", json!({ "path": "/dev/none" }));
    stage.refused(site, "Card.Check", json!({ "path": "none" }));
}

/// How long a check by writing takes when nothing happens.
fn whole_ns() -> u64 {
    let (mut stage, site, _) = with_card();
    check(&mut stage, site, true)["taken_ms"].as_u64().expect("a number") * 1_000_000
}

/// Whoever asked leaves, or the appliance is stopped, at any time.
#[test]
fn a_check_that_is_ended_early_leaves_the_card_as_it_was() {
    let whole_ns = whole_ns();
    for part in 0..20u64 {
        let (mut stage, site, card) = with_card();
        let before = now(&stage, card);
        let caller = begin(&mut stage, site, true);
        stage.world.run_for(whole_ns / 20 * part);
        if part % 2 == 0 {
            stage.world.machines.leave(caller);
        } else {
            stage.world.machines.ask_stop(site);
        }
        stage.world.run_for(whole_ns);
        assert!(now(&stage, card) == before, "after {part} of 20 parts of its time");
        assert!(*stage.world.machines.disk(card).durable() == before);
    }
}

#[test]
fn a_card_that_is_pulled_is_said_to_hold_patterns() {
    let whole_ns = whole_ns();
    let mut patterns = 0;
    for part in 10..20 {
        let (mut stage, site, card) = with_card();
        let before = now(&stage, card);
        let caller = begin(&mut stage, site, true);
        stage.world.run_for(whole_ns / 20 * part);
        stage.world.machines.take_disk(card);
        let found = end(&mut stage, caller).pop().unwrap()["parameters"].clone();
        assert_eq!(found["verdict"], "gone", "{found}");
        let differing = now(&stage, card).differing(&before).len();
        let named = places(&found, "not-put-back").len();
        assert!(differing <= named, "{differing} places differ, {named} are named: {found}");
        patterns += differing;
    }
    assert!(patterns > 0, "it was never pulled between");
}
