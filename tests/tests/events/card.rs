//! Stories of cameras' cards: what is taken, what is not, and what is said.
//!
//! What is in the archive is read from the disk by the reader of the tests, and compared with what the camera wrote.

use blockhaul_tests::reader::{Content, block, geometry};
use drivers_sim::{SimCard, SiteId};
use serde_json::{Value, json};

use crate::stage::{SECOND_NS, SLOTS, Stage};

pub const SLOT: &str = "/dev/mmcblk0p1";
/// 2026-11-19: a day before the clocks of the simulation begin.
const YESTERDAY_NS: i64 = 1_795_050_000_000_000_000;

/// Content of a file, told apart from every other by its number.
pub fn content(number: u64, bytes: usize) -> Vec<u8> {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

fn path(number: u64) -> String {
    format!("DCIM/{:02}.mp4", number)
}

/// Size of a file: some end within a block, some with one.
fn bytes(number: u64) -> usize {
    10_000 + number as usize * 33_333
}

fn write(card: &mut SimCard, number: u64) {
    let modified_ns = YESTERDAY_NS + number as i64 * 60_000_000_000;
    card.write(&path(number), modified_ns, &content(number, bytes(number)));
}

fn card(identity: u8, files: std::ops::Range<u64>) -> SimCard {
    let mut card = SimCard::new(identity);
    for number in files {
        write(&mut card, number);
    }
    card
}

/// An appliance with an archive for what is on cards.
pub fn appliance() -> (Stage, SiteId) {
    let mut stage = Stage::new();
    let site = stage.add("lobby", 8 * SLOTS, "append");
    (stage, site)
}

fn add(stage: &mut Stage, site: SiteId) {
    let card = json!({ "name": "dash", "archive": "lobby", "path": SLOT, "patterns": ["DCIM/*.mp4"], "camera": "front" });
    stage.ask(site, "Card.Add", card);
}

pub fn status(stage: &mut Stage, site: SiteId) -> Value {
    stage.ask(site, "Card.List", json!({}))["cards"][0].clone()
}

/// Everything of the card's track in the archive: pieces in order, and the gaps.
pub fn taken(stage: &Stage, site: SiteId) -> (Vec<u8>, Vec<(u64, u64)>) {
    let image = stage.world.machines.disk(stage.disk(site)).current().clone();
    let (mut bytes, mut gaps, mut next) = (Vec::new(), Vec::new(), 0);
    let geometry = geometry(&image).expect("the archive is there");
    let mut before = None;
    for slot in 0..geometry.slots {
        let Ok(block) = block(&image, &geometry, slot) else { break };
        // What a power cut left behind the end is of another history.
        if before.is_some_and(|before| before != block.previous_header) {
            break;
        }
        before = Some(block.header_hash);
        match block.content {
            Content::Piece(piece) if piece.track.camera == "front" => {
                assert_eq!(piece.sequence, next, "the numbers are dense and come once");
                next += 1;
                bytes.extend(piece.payload);
            }
            Content::Records { gaps: stated, .. } => {
                for (track, from, to) in stated.into_iter().filter(|(track, ..)| track.camera == "front") {
                    assert_eq!((from, track.kind), (next, 1));
                    next = to;
                    gaps.push((from, to));
                }
            }
            Content::Piece(_) | Content::Checkpoint { .. } => {}
        }
    }
    (bytes, gaps)
}

fn all(files: impl IntoIterator<Item = u64>) -> Vec<u8> {
    files.into_iter().flat_map(|number| content(number, bytes(number))).collect()
}

/// Put in unknown, made known, taken; a later file, a restart, the card pulled and put back: nothing comes twice.
pub fn life() -> Stage {
    let (mut stage, site) = appliance();
    stage.world.machines.insert_card(site, SLOT, card(1, 0..6));
    stage.pass(5);
    assert_eq!(stage.times(site, "card-unknown"), 1);
    assert_eq!(taken(&stage, site).0.len(), 0, "nothing is taken of a card that nobody knows");
    add(&mut stage, site);
    stage.pass(20);
    assert_eq!(status(&mut stage, site)["state"], "taken");
    assert!(taken(&stage, site) == (all(0..6), Vec::new()));
    // The camera goes on; the newest file waits until it was not touched for long.
    write(stage.world.machines.card_mut(site, SLOT).unwrap(), 6);
    stage.pass(60);
    assert!(taken(&stage, site) == (all(0..7), Vec::new()));
    stage.power_cut(site);
    stage.boot(site);
    stage.pass(60);
    assert!(
        taken(&stage, site) == (all(0..7), Vec::new()),
        "after a restart nothing comes twice"
    );
    let pulled = stage.world.machines.pull_card(site, SLOT).unwrap();
    stage.pass(5);
    assert_eq!(status(&mut stage, site)["state"], "away");
    stage.world.machines.insert_card(site, "/dev/sdb1", pulled);
    stage.pass(60);
    assert_eq!(status(&mut stage, site)["path"], "/dev/sdb1", "it is found in another reader");
    assert!(
        taken(&stage, site) == (all(0..7), Vec::new()),
        "in another reader it is the same card"
    );
    stage.ask(site, "Card.Remove", json!({ "name": "dash" }));
    stage.pass(2);
    stage
}

/// Pulled, and the power cut, again and again while files are taken: in the end all of them are there once.
pub fn interrupted() -> Stage {
    let (mut stage, site) = appliance();
    stage.world.machines.insert_card(site, SLOT, card(1, 0..25));
    stage.pass(1);
    add(&mut stage, site);
    for turn in 0..12u64 {
        stage.world.run_for(SECOND_NS / 50 * (1 + turn % 5));
        if turn % 3 == 0 {
            stage.power_cut(site);
            stage.boot(site);
        } else {
            let card = stage.world.machines.pull_card(site, SLOT).unwrap();
            stage.world.run_for(SECOND_NS / 10);
            stage.world.machines.insert_card(site, SLOT, card);
        }
    }
    stage.pass(60);
    assert!(taken(&stage, site) == (all(0..25), Vec::new()));
    stage
}

/// The camera deletes a file while it is read and writes over its place; another one vanishes before its turn.
pub fn overwritten() -> Stage {
    let (mut stage, site) = appliance();
    let mut slow = card(1, 0..3);
    slow.write("DCIM/10.mp4", YESTERDAY_NS + 3_600_000_000_000, &content(10, 3_000_000));
    slow.write("DCIM/11.mp4", YESTERDAY_NS + 7_200_000_000_000, &content(11, 100_000));
    slow.write("DCIM/12.mp4", YESTERDAY_NS + 9_200_000_000_000, &content(12, 50_000));
    stage.world.machines.insert_card(site, SLOT, slow);
    stage.pass(1);
    add(&mut stage, site);
    let patience = 20_000;
    for _ in 0..patience {
        stage.world.run_for(SECOND_NS / 1000);
        let (bytes, _) = taken(&stage, site);
        if bytes.len() > all(0..3).len() + 300_000 {
            break;
        }
    }
    let card = stage.world.machines.card_mut(site, SLOT).unwrap();
    card.files.remove("DCIM/10.mp4").unwrap();
    card.files.remove("DCIM/11.mp4").unwrap();
    stage.pass(60);
    let (bytes, gaps) = taken(&stage, site);
    let mut expected = all(0..3);
    expected.extend(content(10, 3_000_000));
    let kept = bytes.iter().zip(&expected).take_while(|(one, other)| one == other).count();
    assert!(
        kept > all(0..3).len() && kept < expected.len(),
        "{kept} bytes are as they were"
    );
    assert!(
        bytes[kept..] == content(12, 50_000),
        "nothing of what was written over it is there"
    );
    assert_eq!(gaps.len(), 2, "the rest of the one, all of the other: {gaps:?}");
    stage
}

/// A file is written anew while it is read; one cannot be read; folders are damaged.
pub fn changed() -> Stage {
    let (mut stage, site) = appliance();
    let mut troubled = card(1, 0..2);
    troubled.write("DCIM/10.mp4", YESTERDAY_NS + 3_600_000_000_000, &content(10, 2_000_000));
    write(&mut troubled, 3);
    troubled.files.get_mut(&path(3)).unwrap().unreadable = true;
    troubled.damage.push("folder /DCIM/102 has a loop in its clusters".into());
    stage.world.machines.insert_card(site, SLOT, troubled);
    stage.pass(1);
    add(&mut stage, site);
    for _ in 0..20_000 {
        stage.world.run_for(SECOND_NS / 1000);
        if taken(&stage, site).0.len() > all(0..2).len() + 200_000 {
            break;
        }
    }
    let card = stage.world.machines.card_mut(site, SLOT).unwrap();
    card.write("DCIM/10.mp4", YESTERDAY_NS + 3_700_000_000_000, &content(20, 2_500_000));
    stage.pass(120);
    let (bytes, gaps) = taken(&stage, site);
    assert_eq!(gaps.len(), 1, "the rest of the first content: {gaps:?}");
    assert!(bytes.ends_with(&content(20, 2_500_000)), "the second one is another file");
    let listed = status(&mut stage, site);
    assert_eq!(listed["files_unreadable"], 1, "{listed}");
    stage
}

/// A file that grows while it waits is one file, and nothing of it is missing.
#[test]
fn a_file_that_grows_is_no_gap() {
    let (mut stage, site) = appliance();
    stage.world.machines.insert_card(site, SLOT, card(1, 0..2));
    stage.pass(1);
    add(&mut stage, site);
    for turn in 1..6 {
        let grown = content(10, turn * 100_000);
        let now_ns = YESTERDAY_NS + 23 * 3_600_000_000_000 + turn as i64 * 60_000_000_000;
        let card = stage.world.machines.card_mut(site, SLOT).unwrap();
        card.write("DCIM/10.mp4", now_ns, &grown);
        stage.pass(60);
    }
    stage.pass(700);
    let expected = [all(0..2), content(10, 500_000)].concat();
    assert!(taken(&stage, site) == (expected, Vec::new()));
}

/// The same card twice, another file system behind the same number, another card at a path.
pub fn strangers() -> Stage {
    let (mut stage, site) = appliance();
    let mut first = card(1, 0..3);
    first.facts.serial = "0".repeat(31) + "1";
    stage.world.machines.insert_card(site, SLOT, first.clone());
    stage.pass(1);
    add(&mut stage, site);
    stage.pass(5);
    let mut copy = first.clone();
    copy.facts.same_as = 77;
    copy.facts.serial = "0".repeat(31) + "2";
    write(&mut copy, 9);
    stage.world.machines.insert_card(site, "/dev/sdb1", copy.clone());
    stage.pass(60);
    assert_eq!(stage.times(site, "card-cloned"), 1);
    stage.world.machines.pull_card(site, SLOT);
    stage.world.machines.pull_card(site, "/dev/sdb1");
    stage.pass(1);
    stage.world.machines.insert_card(site, SLOT, copy);
    stage.pass(60);
    assert_eq!(stage.times(site, "card-cloned"), 2, "other registers, the same file system");
    assert!(taken(&stage, site) == (all(0..3), Vec::new()), "nothing of the copy is taken");
    // A card that is found by its path.
    stage.world.machines.insert_card(site, "/images/door", card(5, 0..0));
    let door = json!({ "name": "door", "archive": "lobby", "path": "/images/door", "patterns": ["%c/*.mp4"] });
    stage.ask(site, "Card.Add", door);
    stage.pass(2);
    stage.world.machines.pull_card(site, "/images/door");
    stage.world.machines.insert_card(site, "/images/door", card(6, 0..0));
    stage.pass(120);
    stage
}

/// A cut-over names the cards that it leaves; removed and added again they are taken into the new archive.
#[test]
fn a_cut_over_names_the_cards_that_stay() {
    let mut stage = Stage::new();
    let site = stage.add_bare("lobby", 8 * SLOTS, "append");
    stage.add_archive(site, "new", 8 * SLOTS);
    stage.world.machines.insert_card(site, SLOT, SimCard::new(1));
    add(&mut stage, site);
    let told = stage.ask(site, "Archive.CutOver", json!({ "from": "lobby", "to": "new" }));
    assert_eq!(told["cards"], json!(["dash"]), "{told}");
    assert_eq!(status(&mut stage, site)["archive"], "lobby");
    stage.ask(site, "Card.Remove", json!({ "name": "dash" }));
    stage.pass(2);
    let card = json!({ "name": "dash", "archive": "new", "path": SLOT, "patterns": ["DCIM/*.mp4"], "camera": "front" });
    stage.ask(site, "Card.Add", card);
    let told = stage.ask(site, "Archive.CutOver", json!({ "from": "lobby", "to": "new" }));
    assert_eq!(told["cards"], json!([]), "{told}");
    write(stage.world.machines.card_mut(site, SLOT).unwrap(), 0);
    stage.pass(60);
    let taken = status(&mut stage, site);
    assert_eq!((&taken["archive"], &taken["files"]), (&"new".into(), &1.into()), "{taken}");
}
