//! From the camera to the store and on to a third appliance, and back: the third one's own camera comes to the store the other way.
//! The one in the middle is killed on the way. Each block is everywhere once, under the origin in which it was recorded, and none
//! comes back to where it was recorded.

use std::fs;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::{Appliance, free_address};
use blockhaul_tests::client::Client;

use crate::reader;
use crate::stage::{CAMERA, CARD, Stage, VAULT, archive_field, create, create_file, programs, wait_until};
use crate::stream::{blocks, export, record, same};

const FAR: &str = "far";
const YARD: &str = "yard";

/// A job that hauls everything always, with the grant that it needs.
fn haul(stage: &Stage, name: &str, from: (&Client, &str, &str), to: (&Client, &str, &str)) -> Result<()> {
    let token =
        to.0.text(&["grant", "create", "--peer", from.1, "--archive", to.2], "token")?;
    let file = stage.folder.path().join(format!("token-{name}"));
    fs::write(&file, token).map_err(|error| error.to_string())?;
    let (file, target) = (file.display().to_string(), format!("{}/{}", to.1, to.2));
    let words = [
        "job",
        "create",
        name,
        "--from",
        from.2,
        "--to",
        &target,
        "--mode",
        "always",
        "--token-file",
        &file,
    ];
    from.0.call(&words).map(drop)
}

fn tracks(at: &Client, archive: &str) -> Result<u64> {
    Ok(archive_field(at, archive, "tracks")?.as_u64().unwrap_or_default())
}

#[test]
fn a_chain_and_both_ways() -> Result<()> {
    let mut stage = Stage::set()?;
    create_file(&stage.source, CARD, ("32MiB", "append"))?;
    let listen = free_address()?;
    let mut far = Appliance::new("far", stage.folder.path(), &programs()?, Some(listen))?;
    far.start()?;
    create_file(&far, FAR, ("64MiB", "append"))?;
    create(
        &stage.target,
        VAULT,
        &stage.target.folder().join("volume"),
        &["--size", "64MiB"],
    )?;
    let (far_key, store_key) = (
        far.text(&["identity"], "fingerprint")?,
        stage.target.text(&["identity"], "fingerprint")?,
    );
    stage
        .target
        .call(&["peer", "add", FAR, "--route", &listen.to_string(), "--key", &far_key])?;
    let back = stage.network.address().to_string();
    far.call(&["peer", "add", "store", "--route", &back, "--key", &store_key])?;
    haul(&stage, "up", (&stage.source, "camera", CARD), (&stage.target, "store", VAULT))?;
    haul(&stage, "on", (&stage.target, "store", VAULT), (&far, FAR, FAR))?;
    haul(&stage, "back", (&far, FAR, FAR), (&stage.target, "store", VAULT))?;

    let (gate, yard) = (blocks(0, 150), blocks(1, 60));
    record(&far, FAR, YARD, &yard)?;
    record(&stage.source, CARD, CAMERA, &gate)?;
    // The one in the middle, with blocks of both on the way.
    wait_until("the first blocks in the middle", || Ok(stage.target.taken(VAULT)? > 20))?;
    stage.target.kill();
    stage.target.start()?;
    let caught_up = |at: &Client, job: &str| -> Result<()> {
        at.call(&["job", "kick", job])?;
        at.call(&["job", "wait", job, "--for", "caught-up", "--timeout", "40s"])
            .map(drop)
    };
    caught_up(&stage.source, "up")?;
    caught_up(&far, "back")?;
    caught_up(&stage.target, "on")?;
    wait_until("both cameras at both ends", || {
        Ok(tracks(&far, FAR)? == 2 && tracks(&stage.target, VAULT)? == 2)
    })?;
    caught_up(&stage.target, "on")?;

    let out = stage.folder.path().join("out");
    for (at, archive) in [(&*stage.target, VAULT), (&*far, FAR)] {
        let (ended, bytes) = export(at, archive, &out)?;
        assert_eq!(ended.exit, 0, "{ended:?}");
        same(archive, &bytes, &gate)?;
        let shown = out.display().to_string();
        at.call(&["export", "--archive", archive, "--camera", YARD, "--force", "-o", &shown])?;
        same(archive, &fs::read(&out).map_err(|error| error.to_string())?, &yard)?;
    }
    let origin = archive_field(&stage.source, CARD, "uuid")?;
    let info = far.call(&["archive", "info", FAR])?;
    let gate_there = info["tracks"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|track| track["camera"] == CAMERA);
    assert_eq!(gate_there.map(|track| &track["origin"]), Some(&origin), "{info}");
    assert_eq!(
        tracks(&stage.source, CARD)?,
        1,
        "nothing comes to a card that nobody hauls to"
    );
    let count = |volume: &std::path::Path| -> Result<usize> { Ok(reader::read(volume)?.len()) };
    far.stop()?;
    stage.target.stop()?;
    for folder in [far.folder(), stage.target.folder()] {
        assert_eq!(count(&folder.join("volume"))?, 150 + 60, "each block is there once");
    }
    Ok(())
}
