//! The scripted workloads whose writes are recorded.
//!
//! Each is a name, what it is good for, the shape of its volume, and a script. Times, orders of completion and what a power cut
//! leaves in the middle of one follow from a fixed seed.

use drivers_sim::Echo;
use serde_json::json;

use super::hauling::{arrive, caught_up, run_full, source, turn_bits};
use super::judge::MAKE_MEMORY_BYTES;
use super::take::{ARCHIVE, BLOCK_BYTES, SECOND_NS, Take, VOLUME};

const SEED: u64 = 1;

/// A workload.
#[derive(Clone, Copy, Debug)]
pub struct Workload {
    /// Name on the command line.
    pub name: &'static str,
    /// What it does.
    pub what: &'static str,
    /// Slots of its volume.
    pub slots: u64,
    script: fn(&mut Take) -> Result<(), String>,
}

impl Workload {
    /// Plays it.
    pub fn record(&self, echo: Echo) -> Result<Take, String> {
        let mut take = Take::new(SEED, self.slots, MAKE_MEMORY_BYTES, echo);
        take.start();
        (self.script)(&mut take).map_err(|why| format!("Workload {} cannot be recorded: {why}", self.name))?;
        Ok(take)
    }

    /// Mode of its archive.
    pub fn mode(&self) -> &'static str {
        const APPEND: [&str; 11] = [
            "create",
            "append",
            "burst",
            "full",
            "restart",
            "power",
            "idle",
            "target-gaps",
            "fills",
            "free",
            "free-power",
        ];
        if APPEND.contains(&self.name) { "append" } else { "ring" }
    }

    const fn of(name: &'static str, what: &'static str, script: fn(&mut Take) -> Result<(), String>) -> Workload {
        Workload {
            name,
            what,
            slots: 32,
            script,
        }
    }
}

/// All workloads, the plainest first.
pub const WORKLOADS: [Workload; 23] = [
    Workload::of("create", "an archive is made, and takes its first blocks", create),
    Workload::of("append", "blocks one by one into an append archive", append),
    Workload::of("burst", "blocks of six cameras at once into an append archive", burst),
    Workload::of("full", "an append archive until no slot is left", full),
    Workload::of("ring", "a ring goes round twice, block by block", ring),
    Workload::of("ring-burst", "a ring goes round, six blocks at once", ring_burst),
    Workload::of("ring-restart", "a ring goes round, with restarts in good order", ring_restart),
    Workload::of("ring-power", "a ring goes round, with power cuts", ring_power),
    Workload::of("restart", "an append archive, with restarts in good order", restart),
    Workload::of("power", "an append archive, with power cuts in the middle of bursts", power),
    Workload::of("openings", "many openings with nothing between them", openings),
    Workload::of("large", "blocks that are full", large),
    Workload::of(
        "slow-flush",
        "flushes that take long, so that many writes wait for each",
        slow_flush,
    ),
    Workload::of("disorder", "writes that overtake each other", disorder),
    Workload::of("idle", "marks of the superblock after idle minutes", idle),
    Workload::of("tracks", "more tracks than one part of a checkpoint holds", tracks),
    Workload {
        slots: 64,
        ..Workload::of("segments", "longer segments, checkpoints between bursts", segments)
    },
    Workload::of("free", "an append archive frees its oldest segments, and goes round", free),
    Workload::of("free-power", "the same, with power cuts while it frees", free_power),
    Workload::of("again", "an archive is made over an old one", again),
    Workload::of("target", "blocks and leases come over a link", target),
    Workload {
        slots: 64,
        ..Workload::of(
            "fills",
            "what was damaged at the source comes later, over checkpoints and a power cut",
            fills,
        )
    },
    Workload::of(
        "target-gaps",
        "blocks and gaps come over a link, with a power cut",
        target_gaps,
    ),
];

fn create(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(1)?;
    take.blocks(0, 2)
}

fn append(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(2)?;
    for _ in 0..6 {
        take.blocks(0, 1)?;
        take.blocks(1, 1)?;
    }
    Ok(())
}

fn burst(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(6)?;
    for _ in 0..3 {
        take.burst(6, 1)?;
    }
    Ok(())
}

fn full(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(6)?;
    for _ in 0..30 {
        let archive = take.archive()?;
        if archive["state"] == "full" {
            return Ok(());
        }
        let head = archive["head"].as_u64().unwrap_or_default();
        // The last few one by one: what does not fit would be dropped.
        let cameras = if head < 16 { 6 } else { 1 };
        take.burst(cameras, 1)?;
    }
    Err("the archive does not become full".into())
}

fn ring(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(1)?;
    take.blocks(0, 60)
}

fn ring_burst(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(6)?;
    for _ in 0..9 {
        take.burst(6, 1)?;
    }
    Ok(())
}

fn ring_restart(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(3)?;
    for _ in 0..5 {
        take.blocks(0, 3)?;
        take.restart()?;
        take.burst(3, 1)?;
    }
    Ok(())
}

fn ring_power(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(6)?;
    for round in 0..8 {
        take.burst(6, 1)?;
        for camera in 0..6 {
            take.feed(camera, 1);
        }
        take.pass(2_000_000 + round * 500_000);
        take.power_cut()?;
    }
    Ok(())
}

fn restart(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(2)?;
    for _ in 0..4 {
        take.blocks(0, 1)?;
        take.burst(2, 1)?;
        take.restart()?;
    }
    Ok(())
}

fn power(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(6)?;
    for round in 0..4 {
        take.blocks(0, 1)?;
        for camera in 0..6 {
            take.feed(camera, 1);
        }
        take.pass(1_500_000 + round * 700_000);
        take.power_cut()?;
    }
    Ok(())
}

fn openings(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(1)?;
    take.blocks(0, 3)?;
    for round in 0..10 {
        if round % 2 == 0 {
            take.restart()?;
        } else {
            take.power_cut()?;
        }
    }
    take.blocks(0, 3)
}

fn large(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(3)?;
    for _ in 0..4 {
        take.burst(3, 30)?;
    }
    Ok(())
}

fn slow_flush(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(8)?;
    let disk = take.disk;
    take.world.machines.disk_mut(disk).latency.flush_ns = 200_000_000..=300_000_000;
    for _ in 0..3 {
        take.burst(8, 20)?;
    }
    Ok(())
}

fn disorder(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(6)?;
    let disk = take.disk;
    take.world.machines.disk_mut(disk).latency.write_ns = 10_000..=80_000_000;
    for _ in 0..5 {
        take.burst(6, 2)?;
    }
    Ok(())
}

fn idle(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(2)?;
    for _ in 0..4 {
        take.burst(2, 1)?;
        take.pass(70 * SECOND_NS);
    }
    Ok(())
}

fn tracks(take: &mut Take) -> Result<(), String> {
    const GROUPS: u32 = 32;
    take.create("ring")?;
    take.cameras(1)?;
    for group in 0..GROUPS {
        let cameras = 1 + group * 10..11 + group * 10;
        cameras.clone().try_for_each(|camera| take.camera(camera))?;
        let feeders: Vec<_> = cameras.clone().map(|camera| take.feed(camera, 1)).collect();
        take.settle(&feeders)?;
        for camera in cameras {
            take.ask("Recorder.Remove", &json!({ "name": format!("camera-{camera}") }))?;
        }
    }
    take.cut_from_here();
    take.blocks(0, 8)
}

fn segments(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    take.cameras(7)?;
    for _ in 0..6 {
        take.burst(7, 1)?;
        take.blocks(0, 1)?;
    }
    Ok(())
}

/// An append archive that keeps the newest ten blocks, or somewhat more.
fn freeing(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(6)?;
    let retention = json!({ "archive": ARCHIVE, "retention": { "max_bytes": 10 * BLOCK_BYTES } });
    take.ask("Retention.Set", &retention)?;
    take.burst(6, 1)?;
    take.burst(6, 1)
}

fn free(take: &mut Take) -> Result<(), String> {
    freeing(take)?;
    for _ in 0..7 {
        take.burst(6, 1)?;
        take.pass(SECOND_NS);
    }
    Ok(())
}

fn free_power(take: &mut Take) -> Result<(), String> {
    freeing(take)?;
    for round in 0..9 {
        take.burst(3, 1)?;
        take.pass(SECOND_NS / 2);
        for camera in 0..2 {
            take.feed(camera, 1);
        }
        take.pass(1_500_000 + round * 700_000);
        take.power_cut()?;
    }
    Ok(())
}

fn again(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    take.cameras(4)?;
    take.burst(4, 1)?;
    take.burst(4, 1)?;
    take.world.power_cut(take.site);
    // A host that knows nothing of it.
    take.world.machines.site_mut(take.site).state.settings = None;
    take.forget();
    take.start();
    let call = json!({
        "name": ARCHIVE, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "ring", "destroy": "CRASH",
    });
    take.ask("Archive.Create", &call)?;
    take.ready()?;
    take.cameras(4)?;
    take.burst(4, 1)?;
    take.blocks(0, 2)
}

fn target(take: &mut Take) -> Result<(), String> {
    take.create("ring")?;
    let source = source(take)?;
    arrive(take, source, 4)?;
    take.ask_at(source, "Job.Disable", &json!({ "name": "out" }))?;
    arrive(take, source, 5)?;
    take.ask_at(source, "Job.Enable", &json!({ "name": "out" }))?;
    caught_up(take, source)
}

fn fills(take: &mut Take) -> Result<(), String> {
    // Slots of blocks of both cameras; checkpoints lie between them.
    const DAMAGED: [u64; 6] = [1, 2, 3, 5, 6, 9];
    take.create("append")?;
    let source = source(take)?;
    take.ask_at(source, "Job.Disable", &json!({ "name": "out" }))?;
    arrive(take, source, 5)?;
    turn_bits(take, source, &DAMAGED);
    take.ask_at(source, "Job.Enable", &json!({ "name": "out" }))?;
    caught_up(take, source)?;
    turn_bits(take, source, &DAMAGED);
    run_full(take, source)?;
    take.pass(SECOND_NS / 50);
    take.power_cut()?;
    caught_up(take, source)?;
    arrive(take, source, 1)?;
    run_full(take, source)?;
    caught_up(take, source)?;
    let job = take.ask_at(source, "Job.Show", &json!({ "name": "out" }))?["job"].take();
    if job["back_filled"].as_u64() < Some(4) || job["full"]["sent"] != 0 {
        return Err(format!("too little was filled in, or too late: {job}"));
    }
    arrive(take, source, 1)?;
    caught_up(take, source)
}

fn target_gaps(take: &mut Take) -> Result<(), String> {
    take.create("append")?;
    let source = source(take)?;
    arrive(take, source, 2)?;
    take.ask_at(source, "Job.Disable", &json!({ "name": "out" }))?;
    // More than the source holds: the ring goes over what was not hauled.
    arrive(take, source, 20)?;
    take.ask_at(source, "Job.Enable", &json!({ "name": "out" }))?;
    take.pass(SECOND_NS / 2);
    take.power_cut()?;
    caught_up(take, source)
}
