//! Tenants: the source's table decides what its jobs take, the target's what its grants let in, and a change acts on live links.

use blockhaul_tests::stage::{SLOTS, Stage};
use drivers_sim::SiteId;
use serde_json::{Value, json};

/// Blocks of each camera that the vault has.
fn blocks(stage: &mut Stage, vault: SiteId, camera: &str) -> u64 {
    let info = stage.ask(vault, "Archive.Info", json!({ "name": "vault" }));
    let tracks = info["tracks"].as_array().unwrap();
    let of = tracks.iter().filter(|track| track["camera"] == camera);
    of.map(|track| track["next"].as_u64().unwrap()).sum()
}

/// A yard with the cameras `gate` and `hall`, and a vault; they know each other.
fn stage() -> (Stage, SiteId, SiteId) {
    let mut stage = Stage::new();
    let yard = stage.add("yard", SLOTS, "ring");
    let vault = stage.add_bare("vault", 4 * SLOTS, "append");
    let hall = json!({ "name": "hall", "archive": "yard", "camera": "hall", "listen": "/run/hall" });
    stage.ask(yard, "Recorder.Create", hall);
    stage.meet((yard, "yard"), (vault, "vault"));
    (stage, yard, vault)
}

fn record(stage: &mut Stage, yard: SiteId) {
    for camera in ["gate", "hall"] {
        stage.feed(yard, camera, 1);
    }
    stage.pass(5);
}

/// A job from the yard to the vault, each with its own scope.
fn haul(stage: &mut Stage, (yard, job): (SiteId, Value), (vault, grant): (SiteId, Value)) {
    let token = stage.ask(
        vault,
        "Grant.Create",
        json!({ "peer": "yard", "archive": "vault", "tenants": grant }),
    )["token"]
        .take();
    let said = json!({ "name": "out", "from": "yard", "peer": "vault", "archive": "vault", "mode": "always", "tenants": job, "token": token });
    stage.ask(yard, "Job.Create", said);
}

#[test]
fn a_job_takes_the_cameras_of_its_tenants_also_those_that_come_later() {
    let (mut stage, yard, vault) = stage();
    stage.ask(yard, "Tenant.Create", json!({ "name": "acme", "cameras": ["gate"] }));
    haul(&mut stage, (yard, json!(["acme"])), (vault, json!([])));
    record(&mut stage, yard);
    assert_eq!((blocks(&mut stage, vault, "gate"), blocks(&mut stage, vault, "hall")), (1, 0));
    let job = stage.ask(yard, "Job.Show", json!({ "name": "out" }))["job"].take();
    assert_eq!((&job["state"], &job["tenants"]), (&json!("caught-up"), &json!(["acme"])));

    stage.ask(
        yard,
        "Tenant.Change",
        json!({ "name": "acme", "add": ["hall"], "drop": ["gate"] }),
    );
    record(&mut stage, yard);
    stage.pass(30);
    assert_eq!(
        (blocks(&mut stage, vault, "gate"), blocks(&mut stage, vault, "hall")),
        (1, 2),
        "what came once stays; the new camera comes with its past"
    );
    let tenants = stage.ask(yard, "Tenant.List", json!({}))["tenants"].take();
    assert_eq!(
        tenants,
        json!([{ "name": "acme", "cameras": ["hall"], "jobs": ["out"], "grants": [] }])
    );
}

#[test]
fn the_target_lets_in_the_cameras_of_its_grants_tenants_only() {
    let (mut stage, yard, vault) = stage();
    stage.ask(vault, "Tenant.Create", json!({ "name": "acme", "cameras": ["gate"] }));
    haul(&mut stage, (yard, json!([])), (vault, json!(["acme"])));
    record(&mut stage, yard);
    assert_eq!((blocks(&mut stage, vault, "gate"), blocks(&mut stage, vault, "hall")), (1, 0));
    assert!(stage.times(vault, "scope-violation") > 0);

    // The camera changes hands on the link that is up.
    stage.ask(vault, "Tenant.Change", json!({ "name": "acme", "drop": ["gate"] }));
    stage.ask(vault, "Tenant.Create", json!({ "name": "bank", "cameras": ["gate"] }));
    stage.ask(vault, "Tenant.Change", json!({ "name": "acme", "add": ["hall"] }));
    record(&mut stage, yard);
    stage.pass(60);
    assert_eq!((blocks(&mut stage, vault, "gate"), blocks(&mut stage, vault, "hall")), (1, 2));
}

#[test]
fn what_cannot_be_is_refused_and_the_holder_named() {
    let (mut stage, yard, vault) = stage();
    stage.ask(yard, "Tenant.Create", json!({ "name": "acme", "cameras": ["gate"] }));
    stage.ask(yard, "Tenant.Create", json!({ "name": "bank" }));
    let refused = |stage: &mut Stage, method: &str, parameters: Value, words: &[&str]| {
        let why = stage.refused(yard, method, parameters);
        assert!(words.iter().all(|word| why.contains(word)), "{method}: {why}");
    };
    let second = json!({ "name": "bank", "add": ["gate"] });
    refused(
        &mut stage,
        "Tenant.Change",
        second,
        &["Camera gate belongs to tenant acme already."],
    );
    refused(
        &mut stage,
        "Tenant.Create",
        json!({ "name": "shop", "cameras": ["gate"] }),
        &["tenant acme"],
    );
    refused(
        &mut stage,
        "Tenant.Create",
        json!({ "name": "acme" }),
        &["tenant acme already"],
    );
    refused(
        &mut stage,
        "Tenant.Change",
        json!({ "name": "acme", "drop": ["hall"] }),
        &["hall", "does not belong"],
    );
    refused(&mut stage, "Tenant.Remove", json!({ "name": "shop" }), &["no tenant shop"]);
    let grant = json!({ "peer": "vault", "archive": "yard", "tenants": ["shop"] });
    refused(&mut stage, "Grant.Create", grant, &["no tenant shop"]);
    let grant = json!({ "peer": "vault", "archive": "yard", "tenants": ["acme"] });
    refused(&mut stage, "Grant.Create", grant, &["Camera gate", "recorder"]);

    haul(&mut stage, (yard, json!(["acme"])), (vault, json!([])));
    refused(
        &mut stage,
        "Tenant.Remove",
        json!({ "name": "acme" }),
        &["Tenant acme", "job out"],
    );
    let token = "00".repeat(32);
    let job = |name: &str, cameras: Value, tenants: Value| json!({ "name": name, "from": "yard", "peer": "vault", "archive": "vault", "mode": "always", "cameras": cameras, "tenants": tenants, "token": token });
    refused(
        &mut stage,
        "Job.Create",
        job("two", json!(["gate"]), json!([])),
        &["Job out", "same cameras"],
    );
    stage.ask(yard, "Job.Create", job("two", json!([]), json!(["bank"])));
    stage.ask(yard, "Job.Create", job("three", json!(["hall"]), json!([])));
    refused(
        &mut stage,
        "Tenant.Change",
        json!({ "name": "bank", "add": ["hall"] }),
        &["Job three", "same cameras"],
    );
}

#[test]
fn a_document_moves_a_camera_from_tenant_to_tenant() {
    let (mut stage, yard, vault) = stage();
    stage.ask(yard, "Tenant.Create", json!({ "name": "acme", "cameras": ["gate"] }));
    stage.ask(yard, "Tenant.Create", json!({ "name": "bank", "cameras": ["hall"] }));
    haul(&mut stage, (yard, json!(["acme"])), (vault, json!([])));
    record(&mut stage, yard);
    let mut document = stage.ask(yard, "Config.Export", json!({ "secrets": false }))["document"]
        .as_str()
        .unwrap()
        .to_owned();
    for (old, new) in [
        ("cameras = [\"gate\"]", "cameras = [\"hall\", \"yard\"]"),
        (
            "name = \"bank\"\ncameras = [\"hall\"]",
            "name = \"shop\"\ncameras = [\"gate\"]",
        ),
    ] {
        assert!(document.contains(old), "{document}");
        document = document.replacen(old, new, 1);
    }
    stage.ask(yard, "Config.Apply", json!({ "document": document }));
    record(&mut stage, yard);
    stage.pass(30);
    assert_eq!((blocks(&mut stage, vault, "gate"), blocks(&mut stage, vault, "hall")), (1, 2));
    let tenants = stage.ask(yard, "Tenant.List", json!({}))["tenants"].take();
    let names: Vec<&str> = tenants
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["acme", "shop"]);
}
