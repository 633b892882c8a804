//! Every single bit of the four superblock copies and of one block header turned, and many bits of payloads and of the newest
//! checkpoint, one at a time.
//!
//! All through the product: a whole appliance opens the volume with the turned bit and reads it back by `Archive.Verify` and, now and
//! then, `Archive.Export`. Nothing is decoded beside it. A bit is named by what it is in and its number.

use std::cell::Cell;

use drivers_sim::{Echo, Image, Random};
use serde_json::{Value, json};

use super::crew::each;
use super::judge::MAKE_MEMORY_BYTES;
use super::take::{ARCHIVE, BLOCK_BYTES, SECOND_NS, Take, VOLUME_SLOTS_AT_BYTES, volume_bytes};
use crate::reader::{Content, generations, log};

const SEED: u64 = 3;
/// The fewest there can be.
const SLOTS: u64 = 32;
/// Slots of a volume whose newest checkpoint has tracks for more than one part.
const SLOTS_OF_TRACKS: u64 = 512;
/// Cameras on it, each with one block.
const CAMERAS: u32 = 340;
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
    /// The payload of a part of the newest checkpoint.
    Checkpoint,
}

/// All places: name on the command line, bits that are turned, what must come of it.
pub const PLACES: [(Place, &str, usize, &str); 4] = [
    (
        Place::Checkpoint,
        "checkpoint",
        1_000,
        "the archive opens degraded with the same end and the same tracks, and verify names that block alone",
    ),
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
    slots: u64,
    head: u64,
    /// Log sequence and payload length of each data block, or of each part of the newest checkpoint.
    payloads: Vec<(u64, u64)>,
    /// What an appliance says of its tracks.
    tracks: Value,
    /// An appliance that has it open.
    open: Take,
}

impl Volume {
    fn make(place: Place) -> Result<Volume, String> {
        match place {
            Place::Checkpoint => Volume::of_tracks(),
            Place::Superblock | Place::Header | Place::Payload => Volume::of_blocks(),
        }
    }

    fn of_blocks() -> Result<Volume, String> {
        let mut take = Take::new(SEED, SLOTS, MAKE_MEMORY_BYTES, Echo::Off);
        take.start();
        take.create("append")?;
        take.cameras(1)?;
        for block in 0..9 {
            // Streams of their own, so that no two blocks hold the same packet.
            let feeder = take.feed_at(take.site, "/run/camera-0", 2 * block, 8);
            take.settle(&[feeder])?;
        }
        let settings = take.settings();
        let mut volume = Volume::at_rest(take, settings, SLOTS)?;
        let blocks = log(&volume.image, 0, volume.head)?;
        volume.payloads = blocks
            .iter()
            .filter_map(|block| match &block.content {
                Content::Piece(piece) => Some((block.log_sequence, piece.payload.len() as u64)),
                Content::Records { .. } | Content::Checkpoint { .. } => None,
            })
            .collect();
        Ok(volume)
    }

    fn of_tracks() -> Result<Volume, String> {
        let mut take = Take::new(SEED, SLOTS_OF_TRACKS, MAKE_MEMORY_BYTES, Echo::Off);
        take.start();
        take.create("append")?;
        // The recorders do not matter for what is on the volume.
        let settings = take.settings();
        for camera in 0..CAMERAS {
            take.camera(camera)?;
            take.blocks(camera, 1)?;
            take.ask("Recorder.Remove", &json!({ "name": format!("camera-{camera}") }))?;
        }
        let mut volume = Volume::at_rest(take, settings, SLOTS_OF_TRACKS)?;
        for block in log(&volume.image, 0, volume.head)? {
            if let Content::Checkpoint { part, payload_bytes } = block.content {
                volume.payloads.truncate(part as usize);
                volume.payloads.push((block.log_sequence, payload_bytes));
            }
        }
        if volume.payloads.len() < 2 {
            return Err(format!(
                "the newest checkpoint has {} parts, and two are wanted",
                volume.payloads.len()
            ));
        }
        Ok(volume)
    }

    /// What there is once the appliance has stopped in good order, and lost power.
    fn at_rest(mut take: Take, settings: Option<Vec<u8>>, slots: u64) -> Result<Volume, String> {
        take.restart()?;
        take.world.power_cut(take.site);
        let image = take.disk().durable().clone();
        let mut open = Take::new(SEED, slots, MEMORY_BYTES, Echo::Off).with(&image, settings.as_deref());
        open.start();
        open.ready()?;
        let head = open.durable().unwrap_or_default();
        let tracks = tracks(&mut open)?;
        Ok(Volume {
            image,
            settings,
            slots,
            head,
            payloads: Vec::new(),
            tracks,
            open,
        })
    }

    /// Where a bit is, and in the block of which log sequence.
    fn locate(&self, place: Place, number: usize) -> (u64, u8, u64) {
        let end = volume_bytes(self.slots);
        let slot_at = |sequence: u64| VOLUME_SLOTS_AT_BYTES + sequence % self.slots * BLOCK_BYTES;
        let (start, bit, sequence) = match place {
            Place::Superblock => {
                let copies = [1 << 20, 3 << 19, end - (2 << 20), end - (3 << 19)];
                (copies[number / SECTOR_BITS % 4], (number % SECTOR_BITS) as u64, 0)
            }
            Place::Header => (slot_at(BLOCK), (number % SECTOR_BITS) as u64, BLOCK),
            Place::Payload | Place::Checkpoint => {
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
        let mut take = Take::new(SEED, self.slots, MEMORY_BYTES, echo).with(&image, self.settings.as_deref());
        take.start();
        take.pass_until(OPEN_WITHIN_NS, |take| take.durable().is_some());
        let (head, warnings) = (take.durable(), take.warnings());
        let status = take.archive()?;
        if head != Some(self.head) {
            return Err(format!("its log ends at {head:?} and not at {}: {status}", self.head));
        }
        if place == Place::Superblock {
            let there = generations(take.disk().durable(), volume_bytes(self.slots));
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
        // A damaged block may have been the newest of its track.
        if place == Place::Checkpoint {
            self.same_tracks(&tracks(&mut take)?)?;
        }
        self.verify(&mut take, sequence)
    }

    fn same_tracks(&self, now: &Value) -> Result<(), String> {
        let list = |tracks: &Value| tracks.as_array().cloned().unwrap_or_default();
        let (before, now) = (list(&self.tracks), list(now));
        let changed = before.iter().zip(&now).find(|(before, now)| before != now);
        match changed {
            Some((before, now)) => Err(format!("a track was {before}, and now is {now}")),
            None if before.len() != now.len() => Err(format!("{} tracks were there, and now {} are", before.len(), now.len())),
            None => Ok(()),
        }
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
        let at_bytes = VOLUME_SLOTS_AT_BYTES + sequence % self.slots * BLOCK_BYTES + HEADER_BYTES;
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
    let volume = Volume::make(place)?;
    let (name, bits) = facts(place);
    let count = bits.div_ceil(step);
    let work = |at: usize| {
        let number = at * step;
        AT.set(Some((name, number)));
        let judged = volume.judge(place, number, Echo::Off);
        AT.set(None);
        judged.map_err(|why| format!("Bit {number} of {name}: {why}\n{}", replay(name, number)))
    };
    each(count, work, say)?;
    Ok(count)
}

thread_local! {
    /// What this thread turns, for last words.
    static AT: Cell<Option<(&'static str, usize)>> = const { Cell::new(None) };
}

/// The line that replays what this thread is at, if it is at something.
pub(super) fn last_words() -> Option<String> {
    AT.get().map(|(name, number)| replay(name, number))
}

fn replay(name: &str, number: usize) -> String {
    format!("Replay with: cargo crash-states bits --place {name} --bit {number}")
}

/// Turns one bit, with everything that happens on standard error.
pub fn one(place: Place, number: usize) -> Result<(), String> {
    Volume::make(place)?.judge(place, number, Echo::Stderr)
}

/// Where every track ends, as the appliance says.
fn tracks(take: &mut Take) -> Result<Value, String> {
    let mut info = take.ask("Archive.Info", &json!({ "name": ARCHIVE }))?;
    Ok(info["tracks"].take())
}

fn facts(place: Place) -> (&'static str, usize) {
    let found = PLACES.iter().find(|(other, ..)| *other == place);
    found.map_or(("", 0), |(_, name, bits, _)| (*name, *bits))
}
