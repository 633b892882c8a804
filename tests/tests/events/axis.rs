//! Stories of cards of Axis cameras: what the documents beside their recordings say, and what happens without them.

use drivers_sim::{SimCard, SiteId};
use serde_json::json;

use crate::card::{SLOT, appliance, content, status, taken};
use crate::stage::Stage;

/// The camera's zone is an hour ahead of UTC: names say 23, documents say 22. Two days before the clocks of the simulation begin.
const FOLDER: &str = "20261118/23/20261118_230000_AB12_ACCC8E000001";
/// 2026-11-18 22:00, UTC.
const BEGIN_NS: i64 = 1_795_039_200_000_000_000;
const MINUTE_NS: i64 = 60_000_000_000;

fn stem(number: u64) -> String {
    format!("{FOLDER}/20261118_23/20261118_23{number:02}00_{number:04X}")
}

fn bytes(number: u64) -> Vec<u8> {
    content(number, 20_000 + number as usize * 33_333)
}

/// A film of a minute; its document if it is to have one.
fn film(card: &mut SimCard, number: u64, status: Option<&str>) {
    let modified_ns = BEGIN_NS + (number as i64 + 1) * MINUTE_NS;
    card.write(&format!("{}.mkv", stem(number)), modified_ns, &bytes(number));
    if let Some(status) = status {
        document(card, number, status);
    }
}

fn document(card: &mut SimCard, number: u64, status: &str) {
    let stem = stem(number);
    let token = stem.rsplit('/').next().unwrap();
    let stop = match status {
        "Complete" => format!("<StopTime>2026-11-18T22:{:02}:00.500000Z</StopTime>", number + 1),
        _ => String::new(),
    };
    let text = format!(
        "<RecordingBlock RecordingBlockToken=\"{token}\" ><StartTime>2026-11-18T22:{number:02}:00.250000Z</StartTime>{stop}\
         <Status>{status}</Status></RecordingBlock>"
    );
    card.write(&format!("{stem}.xml"), BEGIN_NS, text.as_bytes());
}

fn recording(card: &mut SimCard, source: u32) {
    let token = FOLDER.rsplit('/').next().unwrap();
    let text = format!("<Recording RecordingToken=\"{token}\" ><SourceToken>{source}</SourceToken></Recording>");
    card.write(&format!("{FOLDER}/recording.xml"), BEGIN_NS, text.as_bytes());
}

fn add(stage: &mut Stage, site: SiteId) {
    let patterns = ["%Y%m%d/*/*/*/%Y%m%d_%H%M%S_*.mkv"];
    let card =
        json!({ "name": "dash", "archive": "lobby", "path": SLOT, "patterns": patterns, "camera": "front", "sidecars": "axis" });
    stage.ask(site, "Card.Add", card);
}

fn all(files: impl IntoIterator<Item = u64>) -> Vec<u8> {
    files.into_iter().flat_map(bytes).collect()
}

/// A recording that is open waits; one without its document is taken by its name and named; whatever becomes of the documents later,
/// nothing comes twice.
pub fn documents() -> Stage {
    let (mut stage, site) = appliance();
    let mut card = SimCard::new(1);
    recording(&mut card, 1);
    for number in 0..4 {
        film(&mut card, number, Some("Complete"));
    }
    // Cut short, and none at all.
    let path = format!("{}.xml", stem(1));
    card.write(&path, BEGIN_NS, b"<RecordingBlock RecordingBlockToken=");
    card.files.remove(&format!("{}.xml", stem(2)));
    film(&mut card, 4, Some("Recording"));
    stage.world.machines.insert_card(site, SLOT, card);
    stage.pass(1);
    add(&mut stage, site);
    stage.pass(20);
    // Those that go by their names are an hour late.
    let expected = all([0, 3, 1, 2]);
    assert!(taken(&stage, site) == (expected.clone(), Vec::new()));
    let told = status(&mut stage, site);
    assert_eq!(
        (&told["state"], &told["files_waiting"]),
        (&"taken".into(), &1.into()),
        "{told}"
    );
    assert_eq!(stage.times(site, "card-sidecar-missing"), 1);

    // The camera closes the open one, which has grown; a damaged document can be read now, and a good one cannot.
    let grown = content(4, 222_222);
    let card = stage.world.machines.card_mut(site, SLOT).unwrap();
    card.write(&format!("{}.mkv", stem(4)), BEGIN_NS + 5 * MINUTE_NS, &grown);
    document(card, 4, "Complete");
    document(card, 1, "Complete");
    card.files.get_mut(&format!("{}.xml", stem(3))).unwrap().unreadable = true;
    stage.pass(60);
    let expected = [expected, grown].concat();
    assert!(taken(&stage, site) == (expected.clone(), Vec::new()));
    for turn in 0..2 {
        let pulled = stage.world.machines.pull_card(site, SLOT).unwrap();
        stage.pass(5);
        if turn == 1 {
            stage.power_cut(site);
            stage.boot(site);
            stage.pass(5);
        }
        stage.world.machines.insert_card(site, SLOT, pulled);
        stage.pass(120);
        assert_eq!(status(&mut stage, site)["state"], "taken");
        assert!(taken(&stage, site) == (expected.clone(), Vec::new()), "nothing comes twice");
    }
    stage
}

/// Cut off: nobody closes it any more. It is taken when nothing has happened to it for ten times as long.
#[test]
fn a_recording_that_stays_open_is_taken_in_the_end() {
    let (mut stage, site) = appliance();
    let mut card = SimCard::new(1);
    recording(&mut card, 1);
    film(&mut card, 0, Some("Recording"));
    stage.world.machines.insert_card(site, SLOT, card);
    stage.pass(1);
    add(&mut stage, site);
    stage.pass(500);
    assert!(taken(&stage, site).0.is_empty());
    stage.pass(200);
    assert!(taken(&stage, site) == (bytes(0), Vec::new()));
    assert_eq!(stage.times(site, "card-sidecar-missing"), 0);
}

/// Each lens of a camera is a camera of its own.
#[test]
fn the_source_of_a_recording_is_in_the_name_of_its_camera() {
    let (mut stage, site) = appliance();
    let mut card = SimCard::new(1);
    recording(&mut card, 4);
    film(&mut card, 0, Some("Complete"));
    stage.world.machines.insert_card(site, SLOT, card);
    stage.pass(1);
    add(&mut stage, site);
    stage.pass(20);
    let info = stage.ask(site, "Archive.Info", json!({ "name": "lobby" }));
    let tracks = info["tracks"].as_array().unwrap();
    let track = tracks.iter().find(|track| track["camera"] == "front-4");
    assert!(track.is_some(), "{info}");
}
