//! Stories of one appliance and its disk.

use blockhaul_tests::site::VOLUME;
use drivers_sim::{DiskModel, Effect, Fault, IoKind, SiteId};
use hal::{IoError, Role};
use serde_json::json;

use crate::stage::{SLOTS, Stage};

fn lobby() -> (Stage, SiteId) {
    let mut stage = Stage::new();
    let site = stage.add("lobby", SLOTS, "append");
    (stage, site)
}

fn verify(stage: &mut Stage, site: SiteId) {
    let call = r#"{"method":"io.blockhaul.Archive.Verify","parameters":{"name":"lobby"},"more":true}"#;
    let caller = stage.world.machines.connect_and_call(site, Role::Admin, call);
    stage.pass(5);
    stage.world.machines.leave(caller);
}

pub fn life() -> Stage {
    let (mut stage, site) = lobby();
    stage.record(site, SLOTS);
    stage.pass(3);
    stage.world.machines.ask_stop(site);
    stage.pass(5);
    stage
}

pub fn bad_blocks() -> Stage {
    let (mut stage, site) = lobby();
    stage.record(site, 3);
    let disk = stage.disk(site);
    let disk = stage.world.machines.disk_mut(disk);
    disk.flip(Stage::slot(0).start + 5000, 1);
    let unreadable = Fault::always(IoKind::Read, Stage::slot(1), Effect::Error(IoError::Media));
    disk.faults.push(unreadable);
    verify(&mut stage, site);
    stage
}

pub fn bad_checkpoint() -> Stage {
    let (mut stage, site) = lobby();
    stage.record(site, 3 * SLOTS / 4);
    let disk = stage.disk(site);
    // The first block of a segment is a checkpoint.
    let disk = stage.world.machines.disk_mut(disk);
    disk.flip(Stage::slot(SLOTS / 2).start + 100, 1);
    let when = json!({ "archive": "lobby", "camera": "gate", "from_utc_ns": 0, "to_utc_ns": i64::MAX });
    let found = stage.ask(site, "Archive.Exists", when);
    assert_eq!(found["answer"], "partly", "who searches does without: {found}");
    stage.pass(1);
    assert_eq!(stage.times(site, "block-corrupt"), 1);
    stage
}

pub fn cut_and_looked_over() -> Stage {
    let (mut stage, site) = lobby();
    stage.record(site, 4);
    stage.world.machines.ask_stop(site);
    stage.pass(5);
    stage.boot(site);
    stage.pass(40);
    assert_eq!(stage.times(site, "looked-over"), 0, "it was closed in order");

    stage.record(site, 1);
    stage.power_cut(site);
    stage.boot(site);
    stage.pass(40);
    assert_eq!(stage.times(site, "looked-over"), 1);

    stage.power_cut(site);
    let disk = stage.disk(site);
    stage.world.machines.disk_mut(disk).flip(Stage::slot(1).start + 5000, 1);
    stage.boot(site);
    assert_eq!(stage.times(site, "verify-failed"), 0, "it is not read at once");
    stage.pass(40);
    assert_eq!(stage.times(site, "verify-failed"), 1, "the neighbour is found");
    stage
}

pub fn bad_superblocks() -> Stage {
    let (mut stage, site) = lobby();
    let (disk, copies) = (stage.disk(site), stage.superblocks(site));
    for bad in [&copies[..1], &copies[1..]] {
        stage.power_cut(site);
        for copy in bad {
            stage.world.machines.disk_mut(disk).flip(*copy + 100, 1);
        }
        stage.boot(site);
    }
    stage
}

pub fn bad_writes() -> Stage {
    let (mut stage, site) = lobby();
    let disk = stage.disk(site);
    let for_good = Fault::always(IoKind::Write, 0..u64::MAX, Effect::Error(IoError::Media));
    let once = Fault {
        times: 1,
        ..for_good.clone()
    };
    for fault in [once, for_good] {
        stage.world.machines.disk_mut(disk).faults.push(fault);
        stage.record(site, 1);
    }
    stage
}

/// A card says that all went well and keeps nothing: nobody is told that a block is durable which is not there.
pub fn keeps_nothing() -> Stage {
    let (mut stage, site) = lobby();
    let disk = stage.disk(site);
    stage.world.machines.disk_mut(disk).model.removable = true;
    stage.power_cut(site);
    stage.boot(site);
    stage.record(site, 3);
    let durable = |stage: &mut Stage| stage.ask(site, "Appliance.Status", json!({}))["archives"][0]["durable"].clone();
    // Once is an accident.
    let lost = Fault::always(IoKind::Write, 0..u64::MAX, Effect::Nothing);
    let once = Fault {
        times: 1,
        ..lost.clone()
    };
    stage.world.machines.disk_mut(disk).faults.push(once);
    stage.record(site, 1);
    assert_eq!(
        (stage.times(site, "write-not-kept"), stage.times(site, "group-rewritten")),
        (1, 1)
    );
    let before = durable(&mut stage);
    let flushes = Fault::always(IoKind::Flush, 0..u64::MAX, Effect::Nothing);
    stage.world.machines.disk_mut(disk).faults.extend([lost, flushes]);
    stage.record(site, 3);
    assert_eq!(durable(&mut stage), before, "nothing is claimed that is not there");
    assert_eq!(
        (stage.times(site, "write-not-kept"), stage.times(site, "archive-read-only")),
        (3, 1)
    );
    let status = stage.ask(site, "Appliance.Status", json!({}));
    assert_eq!(status["archives"][0]["state"], "read-only", "{status}");
    stage
}

/// How often the superblock is written while a slow camera records: on a card hardly ever besides the checkpoints.
#[test]
fn superblocks_are_seldom_written_on_cards() {
    let generations = |is_card: bool| {
        let mut stage = Stage::new();
        let site = stage.add("lobby", 2048, "ring");
        let disk = stage.disk(site);
        stage.world.machines.disk_mut(disk).model.removable = is_card;
        stage.power_cut(site);
        stage.boot(site);
        let at = stage.superblocks(site)[0];
        let generation = |stage: &Stage| {
            let bytes = stage.world.machines.disk(disk).durable().bytes(at, 40);
            u64::from_le_bytes(bytes[32..].try_into().unwrap())
        };
        let before = generation(&stage);
        // A block every five seconds for twenty minutes; segments are of 256 blocks.
        for _ in 0..240 {
            stage.record(site, 1);
            stage.pass(4);
        }
        generation(&stage) - before
    };
    assert_eq!((generations(false), generations(true)), (20, 2));
}

pub fn taken_out() -> Stage {
    let (mut stage, site) = lobby();
    let disk = stage.disk(site);
    stage.world.machines.take_disk(disk);
    stage.record(site, 1);
    stage.world.machines.return_disk(disk);
    stage.pass(1);
    stage
}

pub fn another_volume() -> Stage {
    let (mut stage, site) = lobby();
    let own = stage.disk(site);
    let model = stage.world.machines.disk(own).model.clone();
    let blank = DiskModel {
        serial: "another".into(),
        ..model
    };
    let other = stage.world.machines.add_disk(site, "/dev/other", blank);
    stage.power_cut(site);
    stage.world.machines.plug(site, VOLUME, other);
    stage.boot(site);
    stage.power_cut(site);
    stage.world.machines.plug(site, VOLUME, own);
    stage.world.machines.disk_mut(own).model.size_bytes -= 4096;
    stage.boot(site);
    stage
}

pub fn old_superblocks() -> Stage {
    let (mut stage, site) = lobby();
    let (disk, copies) = (stage.disk(site), stage.superblocks(site));
    let before = stage.world.machines.disk(disk).snapshot();
    stage.power_cut(site);
    stage.boot(site);
    stage.record(site, 1);
    stage.power_cut(site);
    for copy in copies {
        stage.world.machines.disk_mut(disk).roll_back(&before, copy..copy + 4096);
    }
    stage.boot(site);
    stage
}

pub fn torn_tail() -> Stage {
    let (mut stage, site) = lobby();
    stage.add_recorder(site, "lobby", "hall");
    let disk = stage.disk(site);
    // Both blocks are on their way before either is durable; the first one is lost.
    stage.world.machines.hang_disk(disk);
    stage.feed(site, "gate", 1);
    stage.feed(site, "hall", 1);
    stage.pass(1);
    let lost = Fault::always(IoKind::Write, Stage::slot(0), Effect::Nothing);
    stage.world.machines.disk_mut(disk).faults.push(lost);
    stage.world.machines.release_disk(disk);
    // Long enough for the flush, too short for a superblock that says what is durable.
    stage.world.run_for(500_000_000);
    stage.world.machines.disk_mut(disk).faults.clear();
    stage.power_cut(site);
    stage.boot(site);
    stage
}

pub fn foreign_block() -> Stage {
    let (mut stage, site) = lobby();
    stage.record(site, 2);
    stage.power_cut(site);
    let disk = stage.disk(site);
    let disk = stage.world.machines.disk_mut(disk);
    let header = disk.durable().bytes(Stage::slot(1).start, 4096);
    disk.overwrite(Stage::slot(5).start, &header);
    stage.boot(site);
    stage.record(site, 1);
    stage
}

pub fn silence() -> Stage {
    let mut stage = Stage::new();
    let site = stage.add("lobby", 8 * SLOTS, "append");
    let disk = stage.disk(site);
    stage.world.machines.hang_disk(disk);
    // More than the memory holds, and less than the archive.
    stage.feed(site, "gate", 1200);
    stage.pass(15);
    stage.world.machines.release_disk(disk);
    stage.pass(5);
    stage
}

/// The process stands still for half a minute while its disk works on.
pub fn pause(after_ns: u64) -> Stage {
    let (mut stage, site) = lobby();
    stage.feed(site, "gate", 40);
    stage.world.run_for(after_ns);
    stage.world.machines.pause(site);
    stage.pass(30);
    stage.world.machines.resume(site);
    stage.pass(5);
    stage
}
