//! Bits turn over on a medium: in a payload, in a header, in superblock copies. `verify` names exactly the block, nothing damaged is ever passed
//! on, and the archive is repaired, only read, or refused, as `docs/formats.md` says.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;
use serde_json::Value;
use tempfile::TempDir;

use crate::reader::{self, Block};
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, create, events, folder, programs, wait_until};
use crate::stream::{PAYLOAD_BYTES, blocks, export, record, same};
use crate::volume::{Loop, blank, flip, hash, slot, superblocks};

const BLOCKS: usize = 40;
/// Where a payload begins in its slot.
const HEADER_BYTES: u64 = 4096;

/// A stopped appliance with an archive on a loop device. Fields are dropped in this order.
struct Card {
    appliance: Appliance,
    device: Loop,
    image: PathBuf,
    recorded: Vec<u8>,
    folder: TempDir,
}

fn card() -> Result<Card> {
    let folder = folder()?;
    let image = folder.path().join("image");
    blank(&image, 16 << 20)?;
    let device = Loop::attach(&image)?;
    let mut appliance = Appliance::new("camera", folder.path(), &programs()?, None)?;
    appliance.start()?;
    create(&appliance, CARD, &device.device, &[])?;
    let recorded = blocks(0, BLOCKS);
    record(&appliance, CARD, CAMERA, &recorded)?;
    appliance.stop()?;
    Ok(Card {
        appliance,
        device,
        image,
        recorded,
        folder,
    })
}

impl Card {
    /// Turns a bit over on the medium.
    fn flip(&self, at: u64) -> Result<()> {
        flip(&self.device.device, at)
    }

    /// Starts the daemon and waits for a state of the archive.
    fn opens_as(&mut self, state: &str) -> Result<()> {
        self.appliance.start()?;
        wait_until(state, || Ok(archive_field(&self.appliance, CARD, "state")? == state))
            .map_err(|why| format!("{why}; {:?}", self.appliance.call(&["archive", "info", CARD])))
    }
}

/// The block with a track sequence.
fn block(blocks: &[Block], track_sequence: u64) -> Result<Block> {
    let found = blocks.iter().find(|block| block.track_sequence == track_sequence);
    found.copied().ok_or_else(|| format!("there is no block {track_sequence}"))
}

/// The recording without some blocks.
fn without(recorded: &[u8], missing: &[usize]) -> Vec<u8> {
    let pieces = recorded.chunks(PAYLOAD_BYTES).enumerate();
    pieces
        .filter(|(at, _)| !missing.contains(at))
        .flat_map(|(_, piece)| piece.to_vec())
        .collect()
}

/// The log sequences that `verify` names.
fn named(verified: &Value) -> Vec<u64> {
    let damaged = verified["damaged"].as_array().into_iter().flatten();
    damaged.filter_map(|damage| damage["log_sequence"].as_u64()).collect()
}

#[test]
fn verify_names_the_block_and_export_leaves_it_out() -> Result<()> {
    let mut card = card()?;
    let there = reader::read(&card.image)?;
    let (payload, header) = (block(&there, 7)?.log_sequence, block(&there, 21)?.log_sequence);
    card.flip(slot(payload) + HEADER_BYTES + 31_337)?;
    card.flip(slot(header) + 300)?;
    card.appliance.start()?;
    wait_until("the archive to be open", || {
        Ok(archive_field(&card.appliance, CARD, "state")? != "indexing")
    })?;
    let verified = ask(&card.appliance, &["archive", "verify", CARD])?;
    assert_eq!(
        (verified.exit, named(&verified.said)),
        (14, vec![payload, header]),
        "{verified:?}"
    );
    assert_eq!(verified.said["good"], BLOCKS - 2, "{verified:?}");
    let (ended, bytes) = export(&card.appliance, CARD, &card.folder.path().join("out"))?;
    assert_eq!((ended.exit, &ended.said["blocks"]), (3, &(BLOCKS - 2).into()), "{ended:?}");
    same("all but the damaged blocks", &bytes, &without(&card.recorded, &[7, 21]))?;
    assert_eq!(archive_field(&card.appliance, CARD, "state")?, "degraded");
    assert_eq!(archive_field(&card.appliance, CARD, "quarantined")?, 2);
    record(&card.appliance, CARD, CAMERA, &blocks(1, 3))?;
    card.appliance.stop()?;
    let left = reader::sequences(&reader::read(&card.image)?);
    let wanted: Vec<u64> = (0..BLOCKS as u64 + 3).filter(|at| ![7, 21].contains(at)).collect();
    assert_eq!(left, wanted, "the independent reader sees the same");
    Ok(())
}

#[test]
fn one_or_two_damaged_superblocks_are_repaired() -> Result<()> {
    for damaged in [&[2][..], &[0, 3]] {
        let mut card = card()?;
        let places = superblocks(&card.image)?;
        for copy in damaged {
            card.flip(places[*copy] + 40)?;
        }
        card.opens_as("ready")?;
        assert_eq!(events(&card.appliance, "superblock-repaired")?.len(), 1, "{damaged:?}");
        let (ended, bytes) = export(&card.appliance, CARD, &card.folder.path().join("out"))?;
        assert_eq!(ended.exit, 0, "{ended:?}");
        same("everything", &bytes, &card.recorded)?;
        card.appliance.stop()?;
        assert!(
            all_the_same(&card.image)?,
            "after the repair of {damaged:?} the four copies differ"
        );
    }
    Ok(())
}

/// Whether all four copies have the same content hash.
fn all_the_same(image: &Path) -> Result<bool> {
    let (file, mut hashes) = (File::open(image).map_err(|error| error.to_string())?, Vec::new());
    for at in superblocks(image)? {
        let mut hash = [0; 32];
        file.read_exact_at(&mut hash, at + 4064).map_err(|error| error.to_string())?;
        hashes.push(hash);
    }
    Ok(hashes.windows(2).all(|pair| pair[0] == pair[1]))
}

#[test]
fn with_one_superblock_left_it_is_read_and_not_written() -> Result<()> {
    let mut card = card()?;
    let places = superblocks(&card.image)?;
    for copy in [0, 1, 3] {
        card.flip(places[copy] + 2_000)?;
    }
    let before = hash(&card.image)?;
    card.opens_as("read-only")?;
    assert_eq!(events(&card.appliance, "superblock-quorum-lost")?.len(), 1);
    let (ended, bytes) = export(&card.appliance, CARD, &card.folder.path().join("out"))?;
    assert_eq!(ended.exit, 0, "{ended:?}");
    same("everything", &bytes, &card.recorded)?;
    card.appliance.stop()?;
    assert_eq!(hash(&card.image)?, before, "a byte was changed");
    Ok(())
}

#[test]
fn without_a_superblock_it_is_refused_and_left_as_it_is() -> Result<()> {
    let mut card = card()?;
    for place in superblocks(&card.image)? {
        card.flip(place + 160)?;
    }
    let before = hash(&card.image)?;
    card.appliance.start()?;
    wait_until("the archive to be refused", || {
        let state = archive_field(&card.appliance, CARD, "state")?;
        Ok(state == "foreign" || state == "offline")
    })?;
    assert!(
        archive_field(&card.appliance, CARD, "why")?.as_str() > Some(""),
        "refused without a reason"
    );
    assert_ne!(
        ask(
            &card.appliance,
            &["export", "--archive", CARD, "--camera", CAMERA, "-o", "/dev/null"]
        )?
        .exit,
        0
    );
    card.appliance.stop()?;
    assert_eq!(hash(&card.image)?, before, "a byte was changed");
    Ok(())
}

#[test]
fn damage_at_the_source_is_a_gap_at_the_target() -> Result<()> {
    let mut stage = Stage::with_files(("32MiB", "ring"), ("32MiB", "append"))?;
    stage.network.cut();
    let recorded = blocks(0, BLOCKS);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    stage.source.stop()?;
    let image = stage.source.folder().join("volume");
    let there = reader::read(&image)?;
    flip(&image, slot(block(&there, 5)?.log_sequence) + HEADER_BYTES + 9)?;
    flip(&image, slot(block(&there, 17)?.log_sequence) + 33)?;
    stage.network.mend();
    stage.source.start()?;
    stage.caught_up()?;

    let gaps = stage.target.call(&["gaps", "--archive", VAULT, "--camera", CAMERA])?;
    let told: Vec<_> = gaps["gaps"].as_array().into_iter().flatten().collect();
    let ranges: Vec<_> = told.iter().map(|gap| (gap["from"].as_u64(), gap["to"].as_u64())).collect();
    assert_eq!(ranges, [(Some(5), Some(6)), (Some(17), Some(18))], "{gaps}");
    assert!(told.iter().all(|gap| gap["what"] == "damaged"), "{gaps}");
    assert_eq!(stage.job_field(JOB, "gaps")?, 2);
    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("out"))?;
    assert_eq!((ended.exit, &ended.said["missing"]), (3, &2.into()), "{ended:?}");
    same("all but the damaged blocks", &bytes, &without(&recorded, &[5, 17]))?;
    assert_eq!(ask(&stage.target, &["archive", "verify", VAULT])?.exit, 0);
    Ok(())
}
