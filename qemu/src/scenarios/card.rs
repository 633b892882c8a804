//! A camera's cards come and go at the source: pulled in the middle of being taken and hauled, swapped for another, put back, each time
//! in another slot. At the target each film is there once, whole, and under the card that it is from.

use std::thread;
use std::time::Duration;

use image::Result;
use serde_json::Value;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::footage::{Footage, PATTERN};
use crate::guest::{End, Guest};
use crate::pair::{self, CAMERA, CARD, Pair, VAULT};
use crate::report::Report;
use crate::scenario::Stage;
use crate::slot::Slot;

const MIB: u64 = 1024 * 1024;
const FILMS: usize = 4;
/// So much of a card is taken each time before it is pulled: some blocks.
const TAKEN_BYTES: u64 = 200_000;

/// Plays it.
pub fn play(stage: &Stage<'_>, report: &mut Report) -> Result<()> {
    let mut dice = Dice::of_this_run();
    let cards = [
        Footage::shoot(&stage.folder, "front", "20261119", true, FILMS, &mut dice)?,
        Footage::shoot(&stage.folder, "rear", "20261120", false, FILMS, &mut dice)?,
    ];
    let shelf = Disk::blank(&stage.folder, "SHELF0", 64 * MIB)?;
    let store = Disk::blank(&stage.folder, "STORE0", 64 * MIB)?;
    let source = Guest::new(stage, "source", End::Second, vec![shelf])?.with_slots(&cards);
    let target = Guest::new(stage, "target", End::First, vec![store])?;
    let mut pair = Pair::boot(stage, source, target)?;
    report.saw("both are up, paired, and a job hauls always");

    for slot in [Slot::Port, Slot::Reader, Slot::Sd] {
        for card in &cards {
            let taken = insert_and_pull(&mut pair, slot, card, &mut dice)?;
            report.saw(&format!(
                "{} is put into {}, taken and hauled, and pulled when {taken} of its {} bytes were here",
                card.name,
                slot.word(),
                card.bytes()
            ));
        }
    }
    for (slot, card) in [Slot::Reader, Slot::Port].into_iter().zip(&cards) {
        slot.insert(card, pair.source.machine()?)?;
        whole(&pair, card)?;
        slot.pull(pair.source.machine()?)?;
        away(&pair, card)?;
        report.saw(&format!(
            "{} is put back into {} and taken to its end",
            card.name,
            slot.word()
        ));
    }
    let before = pair.source.client().taken(CARD)?;
    Slot::Sd.insert(&cards[0], pair.source.machine()?)?;
    whole(&pair, &cards[0])?;
    pair.caught_up()?;
    let after = pair.source.client().taken(CARD)?;
    if after != before {
        return Err(format!("{} blocks were taken twice.", after - before));
    }
    report.saw("front comes once more, and nothing is taken twice");
    let origins = [status(&pair, &cards[0])?, status(&pair, &cards[1])?].map(|card| card["origin"].clone());
    pair::verify(&pair.target, VAULT)?;
    for (card, origin) in cards.iter().zip(&origins) {
        same_export(stage, &pair, card, origin.as_str().unwrap_or_default())?;
    }
    report.saw("verify finds nothing, and what the target exports of each origin is what was on the card");
    pair.source.stop()?;
    pair.target.stop()?;
    let ends = [("source", &pair.source), ("target", &pair.target)];
    for (end, guest) in ends {
        let lines = pair::lines(stage, guest.disks.last().ok_or("no disk")?)?;
        judge(&lines, &cards, &origins).map_err(|why| format!("On the disk of the {end}: {why}"))?;
    }
    for card in &cards {
        card.untouched()?;
    }
    report.saw("on both disks each film is there once and under its own card, by hash; the cards were not written to");
    Ok(())
}

/// Puts a card in, makes it known if nobody did, and pulls it at some moment when it is taken. Returns how much of it is here then.
fn insert_and_pull(pair: &mut Pair, slot: Slot, card: &Footage, dice: &mut Dice) -> Result<u64> {
    let unknown = pair.source.events("card-unknown")?.len();
    slot.insert(card, pair.source.machine()?)?;
    if status(pair, card)?.is_null() {
        pair.source.until("a card that is not known", |source| {
            Ok(source.events("card-unknown")?.len() > unknown)
        })?;
        let events = pair.source.events("card-unknown")?;
        let path = events.last().and_then(|event| event["subject"].as_str()).unwrap_or_default();
        let words = ["card", "add", card.name, "--archive", CARD, "--path", path];
        pair.source
            .call(&[&words[..], &["--pattern", PATTERN, "--camera", CAMERA]].concat())?;
    }
    let begun = number(&status(pair, card)?, "bytes");
    pair.source
        .until(&format!("{} to be taken from {}", card.name, slot.word()), |_| {
            let card = status(pair, card)?;
            Ok(number(&card, "bytes") >= begun + TAKEN_BYTES)
        })?;
    thread::sleep(Duration::from_millis(dice.below(300)));
    slot.pull(pair.source.machine()?)?;
    let taken = number(&away(pair, card)?, "bytes");
    if taken >= card.bytes() {
        return Err(format!("{} was taken to its end before it was pulled.", card.name));
    }
    pair.caught_up()?;
    Ok(taken)
}

/// Waits until the daemon knows that the card was pulled.
fn away(pair: &Pair, card: &Footage) -> Result<Value> {
    pair.source.until(&format!("{} to be away", card.name), |_| {
        Ok(status(pair, card)?["state"] == "away")
    })?;
    status(pair, card)
}

/// Waits until all of a card is taken, and hauled.
fn whole(pair: &Pair, card: &Footage) -> Result<()> {
    pair.source.until(&format!("all of {} to be taken", card.name), |_| {
        let card = status(pair, card)?;
        Ok(card["state"] == "taken" && card["files_waiting"] == 0)
    })?;
    let seen = status(pair, card)?;
    let whole = number(&seen, "bytes") == card.bytes();
    if !whole || seen["files_lost"] != 0 || seen["files_unreadable"] != 0 {
        return Err(format!(
            "{} is called taken, and of its {} bytes not everything is: {seen}",
            card.name,
            card.bytes()
        ));
    }
    pair.caught_up()
}

/// What the source tells of a card; null if it does not know it.
fn status(pair: &Pair, card: &Footage) -> Result<Value> {
    let all = pair.source.call(&["card", "list"])?;
    let cards = all["cards"].as_array().into_iter().flatten();
    Ok(cards
        .into_iter()
        .find(|one| one["name"] == card.name)
        .cloned()
        .unwrap_or_default())
}

fn number(card: &Value, name: &str) -> u64 {
    card[name].as_u64().unwrap_or(0)
}

/// What the target gives out of one origin is what was on the card.
fn same_export(stage: &Stage<'_>, pair: &Pair, card: &Footage, origin: &str) -> Result<()> {
    let file = stage.folder.join(format!("{}.exported", card.name));
    let to = file.display().to_string();
    let words = [
        "export",
        "--archive",
        VAULT,
        "--camera",
        CAMERA,
        "--origin",
        origin,
        "-o",
        &to,
    ];
    pair.target.call(&words)?;
    let exported = image::tree::read(&file)?;
    if exported == card.films.concat() {
        return Ok(());
    }
    Err(format!(
        "{} bytes are on {}, and {} others are in the archive.",
        card.bytes(),
        card.name,
        exported.len()
    ))
}

/// What the independent reader saw is the films of these cards and nothing else: of each its own origin, gapless, by hash.
fn judge(lines: &[Value], cards: &[Footage], origins: &[Value]) -> Result<()> {
    if origins.iter().any(|origin| !origin.is_string()) || origins[0] == origins[1] {
        return Err(format!("the cards have no origins of their own: {origins:?}"));
    }
    let blocks: Vec<&Value> = lines.iter().filter(|line| line["payload"].is_string()).collect();
    if let Some(other) = blocks.iter().find(|block| !origins.contains(&block["origin"])) {
        return Err(format!("a block is of neither card: {other}"));
    }
    for (card, origin) in cards.iter().zip(origins) {
        let of_card = || blocks.iter().filter(|block| block["origin"] == *origin);
        let text = |block: &Value| block["payload"].as_str().unwrap_or_default().to_owned();
        let numbered: Vec<(u64, String)> = of_card()
            .map(|block| (number(block, "track_sequence"), text(block)))
            .collect();
        pair::gapless(&numbered)?;
        let sized: Vec<(usize, String)> = of_card()
            .map(|block| (number(block, "payload_bytes") as usize, text(block)))
            .collect();
        card.is_in(&sized)?;
    }
    Ok(())
}
