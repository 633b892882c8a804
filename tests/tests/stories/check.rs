//! Cards are checked before they are trusted, on real block devices: a good one, one that says it has twice what it has, one that is
//! in use, one with a switch, one that fails at some places. Nothing on any of them is other than before.

use std::fs;

use blockhaul_tests::Result;

use crate::card::{card, fat32};
use crate::faulty::{Fault, FaultyDisk};
use crate::stage::{CARD, Ended, Stage, ask, create_file, events, refused, wait_until};
use crate::volume::{Loop, Mount, hash, put, system};

const MIB: u64 = 1 << 20;

fn verdict(ended: &Ended, exit: i32, verdict: &str) {
    assert_eq!(
        (ended.exit, ended.said["verdict"].as_str()),
        (exit, Some(verdict)),
        "{ended:?}"
    );
    assert!(
        ended.said["sentence"]
            .as_str()
            .is_some_and(|sentence| sentence.ends_with('.')),
        "{ended:?}"
    );
}

#[test]
fn a_card_is_checked_before_it_is_trusted() -> Result<()> {
    let mut stage = Stage::set()?;
    create_file(&stage.source, CARD, ("24MiB", "append"))?;
    let folder = stage.folder.path().to_owned();
    let tree = folder.join("tree");
    for day in ["2026-11-19", "2026-11-20"] {
        fs::create_dir_all(tree.join(day)).map_err(|error| error.to_string())?;
        fs::write(tree.join(day).join("00-00.mp4"), vec![7; 3_000_000]).map_err(|error| error.to_string())?;
    }
    let image = fat32(&folder, &tree)?;
    let before = hash(&image)?;
    let slot = Loop::attach(&image)?;
    let device = slot.device.display().to_string();
    verdict(&ask(&stage.source, &["card", "check", &device])?, 0, "good");
    let written = ask(&stage.source, &["card", "check", &device, "--write"])?;
    verdict(&written, 0, "good");
    assert!(written.said["writes"]["places"].as_u64() > Some(10), "{written:?}");
    assert_eq!(hash(&image)?, before, "everything is as it was");
    assert_eq!(events(&stage.source, "card-checked")?.len(), 2);

    // A switch on the card.
    system("blockdev", &["--setro", &device])?;
    refused(&stage.source, &["card", "check", &device, "--write"], 12, "not written")?;
    system("blockdev", &["--setrw", &device])?;
    // In use: as a card whose files are taken, as an archive.
    let add = ["card", "add", "street", "--archive", CARD, "--path", &device];
    stage
        .source
        .call(&[&add[..], &["--profile", "openipc", "--camera", "street"]].concat())?;
    wait_until("the card to be looked at", || Ok(card(&stage, "street")?["state"] == "taken"))?;
    refused(&stage.source, &["card", "check", &device, "--write"], 11, "street")?;
    verdict(&ask(&stage.source, &["card", "check", &device])?, 0, "good");
    refused(&stage.source, &["card", "check", "/nowhere"], 10, "nothing")?;
    refused(
        &stage.source,
        &["card", "check", &folder.display().to_string()],
        12,
        "no device",
    )?;
    stage.source.call(&["card", "remove", "street"])?;
    drop(slot);
    assert_eq!(hash(&image)?, before);

    // Mounted.
    let mounted = folder.join("mounted.img");
    system("mke2fs", &["-q", "-t", "ext4", &mounted.display().to_string(), "16M"])?;
    let slot = Loop::attach(&mounted)?;
    let device = slot.device.display().to_string();
    let mount = Mount::read_only(&slot.device, &folder.join("mount"))?;
    refused(&stage.source, &["card", "check", &device, "--write"], 11, "in use")?;
    verdict(&ask(&stage.source, &["card", "check", &device])?, 0, "good");
    drop(mount);
    drop(slot);

    // What one reads of a card that begins again half way.
    let bytes = fs::read(&image).map_err(|error| error.to_string())?;
    let twice = folder.join("twice.img");
    fs::write(&twice, &bytes[..32 * MIB as usize]).map_err(|error| error.to_string())?;
    fs::File::options()
        .write(true)
        .open(&twice)
        .and_then(|file| file.set_len(64 * MIB))
        .map_err(|error| error.to_string())?;
    put(&twice, 32 * MIB, &bytes[..32 * MIB as usize])?;
    let slot = Loop::attach(&twice)?;
    let found = ask(&stage.source, &["card", "check", &slot.device.display().to_string()])?;
    verdict(&found, 14, "counterfeit");
    assert_eq!(found.said["real_bytes"], 32 * MIB, "{found:?}");
    drop(slot);
    stage.source.stop()
}

#[test]
fn places_that_fail_are_named() -> Result<()> {
    let mut stage = Stage::set()?;
    let mut disk = FaultyDisk::new(stage.folder.path(), "disk", 32 * MIB)?;
    let before = hash(&disk.image())?;
    let device = disk.path().display().to_string();
    disk.arm(&[Fault::read(20 * MIB + 70_000)])?;
    let found = ask(&stage.source, &["card", "check", &device])?;
    verdict(&found, 14, "unreadable");
    assert_eq!(found.said["places"].as_array().map(Vec::len), Some(1), "{found:?}");
    // A place that it writes: half a unit behind the beginning of one.
    disk.arm(&[Fault::write(MIB + MIB / 2 + 100)])?;
    let found = ask(&stage.source, &["card", "check", &device, "--write"])?;
    verdict(&found, 14, "not-kept");
    assert_eq!(found.said["writes"]["failed"], 1, "{found:?}");
    // The first sectors are not written.
    disk.arm(&[Fault::write(512)])?;
    verdict(&ask(&stage.source, &["card", "check", &device, "--write"])?, 0, "good");
    stage.source.stop()?;
    assert_eq!(hash(&disk.image())?, before);
    Ok(())
}
