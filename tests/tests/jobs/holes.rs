//! A job with the period `offline`: what the target did not record itself, and nothing twice.

use std::collections::BTreeSet;

use blockhaul_tests::reader::{Content, block, geometry};
use blockhaul_tests::stage::{SLOTS, Stage};
use drivers_sim::SiteId;
use serde_json::{Value, json};

use crate::target::numbers;

/// `vault` records camera `gate`; so does `card`, whose job brings to the vault what is not there.
struct Scene {
    stage: Stage,
    card: SiteId,
    vault: SiteId,
}

fn scene(mode: &str, margin_ms: u64, wait_ms: u64) -> Scene {
    let mut stage = Stage::new();
    let card = stage.add("card", 4 * SLOTS, "append");
    let vault = stage.add("vault", 8 * SLOTS, "append");
    stage.meet((card, "card"), (vault, "vault"));
    let period = json!({ "of": "offline", "margin_ms": margin_ms, "wait_ms": wait_ms });
    let said = json!({ "mode": mode, "plan": { "period": period } });
    stage.haul((card, "card"), (vault, "vault"), &[], &said);
    stage.pass(1);
    Scene { stage, card, vault }
}

impl Scene {
    /// A second of the camera's stream, taken by these.
    fn second(&mut self, by: &[SiteId]) {
        for site in by {
            self.stage.feed(*site, "gate", 1);
        }
        self.stage.pass(1);
    }

    fn seconds(&mut self, number: u64, by: &[SiteId]) {
        (0..number).for_each(|_| self.second(by));
    }

    fn run(&mut self) -> Value {
        self.stage.ask(self.card, "Job.Run", json!({ "name": "out", "wait": true }))
    }

    /// Track sequences of the card's blocks that are on the vault's disk.
    fn brought(&self) -> BTreeSet<u64> {
        let uuid = |site: SiteId| {
            let disk = self.stage.world.machines.disk(self.stage.disk(site));
            geometry(disk.durable()).unwrap().archive
        };
        let card = uuid(self.card);
        let disk = self.stage.world.machines.disk(self.stage.disk(self.vault));
        let shape = geometry(disk.durable()).unwrap();
        let mut found = BTreeSet::new();
        for block in (0..shape.slots).filter_map(|slot| block(disk.durable(), &shape, slot).ok()) {
            if let Content::Piece(piece) = block.content
                && piece.track.origin == card
            {
                assert!(found.insert(piece.sequence), "block {} is there twice", piece.sequence);
            }
        }
        found
    }

    /// What the vault states as missing of the card's track.
    fn missing(&mut self) -> Vec<(u64, u64, String)> {
        let own = self.stage.ask(self.vault, "Archive.Info", json!({ "name": "vault" }))["archive"]["uuid"].take();
        let all = json!({ "archive": "vault", "camera": "gate" });
        let gaps = self.stage.ask(self.vault, "Archive.Gaps", all)["gaps"].take();
        let theirs = gaps
            .as_array()
            .unwrap()
            .iter()
            .filter(|gap| gap["origin"] != own && gap["from"] != gap["to"]);
        theirs
            .map(|gap| {
                let number = |key: &str| gap[key].as_u64().unwrap();
                (number("from"), number("to"), gap["what"].as_str().unwrap().to_owned())
            })
            .collect()
    }

    fn job(&mut self) -> Value {
        self.stage.ask(self.card, "Job.Show", json!({ "name": "out" }))["job"].take()
    }
}

/// All of the holes came, and nothing but them and what stands at the edge of what the vault recorded, where the clocks of both
/// decide.
fn is_hole(brought: &BTreeSet<u64>, holes: &[(u64, u64)]) {
    let wanted = numbers(holes.iter().flat_map(|(from, to)| *from..*to));
    assert!(brought.is_superset(&wanted), "{brought:?} lacks some of {holes:?}");
    let inner = |number: &&u64| {
        let near = |(from, to): &(u64, u64)| (from - 1..to + 1).contains(number);
        !holes.iter().any(near) && ![0, 27, 28].contains(*number)
    };
    let more: Vec<_> = brought.iter().filter(inner).collect();
    assert!(more.is_empty(), "{more:?} lie in no hole of {holes:?}");
}

#[test]
fn only_what_falls_into_a_hole_comes_and_the_rest_is_stated() {
    let mut scene = scene("on-demand", 0, 600_000);
    let both = [scene.card, scene.vault];
    scene.seconds(10, &both);
    scene.seconds(8, &both[..1]);
    scene.seconds(10, &both);
    assert_eq!(scene.run()["result"], "completed");
    is_hole(&scene.brought(), &[(10, 18)]);
    let missing = scene.missing();
    assert!(
        missing.iter().all(|(.., what)| what == "filtered") && !missing.is_empty(),
        "{missing:?}"
    );
    assert_eq!(scene.stage.times(scene.vault, "gap"), 0, "nothing was lost");

    // A second hole, another run.
    scene.seconds(3, &both);
    scene.seconds(5, &both[..1]);
    scene.seconds(3, &both);
    assert_eq!(scene.run()["result"], "completed");
    is_hole(&scene.brought(), &[(10, 18), (31, 36)]);
    let verified = scene.stage.ask(scene.vault, "Archive.Verify", json!({ "name": "vault" }));
    assert_eq!(verified["damaged"], json!([]), "{verified}");
}

#[test]
fn a_margin_brings_what_is_near_to_a_hole() {
    let mut scene = scene("on-demand", 2_500, 600_000);
    let both = [scene.card, scene.vault];
    scene.seconds(10, &both);
    scene.seconds(8, &both[..1]);
    scene.seconds(12, &both);
    scene.run();
    let brought = scene.brought();
    assert!(brought.is_superset(&numbers(8..20)), "{brought:?}");
    // What is near to the beginning of the vault's recording is near to what it has not.
    assert!(!brought.contains(&5) && !brought.contains(&22), "{brought:?}");
}

#[test]
fn what_may_still_come_is_waited_for_and_not_for_ever() {
    let mut scene = scene("always", 0, 30_000);
    let both = [scene.card, scene.vault];
    scene.seconds(4, &both);
    scene.seconds(3, &both[..1]);
    scene.stage.pass(10);
    assert!(scene.brought().is_empty(), "the vault may only be late");
    assert_eq!(scene.job()["state"], "held");
    scene.stage.pass(30);
    is_hole(&scene.brought(), &[(4, 7)]);
    // A link that was down and came again: the others went past it, and nothing waits.
    scene.seconds(5, &both[..1]);
    scene.seconds(2, &both);
    scene.stage.pass(8);
    is_hole(&scene.brought(), &[(4, 12)]);
}

#[test]
fn it_is_the_same_over_restarts() {
    let mut scene = scene("always", 0, 20_000);
    let both = [scene.card, scene.vault];
    for round in 0..6 {
        scene.seconds(4, &both);
        scene.seconds(5, &both[..1]);
        scene.stage.power_cut(if round % 2 == 0 { scene.card } else { scene.vault });
        let cut = if round % 2 == 0 { scene.card } else { scene.vault };
        scene.stage.pass(1);
        scene.stage.boot(cut);
    }
    scene.seconds(4, &both);
    scene.stage.pass(60);
    let brought = scene.brought();
    let holes = numbers((0..6).flat_map(|round| round * 9 + 4..round * 9 + 9));
    // The last block before a power cut may be lost; it is one of the hole then, and the numbers behind it are one less.
    assert!(brought.len() + 6 >= holes.len(), "{brought:?}");
    let state = scene.job();
    assert_eq!(state["state"], "caught-up", "{state}");
    let info = scene.stage.ask(scene.vault, "Archive.Info", json!({ "name": "vault" }));
    let next: u64 = info["tracks"][1]["next"].as_u64().unwrap();
    let stated: u64 = scene.missing().iter().map(|(from, to, _)| to - from).sum();
    assert_eq!(brought.len() as u64 + stated, next, "every number is there or stated");
}

#[test]
fn a_camera_that_is_recorded_there_may_be_filled_and_not_hauled() {
    let mut scene = scene("always", 100, 5_000);
    let both = [scene.card, scene.vault];
    scene.seconds(3, &both[..1]);
    scene.stage.pass(10);
    assert_eq!(scene.brought().len(), 3, "beside the recorder of the vault");
    // Whoever fills holes holds no camera: another recorder of it may be made.
    let plan = json!({ "name": "out", "plan": {} });
    scene.stage.ask(scene.card, "Job.Switch", plan);
    scene.seconds(2, &both[..1]);
    scene.stage.pass(5);
    let job = scene.job();
    assert!(
        job["state"] == "waiting" && job["why"].as_str().unwrap().contains("recorder gate"),
        "without the period it is a second source: {job}"
    );
    let full = json!({ "of": "offline" });
    let switch = json!({ "name": "out", "plan": { "period": full } });
    scene.stage.ask(scene.card, "Job.Switch", switch);
    let why = scene
        .stage
        .refused(scene.card, "Job.Run", json!({ "name": "out", "full": true }));
    assert!(why.contains("full"), "{why}");
}
