//! An archive is taken out of the configuration: refused while something uses it, and nothing on its volume changes.

use blockhaul_tests::site::VOLUME;
use blockhaul_tests::stage::{SLOTS, Stage};
use serde_json::json;

#[test]
fn an_archive_leaves_with_its_volume_as_it_is_and_comes_back_by_a_document() {
    let mut stage = Stage::new();
    let yard = stage.add("yard", SLOTS, "ring");
    let vault = stage.add_bare("vault", 2 * SLOTS, "append");
    stage.meet((yard, "yard"), (vault, "vault"));
    stage.haul((yard, "yard"), (vault, "vault"), &[], &json!({ "mode": "always" }));
    stage.record(yard, 3);
    stage.pass(5);
    let remove = json!({ "name": "yard" });
    let why = stage.refused(yard, "Archive.Remove", remove.clone());
    assert!(why.contains("job out") && why.contains("recorder gate"), "{why}");
    let why = stage.refused(vault, "Archive.Remove", json!({ "name": "vault" }));
    assert!(why.contains("grant"), "{why}");
    let why = stage.refused(yard, "Archive.Remove", json!({ "name": "barn" }));
    assert!(why.contains("no archive barn"), "{why}");

    stage.ask(yard, "Job.Disable", json!({ "name": "out" }));
    stage.ask(yard, "Job.Delete", json!({ "name": "out" }));
    let recorder = stage.ask(yard, "Recorder.List", json!({}))["recorders"][0]["name"].take();
    stage.ask(yard, "Recorder.Remove", json!({ "name": recorder }));
    let document = stage.ask(yard, "Config.Export", json!({ "secrets": true }))["document"].take();
    // Its superblock says how far it is durable once it has been idle for a while.
    stage.pass(90);
    let disk = stage.disk(yard);
    let before = stage.world.machines.disk(disk).durable().clone();
    stage.ask(yard, "Archive.Remove", remove);
    stage.pass(5);
    assert_eq!(stage.ask(yard, "Archive.List", json!({}))["archives"], json!([]));
    assert!(
        stage
            .refused(yard, "Archive.Info", json!({ "name": "yard" }))
            .contains("no archive yard")
    );
    assert!(before == *stage.world.machines.disk(disk).durable(), "the volume has changed");

    // It stays away over a start, and comes back with all that it has.
    stage.power_cut(yard);
    stage.boot(yard);
    assert_eq!(stage.ask(yard, "Archive.List", json!({}))["archives"], json!([]));
    stage.ask(yard, "Config.Apply", json!({ "document": document }));
    stage.pass(5);
    let info = stage.ask(yard, "Archive.Info", json!({ "name": "yard" }));
    assert_eq!(info["tracks"][0]["next"], 3, "{info}");
}

#[test]
fn one_that_comes_back_keeps_to_its_retention_without_a_restart() {
    for by_document in [true, false] {
        let mut stage = Stage::new();
        let yard = stage.add("yard", SLOTS, "append");
        stage.record(yard, 3 * SLOTS / 4);
        let recorder = stage.ask(yard, "Recorder.List", json!({}))["recorders"][0]["name"].take();
        stage.ask(yard, "Recorder.Remove", json!({ "name": recorder }));
        let document = stage.ask(yard, "Config.Export", json!({ "secrets": true }))["document"].take();
        stage.ask(yard, "Archive.Remove", json!({ "name": "yard" }));
        stage.pass(5);
        if by_document {
            stage.ask(yard, "Config.Apply", json!({ "document": document }));
        } else {
            stage.ask(yard, "Archive.Open", json!({ "name": "yard", "volume": VOLUME }));
        }
        stage.pass(5);
        let retention = json!({ "archive": "yard", "retention": { "max_bytes": 1 } });
        stage.ask(yard, "Retention.Set", retention);
        stage.pass(5);
        let info = stage.ask(yard, "Archive.Info", json!({ "name": "yard" }));
        assert!(
            info["archive"]["oldest"].as_u64() > Some(0),
            "by document: {by_document}; {info}"
        );
    }
}
