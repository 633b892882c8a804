//! A device freezes: nothing else does, and when it goes on so does hauling. A device dies: its archive is offline and says so, nothing on
//! it is taken for damage, and when it is back everything acknowledged is there.

use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;

use crate::errors::{explained, waits_for_target};
use crate::faulty::FaultyDisk;
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, create, create_file, events, wait_until};
use crate::stream::{blocks, export, record, same};

const VOLUME_BYTES: u64 = 32 << 20;
const BLOCKS: usize = 24;
/// Another archive of the appliance whose device fails.
const OTHER: &str = "other";

/// A stage whose target has two archives, one of them on a device that can fail. Fields are dropped in this order.
struct Two {
    stage: Stage,
    disk: FaultyDisk,
    recorded: Vec<u8>,
}

impl Two {
    /// The first blocks are there already.
    fn set() -> Result<Two> {
        let stage = Stage::set()?;
        let disk = FaultyDisk::new(stage.folder.path(), "disk", VOLUME_BYTES)?;
        create_file(&stage.source, CARD, ("32MiB", "ring"))?;
        create_file(&stage.target, OTHER, ("32MiB", "append"))?;
        create(&stage.target, VAULT, &disk.path(), &[])?;
        stage.haul()?;
        let recorded = blocks(0, BLOCKS);
        record(&stage.source, CARD, CAMERA, &recorded)?;
        stage.caught_up()?;
        Ok(Two { stage, disk, recorded })
    }

    /// Records at the source: what the target's device does is nothing to it.
    fn record(&mut self, part: u32) -> Result<()> {
        let more = blocks(part, BLOCKS);
        self.recorded.extend(&more);
        record(&self.stage.source, CARD, CAMERA, &more)
    }

    /// The appliance with the failing device answers, and its other archive takes blocks.
    fn others_go_on(&self) -> Result<()> {
        answers(&self.stage.target)?;
        record(&self.stage.target, OTHER, "cam2", &blocks(9, BLOCKS))
    }

    fn has_everything(&self) -> Result<()> {
        self.stage.caught_up()?;
        let (ended, bytes) = export(&self.stage.target, VAULT, &self.stage.folder.path().join("out"))?;
        assert_eq!(ended.exit, 0, "{ended:?}");
        same("the target", &bytes, &self.recorded)?;
        for archive in [VAULT, OTHER] {
            let verified = ask(&self.stage.target, &["archive", "verify", archive])?;
            assert_eq!(verified.exit, 0, "{archive}: {verified:?}");
        }
        assert_eq!(self.stage.job_field(JOB, "gaps")?, 0);
        Ok(())
    }
}

/// The control socket answers within a second. Of some calls the fastest: the machine may be busy, and a socket that waits for a device would
/// keep all of them waiting.
fn answers(at: &Appliance) -> Result<()> {
    let mut fastest = Duration::MAX;
    for _ in 0..5 {
        for call in [&["status"][..], &["archive", "info", VAULT]] {
            let begun = Instant::now();
            at.call(call)?;
            fastest = fastest.min(begun.elapsed());
        }
    }
    assert!(fastest < Duration::from_secs(1), "the fastest answer took {fastest:?}");
    Ok(())
}

#[test]
fn a_frozen_device_holds_up_nothing_but_itself() -> Result<()> {
    let mut two = Two::set()?;
    two.disk.freeze()?;
    two.record(1)?;
    wait_until("blocks to wait for the frozen device", || {
        let of = |field| Ok::<_, String>(archive_field(&two.stage.target, VAULT, field)?.as_u64());
        Ok(of("head")? > of("durable")?)
    })?;
    two.others_go_on()?;
    two.record(2)?;
    assert!(two.stage.job_field(JOB, "backlog_blocks")?.as_u64() > Some(0));
    two.disk.thaw()?;
    two.has_everything()
}

#[test]
fn a_device_that_dies_at_the_target_comes_back_with_everything() -> Result<()> {
    let mut two = Two::set()?;
    two.disk.die();
    two.record(1)?;
    is_offline(&two.stage.target, VAULT)?;
    explained(&two.stage.target, "archive-offline")?;
    waits_for_target(&two.stage)?;
    two.others_go_on()?;
    two.record(2)?;
    two.stage.target.stop()?;
    two.disk.plug_in()?;
    two.stage.target.start()?;
    two.has_everything()
}

#[test]
fn a_device_that_dies_at_the_source_is_no_damage() -> Result<()> {
    let mut stage = Stage::set()?;
    let mut disk = FaultyDisk::new(stage.folder.path(), "disk", VOLUME_BYTES)?;
    create(&stage.source, CARD, &disk.path(), &["--mode", "ring"])?;
    create_file(&stage.target, VAULT, ("32MiB", "append"))?;
    let recorded = blocks(0, BLOCKS);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    disk.die();
    stage.haul()?;
    is_offline(&stage.source, CARD)?;
    let told = events(&stage.source, "block-unreadable")?;
    assert!(told.is_empty(), "blocks of a dead device were called damaged: {told:?}");
    stage.source.stop()?;
    disk.plug_in()?;
    stage.source.start()?;
    stage.caught_up()?;
    let (ended, bytes) = export(&stage.target, VAULT, &stage.folder.path().join("out"))?;
    assert_eq!((ended.exit, stage.job_field(JOB, "gaps")?), (0, 0.into()), "{ended:?}");
    same("the target", &bytes, &recorded)?;
    drop((stage, disk));
    Ok(())
}

fn is_offline(at: &Appliance, archive: &str) -> Result<()> {
    wait_until("the archive to be offline", || {
        Ok(archive_field(at, archive, "state")? == "offline")
    })
    .map_err(|why| format!("{why}: {:?}", at.call(&["archive", "info", archive])))
}
