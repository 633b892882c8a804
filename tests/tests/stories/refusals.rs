//! Whoever may not append does not: a wrong key, a wrong token, a camera out of the grant, a token of another archive, a grant that was taken
//! back. Every job that fails says why, the target says who tried, and not a block arrives.

use std::fs;

use blockhaul_tests::Result;

use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, create, create_file, events, wait_until};
use crate::stream::{blocks, record};

/// Source and target with archives and something to haul, and no job.
fn stage() -> Result<Stage> {
    let stage = Stage::set()?;
    create_file(&stage.source, CARD, ("32MiB", "ring"))?;
    create_file(&stage.target, VAULT, ("32MiB", "append"))?;
    record(&stage.source, CARD, CAMERA, &blocks(0, 20))?;
    Ok(stage)
}

fn nothing_arrived(stage: &Stage) -> Result<()> {
    let info = stage.target.call(&["archive", "info", VAULT])?;
    assert_eq!(
        (stage.target.taken(VAULT)?, &info["archive"]["tracks"]),
        (0, &0.into()),
        "{info}"
    );
    Ok(())
}

#[test]
fn a_target_with_another_key_gets_nothing() -> Result<()> {
    let stage = stage()?;
    let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT];
    let token = stage.target.text(&grant, "token")?;
    let (route, key) = (stage.network.address().to_string(), "5a".repeat(32));
    stage
        .source
        .call(&["peer", "add", "impostor", "--route", &route, "--key", &key])?;
    stage.job(JOB, &format!("impostor/{VAULT}"), CAMERA, &token)?;
    let why = stage.job_stops(JOB, "failed")?;
    assert!(why.contains("key"), "{why:?} does not speak of the key");
    nothing_arrived(&stage)
}

#[test]
fn a_source_that_is_not_known_gets_in_nowhere() -> Result<()> {
    let stage = stage()?;
    stage.haul()?;
    stage.caught_up()?;
    let next = stage.target.taken(VAULT)?;
    for grant in stage.target.call(&["grant", "list"])?["grants"]
        .as_array()
        .into_iter()
        .flatten()
    {
        stage
            .target
            .call(&["grant", "revoke", grant["id"].as_str().unwrap_or_default()])?;
    }
    stage.target.call(&["peer", "remove", "camera"])?;
    record(&stage.source, CARD, CAMERA, &blocks(1, 10))?;
    stage.source.call(&["job", "kick", JOB])?;
    stage.job_stops(JOB, "failed")?;
    wait_until("an event at the target", || {
        Ok(!events(&stage.target, "peer-refused")?.is_empty())
    })?;
    assert_eq!(stage.target.taken(VAULT)?, next);
    Ok(())
}

#[test]
fn a_wrong_token_is_refused() -> Result<()> {
    let stage = stage()?;
    stage.job(JOB, &format!("store/{VAULT}"), CAMERA, &"a7".repeat(32))?;
    let why = stage.job_stops(JOB, "failed")?;
    assert!(why.contains("token"), "{why:?} does not speak of the token");
    assert!(
        !events(&stage.target, "peer-refused")?.is_empty(),
        "the target does not say who tried"
    );
    nothing_arrived(&stage)
}

#[test]
fn a_token_for_another_camera_is_a_violation() -> Result<()> {
    let stage = stage()?;
    let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT, "--camera", "cam2"];
    let token = stage.target.text(&grant, "token")?;
    stage.job(JOB, &format!("store/{VAULT}"), CAMERA, &token)?;
    let why = stage.job_stops(JOB, "failed")?;
    assert!(why.contains(CAMERA), "{why:?} does not name the camera");
    assert!(
        !events(&stage.target, "scope-violation")?.is_empty(),
        "the target does not say who tried"
    );
    nothing_arrived(&stage)
}

#[test]
fn a_token_of_another_archive_is_refused() -> Result<()> {
    let stage = stage()?;
    create(
        &stage.target,
        "other",
        &stage.target.folder().join("other"),
        &["--size", "16MiB"],
    )?;
    let grant = ["grant", "create", "--peer", "camera", "--archive", "other"];
    let token = stage.target.text(&grant, "token")?;
    stage.job(JOB, &format!("store/{VAULT}"), CAMERA, &token)?;
    stage.job_stops(JOB, "failed")?;
    assert_eq!(stage.target.taken("other")?, 0);
    nothing_arrived(&stage)
}

#[test]
fn a_grant_that_is_taken_back_closes_the_link() -> Result<()> {
    let stage = stage()?;
    stage.haul()?;
    stage.caught_up()?;
    assert_eq!(stage.job_field(JOB, "link")?, "active");
    let grants = stage.target.call(&["grant", "list"])?;
    let id = grants["grants"][0]["id"].as_str().ok_or("there is no grant")?.to_owned();
    stage.target.call(&["grant", "revoke", &id])?;
    let next = stage.target.taken(VAULT)?;
    record(&stage.source, CARD, CAMERA, &blocks(1, 20))?;
    let why = stage.job_stops(JOB, "failed")?;
    assert!(why.contains("token"), "{why:?} does not speak of the token");
    assert_eq!(
        stage.target.taken(VAULT)?,
        next,
        "a block came with a grant that was taken back"
    );
    let settings = fs::read_to_string(stage.target.folder().join("state/settings.toml")).map_err(|error| error.to_string())?;
    assert!(!settings.contains(&id), "the grant is still in the settings");
    Ok(())
}
