//! Histories of one appliance: recorders, a volume, everything that can happen to a disk, a process and their power.

use drivers_sim::{DiskModel, Echo, SiteId};
use hal::FlushClass;
use serde_json::json;

use super::cameras::{Camera, Pace};
use super::faults::Fault;
use super::play::{Play, SECOND_NS, VOLUME};
use super::swarm::{Swarm, slow_down};
use super::{named, verdict};

/// All faults that these histories know.
const FAULTS: [Fault; 30] = [
    Fault::PowerCut,
    Fault::PowerCuts,
    Fault::Kill,
    Fault::Stop,
    Fault::Pause,
    Fault::SecondDaemon,
    Fault::Clock,
    Fault::SlowDisk,
    Fault::HungDisk,
    Fault::ReadErrors,
    Fault::BadSectors,
    Fault::WriteErrors,
    Fault::WritesDead,
    Fault::FlushErrors,
    Fault::FlushesDead,
    Fault::Misreads,
    Fault::Rot,
    Fault::LostWrites,
    Fault::MisdirectedWrites,
    Fault::AlteredWrites,
    Fault::LyingFlushes,
    Fault::SilentlyReadOnly,
    Fault::ReadOnly,
    Fault::Counterfeit,
    Fault::Gone,
    Fault::Swapped,
    Fault::Cloned,
    Fault::StateFull,
    Fault::Rollback,
    Fault::PartRollback,
];
/// Making an archive reads the first and the last 2 MiB of its volume at once.
const MEMORY_BYTES: u32 = 6 << 20;
const BLOCK_BYTES: u64 = 64 << 10;
/// Superblocks and what is left alone at both ends.
const ENDS_BYTES: u64 = 4 << 20;
/// Once nothing is wrong any more, everything that was taken is durable in this virtual time.
const DRAIN_NS: u64 = 120 * SECOND_NS;

/// Plays the history of a seed.
pub fn play(seed: u64, echo: Echo) -> Result<Play, String> {
    let mut play = Play::new(seed, echo);
    let site = play.world.machines.add_site("lobby", MEMORY_BYTES);
    let cameras = set_up(&mut play, site)?;
    let swarm = Swarm::draw(&mut play, &FAULTS, 12);
    for _ in 0..swarm.count {
        let pause_ns = swarm.pause_ns(&mut play);
        play.pass(pause_ns)?;
        if play.chance(30) {
            let disk = play.disk(site);
            let snapshot = play.world.machines.disk(disk).snapshot();
            play.snapshots.insert(site, snapshot);
        }
        let fault = play.pick(&swarm.faults);
        play.strike(fault, site, &[site])?;
        if play.chance(20) {
            play.world.machines.say("the disk recovers");
            play.mend(site)?;
        }
    }
    let pause_ns = swarm.pause_ns(&mut play);
    play.pass(pause_ns)?;
    play.world.machines.say("no faults from now on");
    play.mend(site)?;
    for camera in &cameras {
        play.world.machines.end_feeder(camera.feeder);
    }
    let opened = verdict::wait_for_rest(&mut play, site, &cameras, DRAIN_NS)?;
    if opened {
        verdict::verify(&mut play, site)?;
    }
    verdict::recorded(&mut play, site, &cameras)?;
    named::reads(&mut play, site)?;
    play.power_cut(site)?;
    named::operations(&mut play, site)?;
    play.count_struck();
    Ok(play)
}

fn set_up(play: &mut Play, site: SiteId) -> Result<Vec<Camera>, String> {
    let slots = play.pick(&[32, 32, 40, 64, 100]);
    let size_bytes = ENDS_BYTES + slots * BLOCK_BYTES + play.draw(16) * 4096;
    let disk = play.world.machines.add_disk(site, VOLUME, DiskModel::disk(size_bytes, "SIM"));
    if play.chance(10) {
        play.world.machines.disk_mut(disk).model.flush = FlushClass::WriteThrough;
    }
    play.world.machines.disk_mut(disk).model.removable = play.chance(50);
    play.boot(site)?;
    let mode = play.pick(&["append", "ring", "ring"]);
    let archive = json!({ "name": "lobby", "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": mode });
    play.create_archive(site, archive)?;
    play.perhaps_scrub(site, "lobby")?;
    slow_down(play, site);
    let count = 1 + play.draw(3);
    (0..count)
        .map(|index| {
            let pace = Pace::draw(play);
            Camera::start(play, site, "lobby", &format!("camera-{index}"), pace)
        })
        .collect()
}
