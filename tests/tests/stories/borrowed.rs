//! The link of a camera is down and its plug is pulled. Its card is put into a reader at another appliance, write-protected, which hauls to the
//! store what the camera had not. The card goes back, not a byte of it changed, and the camera goes on: each block is at the store once.

use std::fs;

use blockhaul_tests::Result;
use blockhaul_tests::appliance::{Appliance, free_address};

use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, create, create_file, programs, refused, wait_until};
use crate::stream::{blocks, export, record, same};
use crate::volume::{Loop, blank, hash};

/// The card's name in the appliance with the reader.
const BORROWED: &str = "lobby-card";

#[test]
fn a_card_in_another_appliance_is_the_same_source_and_stays_as_it_is() -> Result<()> {
    let mut stage = Stage::set()?;
    let folder = stage.folder.path().to_owned();
    let (image, slot) = (folder.join("card.img"), folder.join("slot"));
    blank(&image, 32 << 20)?;
    let plug = |device: &Loop| {
        let _ = fs::remove_file(&slot);
        std::os::unix::fs::symlink(&device.device, &slot).map_err(|error| error.to_string())
    };
    let in_camera = Loop::attach(&image)?;
    plug(&in_camera)?;
    create(&stage.source, CARD, &slot, &["--mode", "ring"])?;
    create_file(&stage.target, VAULT, ("64MiB", "append"))?;
    stage.haul()?;
    let (before, during, after) = (blocks(0, 40), blocks(1, 70), blocks(2, 20));
    record(&stage.source, CARD, CAMERA, &before)?;
    stage.caught_up()?;
    stage.source.call(&["job", "disable", JOB])?;
    record(&stage.source, CARD, CAMERA, &during)?;
    let uuid = archive_field(&stage.source, CARD, "uuid")?;
    stage.source.kill();
    drop(in_camera);

    let written = hash(&image)?;
    let in_reader = Loop::attach_protected(&image)?;
    let mut kiosk = Appliance::new("kiosk", &folder, &programs()?, Some(free_address()?))?;
    kiosk.start()?;
    let device = in_reader.device.display().to_string();
    let nothing = folder.join("nothing");
    blank(&nothing, 16 << 20)?;
    let open = |volume: &str, more: &[&'static str]| -> Vec<String> {
        let words = [&["archive", "open", BORROWED, "--volume", volume], more].concat();
        words.into_iter().map(str::to_owned).collect()
    };
    let refuse = |words: &[String], exit: i32, word: &str| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        refused(&kiosk, &words, exit, word)
    };
    refuse(&open(&nothing.display().to_string(), &["--read-only"]), 10, "no archive")?;
    let wrong = ["--read-only", "--uuid", "01234567-89ab-4cde-8f01-23456789abcd"];
    refuse(&open(&device, &wrong), 12, "holds archive")?;
    refuse(&open(&device, &[]), 12, "write-protected")?;
    let words = open(&device, &["--read-only"]);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let opened = kiosk.call(&words)?;
    assert_eq!(opened["archive"]["uuid"], uuid, "{opened}");
    assert_eq!(opened["archive"]["state"], "ready", "{opened}");
    refused(&kiosk, &words, 12, "already")?;
    let listen = folder.join("door").display().to_string();
    let recorder = [
        "recorder",
        "create",
        "r",
        "--archive",
        BORROWED,
        "--camera",
        CAMERA,
        "--listen",
        &listen,
    ];
    refused(&kiosk, &recorder, 12, "only read")?;
    assert!(
        record(&kiosk, BORROWED, CAMERA, &before).is_err(),
        "nothing is recorded into it"
    );
    kiosk.call(&["archive", "verify", BORROWED])?;

    let (kiosk_key, store_key) = (
        kiosk.text(&["identity"], "fingerprint")?,
        stage.target.text(&["identity"], "fingerprint")?,
    );
    let route = stage.network.address().to_string();
    stage.target.call(&["peer", "add", "kiosk", "--key", &kiosk_key])?;
    kiosk.call(&["peer", "add", "store", "--route", &route, "--key", &store_key])?;
    let grant = ["grant", "create", "--peer", "kiosk", "--archive", VAULT, "--camera", CAMERA];
    let token = folder.join("token-kiosk");
    fs::write(&token, stage.target.text(&grant, "token")?).map_err(|error| error.to_string())?;
    let token = token.display().to_string();
    let job = [
        "job",
        "create",
        "lend",
        "--from",
        BORROWED,
        "--to",
        "store/vault",
        "--mode",
        "on-demand",
        "--token-file",
        &token,
    ];
    kiosk.call(&job)?;
    kiosk.call(&["job", "run", "lend", "--wait", "--timeout", "40s"])?;
    let lent = kiosk.call(&["job", "show", "lend"])?["job"].take();
    assert_eq!(
        (&lent["blocks"], &lent["duplicates"]),
        (&70.into(), &0.into()),
        "only what the camera had not hauled: {lent}"
    );
    let out = folder.join("out");
    for (at, archive) in [(&*kiosk, BORROWED), (&*stage.target, VAULT)] {
        let (ended, bytes) = export(at, archive, &out)?;
        assert_eq!(ended.exit, 0, "{ended:?}");
        same(archive, &bytes, &[&before[..], &during].concat())?;
    }
    // A restart opens it in the same way.
    kiosk.stop()?;
    kiosk.start()?;
    wait_until("the card in the reader, after a restart", || {
        Ok(archive_field(&kiosk, BORROWED, "state")? == "ready")
    })?;
    kiosk.call(&["job", "disable", "lend"])?;
    kiosk.call(&["job", "delete", "lend"])?;
    kiosk.call(&["archive", "remove", BORROWED])?;
    kiosk.stop()?;
    drop(in_reader);
    assert_eq!(hash(&image)?, written, "not a byte of the card has changed");

    let back = Loop::attach(&image)?;
    plug(&back)?;
    stage.source.start()?;
    wait_until("the card in its camera", || {
        Ok(archive_field(&stage.source, CARD, "state")? == "ready")
    })?;
    record(&stage.source, CARD, CAMERA, &after)?;
    stage.source.call(&["job", "enable", JOB])?;
    stage.caught_up()?;
    let (ended, bytes) = export(&stage.target, VAULT, &out)?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same(VAULT, &bytes, &[&before[..], &during, &after].concat())?;
    stage.source.stop()?;
    stage.target.stop()?;
    let there = reader::read(&stage.target.folder().join("volume"))?;
    assert_eq!(there.len(), 130, "each block is there once");
    Ok(())
}
