//! Two or three sites, drawn from a seed and joined by control calls: who records what, and who hauls to whom.

use drivers_sim::{DiskModel, FeederId, Machines, Script, SiteId, World};
use serde_json::{Value, json};

use super::control::ask;
use super::product::Product;
use super::stream::{CHUNK_BYTES, chunk};

const MEMORY_BYTES: u32 = 8 << 20;
const BLOCK_BYTES: u64 = 64 << 10;
const VOLUME_BYTES: u64 = 64 << 20;
const SECOND_NS: u64 = 1_000_000_000;
const NAMES: [&str; 3] = ["lobby", "vault", "attic"];

/// A camera and what feeds it.
#[derive(Clone, Debug)]
pub struct Camera {
    /// Its name.
    pub name: String,
    /// Its stream.
    pub stream: u32,
    /// What feeds it.
    pub feeder: FeederId,
}

/// The sites, in the order in which blocks go from one to the next.
#[derive(Clone, Debug)]
pub struct Stage {
    /// All sites.
    pub sites: Vec<SiteId>,
    /// What the first records.
    pub cameras: Vec<Camera>,
}

/// Path of the volume of every site.
pub const VOLUME: &str = "/dev/sim0";
/// Path of the volume of a site that has it in a file.
pub const VOLUME_FILE: &str = "/var/lib/archive";

/// Switches a site on and starts the product there.
pub fn boot(world: &mut World<Product>, site: SiteId) {
    world.boot(site, |board, _, ops| Product::start(board, ops));
}

/// Where the archive of a site lies.
pub fn volume_of(machines: &Machines, site: SiteId) -> &'static str {
    if machines.disk_at(site, VOLUME).is_some() {
        VOLUME
    } else {
        VOLUME_FILE
    }
}

impl Stage {
    /// Builds everything and starts the cameras.
    pub fn build(world: &mut World<Product>) -> Result<Stage, String> {
        let count = if world.machines.random.chance(40) { 3 } else { 2 };
        let sites: Vec<SiteId> = NAMES[..count]
            .iter()
            .map(|name| world.machines.add_site(name, MEMORY_BYTES))
            .collect();
        for (site, name) in sites.iter().zip(NAMES) {
            if world.machines.random.chance(70) {
                world
                    .machines
                    .add_disk(*site, VOLUME, DiskModel::disk(VOLUME_BYTES, &format!("SIM-{name}")));
            }
            boot(world, *site);
            let volume = volume_of(&world.machines, *site);
            let size = (volume == VOLUME_FILE).then_some(VOLUME_BYTES);
            let archive = json!({ "name": name, "volume": volume, "size_bytes": size, "block_bytes": BLOCK_BYTES });
            ask(world, *site, "Archive.Create", archive)?;
        }
        for (from, to) in (0..count).zip(1..count) {
            join(world, (sites[from], NAMES[from]), (sites[to], NAMES[to]))?;
        }
        let cameras = cameras(world, sites[0])?;
        Ok(Stage { sites, cameras })
    }
}

/// Makes two sites peers and a job between them.
fn join(world: &mut World<Product>, from: (SiteId, &str), to: (SiteId, &str)) -> Result<(), String> {
    let key = |world: &World<Product>, site| world.machines.site(site).fingerprint.to_string();
    let here = json!({ "name": from.1, "key": key(world, from.0) });
    let there = json!({ "name": to.1, "key": key(world, to.0), "routes": [{ "host": to.1, "port": 7440 }] });
    ask(world, to.0, "Peer.Add", here)?;
    ask(world, from.0, "Peer.Add", there)?;
    let grant = ask(world, to.0, "Grant.Create", json!({ "peer": from.1, "archive": to.1 }))?;
    let token: &Value = &grant["token"];
    let job = json!({ "name": "out", "from": from.1, "peer": to.1, "archive": to.1, "mode": "always", "token": token });
    ask(world, from.0, "Job.Create", job)?;
    Ok(())
}

fn cameras(world: &mut World<Product>, site: SiteId) -> Result<Vec<Camera>, String> {
    let count = u32::try_from(1 + world.machines.random.below(3)).expect("at most 3");
    (0..count)
        .map(|index| {
            let name = format!("camera-{index}");
            let listen = format!("/run/{name}");
            let flush_after_ms = 1000 + world.machines.random.below(5000);
            let recorder = json!({
                "name": name, "archive": NAMES[0], "camera": name, "listen": listen, "flush_after_ms": flush_after_ms,
            });
            ask(world, site, "Recorder.Create", recorder)?;
            let stream = 2 * index + u32::from(world.machines.random.chance(50));
            let bytes = (1 << 20) + world.machines.random.below(4 << 20);
            let chunks = bytes / CHUNK_BYTES;
            let span_ns = (20 + world.machines.random.below(100)) * SECOND_NS;
            let script = Script {
                stream,
                chunk,
                chunks,
                every_ns: span_ns / chunks,
            };
            let feeder = world.machines.feed_path(site, &listen, script);
            Ok(Camera { name, stream, feeder })
        })
        .collect()
}
