//! A real block device fails reads, writes and flushes. What cannot be read is named and becomes a gap, and nothing else is lost; what could
//! not be written is written again, or the archive takes nothing more and says so until the device is well.

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;
use serde_json::Value;

use crate::faulty::{Fault, FaultyDisk};
use crate::reader;
use crate::stage::{CAMERA, CARD, JOB, Stage, VAULT, archive_field, ask, create, create_file, events, wait_until};
use crate::stream::{PAYLOAD_BYTES, blocks, export, record, same};
use crate::volume::slot;

const VOLUME_BYTES: u64 = 32 << 20;
const BLOCKS: usize = 24;
/// Somewhere within a payload.
const WITHIN_BYTES: u64 = 20_000;

/// A stage whose target has its archive on a device that can fail. Fields are dropped in this order.
struct Target {
    stage: Stage,
    disk: FaultyDisk,
    recorded: Vec<u8>,
}

impl Target {
    /// The first blocks are there already.
    fn set() -> Result<Target> {
        let stage = Stage::set()?;
        let disk = FaultyDisk::new(stage.folder.path(), "disk", VOLUME_BYTES)?;
        create_file(&stage.source, CARD, ("32MiB", "ring"))?;
        create(&stage.target, VAULT, &disk.path(), &[])?;
        stage.haul()?;
        let mut target = Target {
            stage,
            disk,
            recorded: Vec::new(),
        };
        target.record(0)?;
        target.stage.caught_up()?;
        Ok(target)
    }

    fn record(&mut self, part: u32) -> Result<()> {
        let more = blocks(part, BLOCKS);
        self.recorded.extend(&more);
        record(&self.stage.source, CARD, CAMERA, &more)
    }

    /// A place that the archive will write soon.
    fn ahead(&self) -> Result<u64> {
        let head = archive_field(&self.stage.target, VAULT, "head")?.as_u64();
        Ok(slot(head.ok_or("no head")? + 5) + WITHIN_BYTES)
    }

    /// Everything is there once, and whole.
    fn has_everything(mut self) -> Result<()> {
        self.stage.caught_up()?;
        let (ended, bytes) = export(&self.stage.target, VAULT, &self.stage.folder.path().join("out"))?;
        assert_eq!(ended.exit, 0, "{ended:?}");
        same("the target", &bytes, &self.recorded)?;
        let verified = ask(&self.stage.target, &["archive", "verify", VAULT])?;
        assert_eq!(verified.exit, 0, "{verified:?}");
        assert_eq!(self.stage.job_field(JOB, "gaps")?, 0);
        self.stage.target.stop()?;
        let found = reader::sequences(&reader::read(&self.disk.image())?);
        let wanted: Vec<u64> = (0..found.len() as u64).collect();
        assert_eq!(found, wanted, "every block once and in order");
        Ok(())
    }

    /// A fault that passes: the group is written again.
    fn survives(mut self, fault: Fault) -> Result<()> {
        self.disk.arm(&[fault.once()])?;
        self.record(1)?;
        self.stage.caught_up()?;
        let rewritten = events(&self.stage.target, "group-rewritten")?;
        assert_eq!(rewritten.len(), 1, "{rewritten:?}");
        assert_eq!(archive_field(&self.stage.target, VAULT, "state")?, "ready");
        self.has_everything()
    }

    /// A fault that stays: the archive is read-only until the device is well and the daemon has been started again.
    fn stops_and_goes_on(mut self, fault: Fault) -> Result<()> {
        self.disk.arm(&[fault])?;
        self.record(1)?;
        let target = &self.stage.target;
        wait_until("the archive to be read-only", || {
            Ok(archive_field(target, VAULT, "state")? == "read-only")
        })?;
        explained(target, "archive-read-only")?;
        waits_for_target(&self.stage)?;
        // What is there can still be read, and the camera goes on.
        let (_, bytes) = export(target, VAULT, &self.stage.folder.path().join("early"))?;
        let early = bytes.len().min(self.recorded.len());
        assert!(early >= BLOCKS * PAYLOAD_BYTES, "only {early} bytes are left");
        same("while the device fails", &bytes, &self.recorded[..early])?;
        self.record(2)?;
        self.stage.target.stop()?;
        self.disk.plug_in()?;
        self.stage.target.start()?;
        self.has_everything()
    }
}

/// An archive that does not take blocks says why and what to do, and an event names it.
pub fn explained(at: &Appliance, code: &str) -> Result<()> {
    let (why, action) = (archive_field(at, VAULT, "why")?, archive_field(at, VAULT, "action")?);
    assert!(
        why.as_str() > Some("") && action.as_str() > Some(""),
        "no reason or no next step: {why} {action}"
    );
    let told = events(at, code)?;
    let named = |event: &Value| event.to_string().contains(VAULT);
    assert!(told.len() == 1 && told.iter().all(named), "{told:?}");
    Ok(())
}

/// The job says why it does not go on, and what to do about it.
pub fn waits_for_target(stage: &Stage) -> Result<()> {
    let mut seen = Value::Null;
    wait_until("the job to say why it waits", || {
        seen = stage.source.call(&["job", "show", JOB])?["job"].clone();
        Ok(seen["why"].as_str() > Some("") && seen["action"].as_str() > Some(""))
    })
    .map_err(|why| format!("{why}; it is {seen}\n{}", stage.last_words()))
}

#[test]
fn unreadable_blocks_are_named_gaps_and_no_others_are_lost() -> Result<()> {
    let stage = Stage::set()?;
    let mut disk = FaultyDisk::new(stage.folder.path(), "disk", VOLUME_BYTES)?;
    create(&stage.source, CARD, &disk.path(), &["--mode", "ring"])?;
    create_file(&stage.target, VAULT, ("32MiB", "append"))?;
    let recorded = blocks(0, BLOCKS);
    record(&stage.source, CARD, CAMERA, &recorded)?;
    let there = reader::read(&disk.image())?;
    let at = |track_sequence: usize| there[track_sequence].log_sequence;
    // A payload, a header, and a payload that reads well when it is read again.
    disk.arm(&[
        Fault::read(slot(at(5)) + WITHIN_BYTES),
        Fault::read(slot(at(17)) + 100),
        Fault::read(slot(at(9)) + WITHIN_BYTES).once(),
    ])?;
    stage.haul()?;
    stage.caught_up()?;

    let told = events(&stage.source, "block-unreadable")?;
    let sentences: Vec<&str> = told.iter().filter_map(|event| event["sentence"].as_str()).collect();
    let names = |sequence: u64| sentences.iter().any(|words| words.starts_with(&format!("Block {sequence} ")));
    assert!(told.len() == 2 && names(at(5)) && names(at(17)), "{told:?}");
    assert_eq!(archive_field(&stage.source, CARD, "state")?, "degraded");
    let gaps = stage.target.call(&["gaps", "--archive", VAULT, "--camera", CAMERA])?;
    let gaps = gaps["gaps"].as_array().cloned().unwrap_or_default();
    let ranges: Vec<_> = gaps.iter().map(|gap| (gap["from"].as_u64(), gap["to"].as_u64())).collect();
    assert_eq!(ranges, [(Some(5), Some(6)), (Some(17), Some(18))], "{gaps:?}");
    assert!(gaps.iter().all(|gap| gap["what"] == "damaged"), "{gaps:?}");
    let pieces = recorded.chunks(PAYLOAD_BYTES).enumerate();
    let whole: Vec<u8> = pieces
        .filter(|(at, _)| ![5, 17].contains(at))
        .flat_map(|(_, piece)| piece.to_vec())
        .collect();
    for (at, archive) in [(&stage.source, CARD), (&stage.target, VAULT)] {
        let (ended, bytes) = export(at, archive, &stage.folder.path().join("out"))?;
        assert_eq!(ended.exit, 3, "{archive}: {ended:?}");
        same(archive, &bytes, &whole)?;
    }
    let verified = ask(&stage.source, &["archive", "verify", CARD])?;
    let damaged = verified.said["damaged"].as_array().cloned().unwrap_or_default();
    let named: Vec<_> = damaged.iter().filter_map(|damage| damage["log_sequence"].as_u64()).collect();
    assert_eq!((verified.exit, named), (14, vec![at(5), at(17)]), "{verified:?}");
    assert_eq!(ask(&stage.target, &["archive", "verify", VAULT])?.exit, 0);
    drop((stage, disk));
    Ok(())
}

#[test]
fn a_write_error_that_passes_costs_nothing() -> Result<()> {
    let target = Target::set()?;
    let place = target.ahead()?;
    target.survives(Fault::write(place))
}

#[test]
fn a_write_error_that_stays_makes_the_archive_read_only() -> Result<()> {
    let target = Target::set()?;
    let place = target.ahead()?;
    target.stops_and_goes_on(Fault::write(place))
}

#[test]
fn a_flush_error_that_passes_costs_nothing() -> Result<()> {
    Target::set()?.survives(Fault::flush())
}

#[test]
fn a_flush_error_that_stays_makes_the_archive_read_only() -> Result<()> {
    Target::set()?.stops_and_goes_on(Fault::flush())
}
