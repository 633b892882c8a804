//! A camera comes into an archive from one source: a second one is refused, and the holder is named.

use blockhaul_tests::stage::{SLOTS, Stage};
use drivers_sim::SiteId;
use serde_json::{Value, json};

fn job(stage: &mut Stage, site: SiteId) -> (String, String) {
    let job = stage.ask(site, "Job.Show", json!({ "name": "out" }))["job"].take();
    let word = |field: &str| job[field].as_str().unwrap().to_owned();
    (word("state"), word("why"))
}

/// Origins of the tracks that the vault has blocks of.
fn tracks(stage: &mut Stage, vault: SiteId) -> usize {
    let info = stage.ask(vault, "Archive.Info", json!({ "name": "vault" }));
    let tracks = info["tracks"].as_array().unwrap();
    tracks.iter().filter(|track| track["next"].as_u64() > Some(0)).count()
}

#[test]
fn a_second_source_of_a_camera_waits_and_names_the_first() {
    let mut stage = Stage::new();
    let (lobby, yard) = (stage.add("lobby", SLOTS, "ring"), stage.add("yard", SLOTS, "ring"));
    let vault = stage.add_bare("vault", 4 * SLOTS, "append");
    let always = json!({ "mode": "always", "cameras": ["gate"] });
    for (site, name) in [(lobby, "lobby"), (yard, "yard")] {
        stage.meet((site, name), (vault, "vault"));
        stage.haul((site, name), (vault, "vault"), &[], &always);
        stage.record(site, 2);
    }
    stage.pass(5);
    assert_eq!(job(&mut stage, lobby).0, "caught-up");
    let (state, why) = job(&mut stage, yard);
    assert!(
        state == "waiting" && why.contains("gate") && why.contains("peer lobby"),
        "{state}: {why}"
    );
    assert_eq!(tracks(&mut stage, vault), 1);

    // The first one leaves: the second has its turn.
    stage.ask(lobby, "Job.Disable", json!({ "name": "out" }));
    stage.pass(60);
    assert_eq!(job(&mut stage, yard), ("caught-up".into(), String::new()));
    assert_eq!(tracks(&mut stage, vault), 2, "what the first one brought stays");

    // Nor may the vault record it meanwhile.
    let recorder = json!({ "name": "door", "archive": "vault", "camera": "gate", "listen": "/run/door" });
    let why = stage.refused(vault, "Recorder.Create", recorder.clone());
    assert!(why.contains("yard") && why.contains("gate"), "{why}");
    stage.ask(yard, "Job.Disable", json!({ "name": "out" }));
    stage.pass(1);
    stage.ask(vault, "Recorder.Create", recorder);
    stage.ask(yard, "Job.Enable", json!({ "name": "out" }));
    stage.pass(10);
    let (state, why) = job(&mut stage, yard);
    assert!(state == "waiting" && why.contains("recorder door"), "{state}: {why}");
    let grant = json!({ "peer": "yard", "archive": "vault", "cameras": ["hall", "gate"] });
    let why = stage.refused(vault, "Grant.Create", grant);
    assert!(why.contains("recorder door"), "{why}");
}

#[test]
fn a_second_job_for_a_camera_names_the_first() {
    let mut stage = Stage::new();
    let lobby = stage.add("lobby", SLOTS, "ring");
    let vault = stage.add_bare("vault", SLOTS, "append");
    stage.add_archive(lobby, "spare", SLOTS);
    stage.meet((lobby, "lobby"), (vault, "vault"));
    stage.haul((lobby, "lobby"), (vault, "vault"), &[], &json!({ "mode": "always" }));
    let recorder = json!({ "name": "again", "archive": "spare", "camera": "gate", "listen": "/run/again" });
    stage.ask(lobby, "Recorder.Create", recorder);
    let token = "00".repeat(32);
    let second = |cameras: &[&str]| -> Value {
        json!({ "name": "two", "from": "spare", "peer": "vault", "archive": "vault", "cameras": cameras, "mode": "always", "token": token })
    };
    for cameras in [&["gate"][..], &[]] {
        let why = stage.refused(lobby, "Job.Create", second(cameras));
        assert!(why.contains("gate") && why.contains("job out"), "{why}");
    }
    stage.ask(lobby, "Job.Create", second(&["hall"]));
    // The camera is recorded in one of the two only: the other has its past.
    stage.ask(lobby, "Job.Disable", json!({ "name": "two" }));
    stage.ask(lobby, "Job.Delete", json!({ "name": "two" }));
    stage.ask(lobby, "Recorder.Remove", json!({ "name": "again" }));
    stage.ask(lobby, "Job.Create", second(&["gate"]));
}
