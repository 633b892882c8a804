//! A second appliance beside the recorded one, and a job between them.
//!
//! Nothing of the second one is recorded or judged; it is there so that blocks come over a link, or go.

use drivers_sim::{DiskModel, SiteId};
use serde_json::json;

use super::judge::MAKE_MEMORY_BYTES;
use super::take::{ARCHIVE, BLOCK_BYTES, SECOND_NS, Take, VOLUME, volume_bytes};
use super::watched::boot;

/// Where slots begin on a volume of small blocks, and payloads in a slot.
const SLOTS_AT_BYTES: u64 = 2 << 20;
const PAYLOAD_AT_BYTES: u64 = 4096;
/// Name of a second appliance, and of its archive.
const OTHER: &str = "other";

/// A second appliance that hauls everything it records to the recorded one.
pub fn source(take: &mut Take) -> Result<SiteId, String> {
    let other = second(take)?;
    let here = take.site;
    for camera in ["gate", "hall"] {
        let recorder = json!({
            "name": camera, "archive": OTHER, "camera": camera, "listen": format!("/run/{camera}"), "flush_after_ms": 1000,
        });
        take.ask_at(other, "Recorder.Create", &recorder)?;
    }
    join(take, (other, OTHER), (here, ARCHIVE))?;
    Ok(other)
}

/// A second appliance that the recorded one hauls everything to.
pub fn sink(take: &mut Take) -> Result<SiteId, String> {
    let other = second(take)?;
    let here = take.site;
    join(take, (here, ARCHIVE), (other, OTHER))?;
    Ok(other)
}

fn second(take: &mut Take) -> Result<SiteId, String> {
    let site = take.world.machines.add_site(OTHER, MAKE_MEMORY_BYTES);
    let disk = DiskModel::disk(volume_bytes(32), "OTHER");
    take.world.machines.add_disk(site, VOLUME, disk);
    boot(&mut take.world, site);
    let archive = json!({ "name": OTHER, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "ring" });
    take.ask_at(site, "Archive.Create", &archive)?;
    Ok(site)
}

fn join(take: &mut Take, from: (SiteId, &str), to: (SiteId, &str)) -> Result<(), String> {
    let key = |take: &Take, site| take.world.machines.site(site).fingerprint.to_string();
    let (theirs, ours) = (key(take, from.0), key(take, to.0));
    let routes = json!([{ "host": to.1, "port": 7440 }]);
    take.ask_at(to.0, "Peer.Add", &json!({ "name": from.1, "key": theirs }))?;
    take.ask_at(from.0, "Peer.Add", &json!({ "name": to.1, "key": ours, "routes": routes }))?;
    let grant = take.ask_at(to.0, "Grant.Create", &json!({ "peer": from.1, "archive": to.1 }))?;
    let job = json!({
        "name": "out", "from": from.1, "peer": to.1, "archive": to.1, "mode": "always", "token": grant["token"],
    });
    take.ask_at(from.0, "Job.Create", &job)?;
    Ok(())
}

/// A second appliance records some blocks.
pub fn arrive(take: &mut Take, source: SiteId, blocks: u32) -> Result<(), String> {
    for _ in 0..blocks {
        for (stream, camera) in [(10, "gate"), (11, "hall")] {
            take.feed_at(source, &format!("/run/{camera}"), stream, 1);
        }
        take.pass(2 * SECOND_NS);
    }
    Ok(())
}

/// Turns bits over in blocks of a source, or back again.
pub fn turn_bits(take: &mut Take, source: SiteId, slots: &[u64]) {
    let disk = take.world.machines.disk_at(source, VOLUME).expect("it has a volume");
    for slot in slots {
        take.world
            .machines
            .disk_mut(disk)
            .flip(SLOTS_AT_BYTES + slot * BLOCK_BYTES + PAYLOAD_AT_BYTES, 1);
    }
}

/// Asks a source for a full run.
pub fn run_full(take: &mut Take, source: SiteId) -> Result<(), String> {
    take.ask_at(source, "Job.Run", &json!({ "name": "out", "full": true }))?;
    Ok(())
}

/// Waits until a source has hauled everything.
pub fn caught_up(take: &mut Take, source: SiteId) -> Result<(), String> {
    let mut job = json!(null);
    for _ in 0..150 {
        take.pass(SECOND_NS);
        job = take.ask_at(source, "Job.Show", &json!({ "name": "out" }))?["job"].take();
        if job["state"] == "caught-up" && job["backlog_blocks"] == 0 {
            return Ok(());
        }
    }
    Err(format!("the source does not catch up: {job}"))
}
