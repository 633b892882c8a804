//! Whole small volumes: the product opens them, `tests/reader.py` reads them, and both find what the list beside them says.

use std::collections::BTreeMap;

use blockhaul_core::format::superblock::copy_offsets;
use blockhaul_core::format::{BlockKind, Superblock, crc32c, header};
use blockhaul_core::recorder::container::Container;
use drivers_sim::{DiskModel, Random, SiteId, World};
use hal::Uuid;
use serde_json::{Value, json};

use crate::{NEW_VERSION, dump, reader};
use blockhaul_tests::site::{MEMORY_BYTES, Product, VOLUME, ask, boot, volume};

/// A ring in its second lap, after a loss of power.
pub const RING: &str = "ring";
/// An append archive that others haul into, after a stop in good order.
pub const APPEND: &str = "append";

const SECTOR: usize = 4096;
/// Bits of payloads that are turned one by one.
const BITS: usize = 2_000;
/// Blocks of a volume that the reader, which takes its time, is shown with a bit turned.
const READER_BITS: usize = 5;

/// The newest superblock copy that is whole.
pub fn superblock(volume: &[u8]) -> Option<Superblock> {
    let copies = copy_offsets(volume.len() as u64)
        .into_iter()
        .zip(0..)
        .filter_map(|(at, copy)| {
            let at = usize::try_from(at).unwrap();
            Superblock::decode(copy, &volume[at..at + SECTOR]).ok()
        });
    copies.max_by_key(|superblock| superblock.generation)
}

/// That of a golden volume.
fn golden_superblock(volume: &[u8]) -> Superblock {
    superblock(volume).unwrap_or_else(|| panic!("no superblock copy can be read. {NEW_VERSION}"))
}

/// An archive on a simulated machine, opened by the product.
pub struct Opened {
    world: World<Product>,
    site: SiteId,
    superblock: Superblock,
    pub oldest: u64,
    pub head: u64,
    /// What it says of the archive.
    pub info: Value,
}

impl Opened {
    fn open(image: &[u8]) -> Opened {
        let opened = Opened::after(image, golden_superblock(image).archive);
        let state = &opened.info["state"];
        assert_eq!(state, "ready", "the product does not open it: {}. {NEW_VERSION}", opened.info);
        Opened {
            // Opening wrote an epoch that begins at the end of the log.
            head: opened.superblock.epoch_start,
            ..opened
        }
    }

    /// What the product makes of a volume of that archive, opened or not.
    pub fn after(image: &[u8], archive: Uuid) -> Opened {
        let mut world = World::new(1);
        let site = world.machines.add_site("reader", MEMORY_BYTES);
        let disk = world
            .machines
            .add_disk(site, VOLUME, DiskModel::disk(image.len() as u64, "GOLDEN"));
        world.machines.disk_mut(disk).overwrite(0, image);
        let settings = format!("version = 1\n[[archive]]\nname = \"golden\"\nuuid = \"{archive}\"\nvolume = \"{VOLUME}\"\n");
        world.machines.site_mut(site).state.settings = Some(settings.into_bytes());
        boot(&mut world, site);
        world.run_for(5_000_000_000);
        let info = ask(&mut world, site, "Archive.Info", json!({ "name": "golden" }));
        let info = info["archive"].clone();
        Opened {
            oldest: info["oldest"].as_u64().unwrap_or(0),
            head: info["head"].as_u64().unwrap_or(0),
            superblock: golden_superblock(&volume(&world, site)),
            world,
            site,
            info,
        }
    }

    fn slot_at(&self, sequence: u64) -> u64 {
        let superblock = &self.superblock;
        superblock.slots_at_bytes + sequence % superblock.slots * u64::from(superblock.block_bytes)
    }

    /// The headers of all blocks, whose payloads fit them.
    fn headers(&self) -> BTreeMap<u64, header::Header> {
        self.headers_without(&BTreeMap::new())
    }

    /// The same of a volume on which some blocks are damaged.
    pub fn headers_without(&self, damaged: &BTreeMap<u64, String>) -> BTreeMap<u64, header::Header> {
        let volume = volume(&self.world, self.site);
        let block = |sequence| {
            let block = &volume[usize::try_from(self.slot_at(sequence)).unwrap()..][..self.superblock.block_bytes as usize];
            let header = header::decode(block).unwrap_or_else(|error| panic!("block {sequence}: {error}. {NEW_VERSION}"));
            let payload = &block[SECTOR..][..header.placement.payload_bytes as usize];
            assert_eq!(header.placement.log_sequence, sequence);
            assert_eq!(header.placement.payload_crc, crc32c(payload), "block {sequence}");
            assert_eq!(header.payload_digest.0, *blake3::hash(payload).as_bytes(), "block {sequence}");
            (sequence, header)
        };
        let whole = (self.oldest..self.head).filter(|sequence| !damaged.contains_key(sequence));
        whole.map(block).collect()
    }

    /// Runs `verify`: how many data blocks are whole, and which blocks are not, and why.
    pub fn verify(&mut self) -> (u64, BTreeMap<u64, String>) {
        let verified = ask(&mut self.world, self.site, "Archive.Verify", json!({ "name": "golden" }));
        let damaged = verified["damaged"].as_array().unwrap().iter();
        let damaged = damaged.map(|one| (one["log_sequence"].as_u64().unwrap(), one["why"].as_str().unwrap().to_owned()));
        (verified["good"].as_u64().unwrap(), damaged.collect())
    }

    fn flip(&mut self, at_bytes: u64, mask: u8) {
        let disk = self.world.machines.disk_at(self.site, VOLUME).unwrap();
        self.world.machines.disk_mut(disk).flip(at_bytes, mask);
    }
}

/// What is said of a data block: its place, its track, its number there, and its payload.
pub fn line(header: &header::Header) -> Option<String> {
    let (sequence, origin) = (header.placement.log_sequence, header.origin.as_ref()?);
    let (key, bytes, digest) = (&origin.key, origin.payload_bytes, origin.payload_digest);
    let kind = format!("{:?}", key.kind).to_lowercase();
    let place = format!("{sequence} {} {} {kind} {}", key.origin, key.camera, origin.track_sequence);
    Some(format!("{place} {bytes} {digest}"))
}

/// What the product finds on a volume: a line for each data block, then archive, epoch and end of the log.
pub fn list(image: &[u8]) -> String {
    let opened = Opened::open(image);
    let mut text = String::new();
    opened
        .headers()
        .values()
        .filter_map(line)
        .for_each(|line| text += &format!("{line}\n"));
    let Superblock { archive, epoch, .. } = &opened.superblock;
    text.push_str(&format!(
        "archive {archive} epoch {} head {}\n",
        epoch.counter - 1,
        opened.head
    ));
    text
}

#[test]
fn product_and_reader_find_on_golden_volumes_what_is_listed() {
    for name in [RING, APPEND] {
        let golden = dump::read(&format!("{name}.txt"));
        let listed = dump::read_text(&format!("{name}.list"));
        assert_eq!(list(&golden), listed, "the product, {name}. {NEW_VERSION}");

        let found = reader::read(&golden);
        let found_text = format!("{}\n{}\n", found.blocks.join("\n"), found.summary);
        assert_eq!(found_text, listed, "tests/reader.py, {name}. {NEW_VERSION}");
        assert_eq!(found.damaged, [] as [u64; 0], "tests/reader.py, {name}");

        let (good, damaged) = Opened::open(&golden).verify();
        assert_eq!((good, damaged.len()), (found.blocks.len() as u64, 0), "{name}: {damaged:?}");
    }
}

/// The volumes are worth having: what can be on one is on them.
#[test]
fn golden_volumes_hold_every_kind_of_thing() {
    for name in [RING, APPEND] {
        let golden = dump::read(&format!("{name}.txt"));
        let opened = Opened::open(&golden);
        let headers = opened.headers();
        let of_kind = |kind| headers.values().filter(|header| header.placement.kind == kind).count();
        assert!(of_kind(BlockKind::Data) > 10 && of_kind(BlockKind::Checkpoint) > 2, "{name}");
        let origins: Vec<_> = headers.values().filter_map(|header| header.origin.as_ref()).collect();
        assert!(origins.iter().any(|origin| !origin.sealed_early), "{name}: a full block");
        assert!(
            origins.iter().any(|origin| origin.sealed_early),
            "{name}: a block that is not full"
        );
        assert!(
            origins.iter().any(|origin| origin.container == Container::Fmp4),
            "{name}: a container that is known"
        );
        if name == RING {
            assert!(opened.oldest > 0 && (opened.superblock.slots..2 * opened.superblock.slots).contains(&opened.head));
            assert!(golden_superblock(&golden).history.len() > 1, "{name}: more than one epoch");
        } else {
            assert!(of_kind(BlockKind::System) > 0, "{name}: leases and gaps");
            let hauled = headers.values().filter(|header| header.placement.lease.counter > 0).count();
            assert!(hauled > 10 && hauled < origins.len(), "{name}: hauled and own blocks");
        }
    }
}

/// A payload of any kind of block with any one bit turned is noticed.
#[test]
fn every_payload_bit_is_noticed() {
    let mut random = Random::new(7);
    let mut volumes = [RING, APPEND].map(|name| Opened::open(&dump::read(&format!("{name}.txt"))));
    let mut turned = 0;
    while turned < BITS {
        for opened in &mut volumes {
            let bits: BTreeMap<u64, (u64, u8)> = opened
                .headers()
                .iter()
                .map(|(sequence, header)| {
                    let bit = random.below(u64::from(header.placement.payload_bytes) * 8);
                    (
                        *sequence,
                        (opened.slot_at(*sequence) + SECTOR as u64 + bit / 8, 1 << (bit % 8)),
                    )
                })
                .collect();
            bits.values().for_each(|(at_bytes, mask)| opened.flip(*at_bytes, *mask));
            let (good, damaged) = opened.verify();
            bits.values().for_each(|(at_bytes, mask)| opened.flip(*at_bytes, *mask));
            assert_eq!(good, 0);
            for (sequence, bit) in &bits {
                let why = damaged.get(sequence).map(String::as_str);
                assert_eq!(why, Some("checksum does not fit"), "block {sequence}, byte and bit {bit:?}");
            }
            turned += bits.len();
        }
    }
    for opened in &mut volumes {
        let (good, damaged) = opened.verify();
        assert!(good > 10 && damaged.is_empty(), "whole again: {damaged:?}");
    }
}

#[test]
fn the_reader_notices_a_payload_bit_too() {
    let mut random = Random::new(8);
    for name in [RING, APPEND] {
        let golden = dump::read(&format!("{name}.txt"));
        let opened = Opened::open(&golden);
        let mut bad = golden.clone();
        // The oldest ones: below what is known to be durable, so that they are damage and not a torn end.
        let headers = opened.headers();
        let chosen: Vec<_> = headers
            .iter()
            .filter(|(_, header)| header.origin.is_some())
            .take(READER_BITS)
            .collect();
        for (sequence, header) in &chosen {
            let bit = usize::try_from(random.below(u64::from(header.placement.payload_bytes) * 8)).unwrap();
            bad[usize::try_from(opened.slot_at(**sequence)).unwrap() + SECTOR + bit / 8] ^= 1 << (bit % 8);
        }
        let chosen: Vec<u64> = chosen.iter().map(|(sequence, _)| **sequence).collect();
        assert_eq!(reader::read(&bad).damaged, chosen, "{name}");
    }
}
