//! A recording with damaged blocks is hauled and exported with a manifest. An independent program, written from `docs/formats.md`, checks file and
//! manifest; it notices a byte that was changed in either.

use std::fs;
use std::path::Path;
use std::process::Command;

use blockhaul_tests::Result;
use blockhaul_tests::picture::Picture;
use blockhaul_tests::programs::tree;

use crate::reader;
use crate::stage::{CAMERA, CARD, Stage, VAULT, archive_field, ask, wait_until};
use crate::stream::record;
use crate::volume::{flip, slot};

const PACKET_BYTES: usize = 188;

/// Runs the check: what it printed if all is well, what it says if not.
fn check(manifest: &Path, file: &Path) -> std::result::Result<String, String> {
    let script = tree().join("tests/manifest.py");
    let output = Command::new("python3").arg(script).arg(manifest).arg(file).output();
    let output = output.map_err(|error| format!("python3 cannot be run: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}

#[test]
fn an_export_is_what_its_manifest_says() -> Result<()> {
    let mut stage = Stage::with_files(("10MiB", "append"), ("10MiB", "append"))?;
    let mut picture = Picture::new(640, 360, 25);
    let stream: Vec<u8> = (0..60).flat_map(|_| picture.frame()).collect();
    assert!(stream.len() > 20 * 65_536, "{} bytes", stream.len());
    record(&stage.source, CARD, CAMERA, &stream)?;
    stage.caught_up()?;
    stage.target.stop()?;
    let image = stage.target.folder().join("volume");
    let there = reader::read(&image)?;
    for number in [5, 6, 17] {
        let block = there
            .iter()
            .find(|block| block.track_sequence == number)
            .ok_or("a block is not there")?;
        flip(&image, slot(block.log_sequence) + 4096 + 9)?;
    }
    stage.target.start()?;
    wait_until("the archive to be ready", || {
        Ok(archive_field(&stage.target, VAULT, "state")? != "indexing")
    })?;

    let folder = stage.folder.path();
    let (file, manifest) = (folder.join("out.ts"), folder.join("out.manifest"));
    let (out, beside) = (file.display().to_string(), manifest.display().to_string());
    let export = [
        "export",
        "--archive",
        VAULT,
        "--camera",
        CAMERA,
        "-o",
        &out,
        "--manifest",
        &beside,
    ];
    let ended = ask(&stage.target, &export)?;
    assert_eq!((ended.exit, &ended.said["missing"]), (3, &3.into()), "{ended:?}");
    let told = check(&manifest, &file)?;
    assert!(told.contains("\"good\": true") && told.contains("\"holes\": "), "{told}");

    // What stands in the holes: null packets and announced jumps, whole packets all along, and never zeros.
    let bytes = fs::read(&file).map_err(|error| error.to_string())?;
    assert_eq!(bytes.len() % PACKET_BYTES, 0);
    let packets: Vec<&[u8]> = bytes.chunks(PACKET_BYTES).collect();
    assert!(packets.iter().all(|packet| packet[0] == 0x47), "whole packets");
    let null = packets
        .iter()
        .filter(|packet| packet[1] & 0x1f == 0x1f && packet[2] == 0xff)
        .count();
    let jumps = packets
        .iter()
        .filter(|packet| packet[3] & 0x30 == 0x20 && packet[5] & 0x80 != 0)
        .count();
    assert!(null == 2 && jumps >= 2, "{null} null packets and {jumps} jumps in two holes");

    // Nobody changes the one or the other unnoticed.
    flip(&file, 100_000)?;
    let why = check(&manifest, &file).expect_err("a byte of the file was changed");
    assert!(why.contains("the payload in the file is another one"), "{why}");
    flip(&file, 100_000)?;
    let text = fs::read_to_string(&manifest).map_err(|error| error.to_string())?;
    let without: String = text
        .lines()
        .filter(|line| !line.contains("\"track_sequence\":9}"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(without.len() < text.len());
    fs::write(&manifest, without).map_err(|error| error.to_string())?;
    check(&manifest, &file).expect_err("a block was taken out of the manifest");
    Ok(())
}
