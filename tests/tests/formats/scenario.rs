//! How the golden volumes came to be: a ring that records two cameras into its second lap, is killed on the way, and loses power
//! at last; an append archive that records a little of its own and then takes over what the ring still has.
//!
//! Everything follows from the seed and from what the product was then; the volumes are kept, not made again.

use std::collections::BTreeMap;

use drivers_sim::{DiskModel, Script, SiteId, World};
use serde_json::{Value, json};

use crate::dump;
use crate::volumes::{APPEND, RING, list};
use blockhaul_tests::site::{MEMORY_BYTES, Product, VOLUME, ask, boot, volume};

const SEED: u64 = 1;
const SECOND_NS: u64 = 1_000_000_000;
const BLOCK_BYTES: u64 = 64 << 10;
const RING_BYTES: u64 = 7 << 20;
const APPEND_BYTES: u64 = 10 << 20;
/// The segment of this number is as long as two blocks, nearly all zeros.
const LONG_SEGMENT: u64 = 29;

/// A recorder of a camera and what feeds it.
fn record(world: &mut World<Product>, site: SiteId, archive: &str, camera: (&str, &str), script: Script) {
    let (name, kind) = camera;
    let listen = format!("/run/{name}");
    let recorder = json!({
        "name": name, "archive": archive, "camera": name, "kind": kind, "listen": listen, "flush_after_ms": 1000,
    });
    ask(world, site, "Recorder.Create", recorder);
    world.machines.feed_path(site, &listen, script);
}

/// A segment of fragmented MP4, as far as a recorder looks into it: init data, then a fragment.
fn segments(_: u32, number: u64) -> Vec<u8> {
    let mp4_box = |kind: &[u8; 4], content: &[u8]| {
        let length = u32::try_from(8 + content.len()).unwrap();
        [&length.to_be_bytes()[..], kind, content].concat()
    };
    let mut bytes = mp4_box(b"ftyp", b"iso6\0\0\0\0iso6");
    bytes.extend(mp4_box(b"moov", &mp4_box(b"mvhd", &[7; 100])));
    let sequence = u32::try_from(number + 1).unwrap().to_be_bytes();
    bytes.extend(mp4_box(b"moof", &mp4_box(b"mfhd", &[&[0; 4][..], &sequence].concat())));
    let mut media = vec![0; if number == LONG_SEGMENT { 130_000 } else { 200 }];
    media[..8].copy_from_slice(&number.to_be_bytes());
    bytes.extend(mp4_box(b"mdat", &media));
    bytes
}

/// Lines of text.
fn lines(stream: u32, number: u64) -> Vec<u8> {
    format!("stream {stream}, line {number}\n").into_bytes()
}

fn script(chunk: fn(u32, u64) -> Vec<u8>, stream: u32, chunks: u64, every_ns: u64) -> Script {
    Script {
        stream,
        chunk,
        chunks,
        every_ns,
    }
}

/// The volumes of the ring and of the append archive.
fn play() -> (Vec<u8>, Vec<u8>) {
    let mut world = World::new(SEED);
    let sites = ["lobby", "vault"].map(|name| world.machines.add_site(name, MEMORY_BYTES));
    let [lobby, vault] = sites;
    for (site, name, mode, size_bytes) in [(lobby, "lobby", "ring", RING_BYTES), (vault, "vault", "append", APPEND_BYTES)] {
        world.machines.add_disk(site, VOLUME, DiskModel::disk(size_bytes, name));
        boot(&mut world, site);
        let archive = json!({ "name": name, "volume": VOLUME, "mode": mode, "block_bytes": BLOCK_BYTES });
        ask(&mut world, site, "Archive.Create", archive);
    }
    record(
        &mut world,
        vault,
        "vault",
        ("dock", "metadata"),
        script(lines, 3, 3, 2 * SECOND_NS),
    );
    record(
        &mut world,
        lobby,
        "lobby",
        ("gate", "video"),
        script(segments, 1, 1000, 1_700_000_000),
    );
    record(
        &mut world,
        lobby,
        "lobby",
        ("porch", "audio"),
        script(lines, 2, 1000, 1_900_000_000),
    );
    world.run_for(20 * SECOND_NS);
    world.kill(lobby);
    boot(&mut world, lobby);
    let in_second_lap = |world: &mut World<Product>| {
        let info = ask(world, lobby, "Archive.Info", json!({ "name": "lobby" }));
        info["archive"]["head"].as_u64().unwrap() > info["archive"]["slots"].as_u64().unwrap() + 12
    };
    while !in_second_lap(&mut world) {
        world.run_for(SECOND_NS);
    }
    haul(&mut world, lobby, vault);
    world.run_for(20 * SECOND_NS);
    world.power_cut(lobby);
    world.run_for(20 * SECOND_NS);
    world.machines.ask_stop(vault);
    world.run_for(20 * SECOND_NS);
    (volume(&world, lobby), volume(&world, vault))
}

/// Makes the sites peers, and a job between them.
fn haul(world: &mut World<Product>, from: SiteId, to: SiteId) {
    let key = |world: &World<Product>, site| world.machines.site(site).fingerprint.to_string();
    let here = json!({ "name": "lobby", "key": key(world, from) });
    let there = json!({ "name": "vault", "key": key(world, to), "routes": [{ "host": "vault", "port": 7440 }] });
    ask(world, to, "Peer.Add", here);
    ask(world, from, "Peer.Add", there);
    let grant = ask(world, to, "Grant.Create", json!({ "peer": "lobby", "archive": "vault" }));
    let token: &Value = &grant["token"];
    let job = json!({ "name": "out", "from": "lobby", "peer": "vault", "archive": "vault", "mode": "always", "token": token });
    ask(world, from, "Job.Create", job);
}

/// Writes the golden volumes and the lists of what they hold.
pub fn write_new() {
    let (ring, append) = play();
    for (name, volume) in BTreeMap::from([(RING, ring), (APPEND, append)]) {
        dump::write_new(&format!("{name}.txt"), &dump::text(&volume));
        dump::write_new(&format!("{name}.list"), &list(&volume));
    }
}
