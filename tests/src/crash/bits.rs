//! Every single bit of the four superblock copies and of one block header turned, and many bits of payloads, one at a time.
//!
//! All through the product: a whole appliance opens the volume with the turned bit and reads it back by `Archive.Verify` and, now and
//! then, `Archive.Export`. Nothing is decoded beside it. A bit is named by what it is in and its number.

use drivers_sim::{Echo, Image, Random};
use serde_json::json;

use super::crew::each;
use super::judge::MAKE_MEMORY_BYTES;
use super::take::{ARCHIVE, BLOCK_BYTES, SECOND_NS, Take, VOLUME_SLOTS_AT_BYTES, volume_bytes};
use crate::reader::{Content, generations, log};

const SEED: u64 = 3;
const SLOTS: u64 = 32;
const SECTOR_BITS: usize = 4096 * 8;
const HEADER_BYTES: u64 = 4096;
/// Block memory of an appliance that opens the volume.
const MEMORY_BYTES: u32 = 2 << 20;
/// The block whose header is turned: behind the newest checkpoint, so that opening looks at it.
const BLOCK: u64 = 9;
/// One in so many payload bits is exported too.
const EXPORT_EVERY: usize = 100;
const PACKET_BYTES: usize = 188;
const OPEN_WITHIN_NS: u64 = 20 * SECOND_NS;

/// What a bit is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A superblock copy: bit number divided by the bits of a copy.
    Superblock,
    /// The header of one data block.
    Header,
    /// The payload of any block.
    Payload,
}

/// All places: name on the command line, bits that are turned, what must come of it.
pub const PLACES: [(Place, &str, usize, &str); 3] = [
    (
        Place::Superblock,
        "superblock",
        4 * SECTOR_BITS,
        "the archive opens with an event, and all four copies are whole again",
    ),
    (
        Place::Header,
        "header",
        SECTOR_BITS,
        "the archive opens degraded with the same end, and verify names that block alone",
    ),
    (
        Place::Payload,
        "payload",
        100_000,
        "verify names that block alone; export, of one in 100, leaves it out",
    ),
];

/// A volume with blocks, and what is known of it.
#[derive(Clone)]
struct Volume {
    image: Image,
    settings: Option<Vec<u8>>,
    head: u64,
    /// Log sequence and payload length of each data block.
    payloads: Vec<(u64, u64)>,
    /// An appliance that has it open.
    open: Take,
}

impl Volume {
    fn make() -> Result<Volume, String> {
        let mut take = Take::new(SEED, SLOTS, MAKE_MEMORY_BYTES, Echo::Off);
        take.start();
        take.create("append")?;
        take.cameras(1)?;
        for block in 0..9 {
            // Streams of their own, so that no two blocks hold the same packet.
            let feeder = take.feed_at(take.site, "/run/camera-0", 2 * block, 8);
            take.settle(&[feeder])?;
        }
        take.restart()?;
        take.world.power_cut(take.site);
        let image = take.disk().durable().clone();
        let settings = take.settings();
        let mut open = Take::new(SEED, SLOTS, MEMORY_BYTES, Echo::Off).with(&image, settings.as_deref());
        open.start();
        open.ready()?;
        let head = open.durable().unwrap_or_default();
        let payloads = log(&image, 0, head)?
            .iter()
            .filter_map(|block| match &block.content {
                Content::Piece(piece) => Some((block.log_sequence, piece.payload.len() as u64)),
                Content::Records { .. } | Content::Checkpoint => None,
            })
            .collect();
        Ok(Volume {
            image,
            settings,
            head,
            payloads,
            open,
        })
    }

    /// Where a bit is, and in the block of which log sequence.
    fn locate(&self, place: Place, number: usize) -> (u64, u8, u64) {
        let end = volume_bytes(SLOTS);
        let slot_at = |sequence: u64| VOLUME_SLOTS_AT_BYTES + sequence % SLOTS * BLOCK_BYTES;
        let (start, bit, sequence) = match place {
            Place::Superblock => {
                let copies = [1 << 20, 3 << 19, end - (2 << 20), end - (3 << 19)];
                (copies[number / SECTOR_BITS % 4], (number % SECTOR_BITS) as u64, 0)
            }
            Place::Header => (slot_at(BLOCK), (number % SECTOR_BITS) as u64, BLOCK),
            Place::Payload => {
                let mut random = Random::new(number as u64);
                let (sequence, length) = self.payloads[random.below(self.payloads.len() as u64) as usize];
                (slot_at(sequence) + HEADER_BYTES, random.below(length * 8), sequence)
            }
        };
        (start + bit / 8, 1 << (bit % 8), sequence)
    }

    fn judge(&self, place: Place, number: usize, echo: Echo) -> Result<(), String> {
        let (at_bytes, mask, sequence) = self.locate(place, number);
        if place == Place::Payload {
            let mut take = self.open.clone();
            take.world.machines.trace.echo = echo;
            let disk = take.disk;
            take.world.machines.disk_mut(disk).flip(at_bytes, mask);
            self.verify(&mut take, sequence)?;
            return if number.is_multiple_of(EXPORT_EVERY) {
                self.export(&mut take, sequence)
            } else {
                Ok(())
            };
        }
        let mut image = self.image.clone();
        let turned = image.bytes(at_bytes, 1)[0] ^ mask;
        image.write(at_bytes, &[turned]);
        let mut take = Take::new(SEED, SLOTS, MEMORY_BYTES, echo).with(&image, self.settings.as_deref());
        take.start();
        take.pass_until(OPEN_WITHIN_NS, |take| take.durable().is_some());
        let (head, warnings) = (take.durable(), take.warnings());
        let status = take.archive()?;
        if head != Some(self.head) {
            return Err(format!("its log ends at {head:?} and not at {}: {status}", self.head));
        }
        if place == Place::Superblock {
            let there = generations(take.disk().durable(), volume_bytes(SLOTS));
            if there[0].is_none() || there.iter().any(|copy| *copy != there[0]) {
                return Err(format!("the copies were not made whole again: {there:?}"));
            }
            if warnings != ["superblock-repaired"] || status["state"] != "ready" {
                return Err(format!("the events are {warnings:?}, and it says {status}"));
            }
            return Ok(());
        }
        if status["quarantined"] != 1 || warnings != ["block-corrupt"] || status["state"] != "degraded" {
            return Err(format!("the events are {warnings:?}, and it says {status}"));
        }
        self.verify(&mut take, sequence)
    }

    fn verify(&self, take: &mut Take, sequence: u64) -> Result<(), String> {
        let verified = take.ask("Archive.Verify", &json!({ "name": ARCHIVE }))?;
        let named = verified["damaged"].get(0).map(|block| &block["log_sequence"]);
        if verified["damaged_count"] == 1 && named.is_some_and(|named| *named == sequence) {
            return Ok(());
        }
        Err(format!("block {sequence} is damaged, and verify says {verified}"))
    }

    fn export(&self, take: &mut Take, sequence: u64) -> Result<(), String> {
        let call = json!({
            "method": "io.blockhaul.Archive.Export", "more": true,
            "parameters": { "archive": ARCHIVE, "camera": "camera-0" },
        });
        let machines = &mut take.world.machines;
        let caller = machines.connect_and_call(take.site, hal::Role::Admin, &call.to_string());
        take.pass(5 * SECOND_NS);
        let length = self
            .payloads
            .iter()
            .find(|(of, _)| *of == sequence)
            .map_or(0, |(_, length)| *length);
        let at_bytes = VOLUME_SLOTS_AT_BYTES + sequence % SLOTS * BLOCK_BYTES + HEADER_BYTES;
        let payload = take.disk().current().bytes(at_bytes, length as usize);
        let chunks = take.world.machines.chunks(caller);
        // Every packet has its number in it: no packet of the damaged block may be there.
        let passed = payload
            .chunks_exact(PACKET_BYTES)
            .skip(1)
            .any(|packet| chunks.chunks_exact(PACKET_BYTES).any(|other| other == packet));
        if !chunks.is_empty() && !passed {
            return Ok(());
        }
        Err(format!(
            "block {sequence} is damaged, and {} bytes were exported with it",
            chunks.len()
        ))
    }
}

/// Turns one in `step` bits of a place. Gives how many; the error is the first that was not noticed, with the line that replays it.
pub fn place(place: Place, step: usize, say: &(dyn Fn(usize, usize) + Sync)) -> Result<usize, String> {
    let volume = Volume::make()?;
    let (name, bits) = facts(place);
    let count = bits.div_ceil(step);
    let work = |at: usize| {
        let number = at * step;
        let words =
            |why| format!("Bit {number} of {name}: {why}\nReplay with: cargo crash-states bits --place {name} --bit {number}");
        volume.judge(place, number, Echo::Off).map_err(words)
    };
    each(count, work, say)?;
    Ok(count)
}

/// Turns one bit, with everything that happens on standard error.
pub fn one(place: Place, number: usize) -> Result<(), String> {
    Volume::make()?.judge(place, number, Echo::Stderr)
}

fn facts(place: Place) -> (&'static str, usize) {
    let found = PLACES.iter().find(|(other, ..)| *other == place);
    found.map_or(("", 0), |(_, name, bits, _)| (*name, *bits))
}
