//! One state, judged: a fresh appliance opens it, goes on, opens again, and is interrupted in all of that.
//!
//! What is on the disk is read with the independent reader. Invariant: what happens follows from the image, the settings and the
//! seed alone.

use drivers_sim::{Echo, Image, Random};
use serde_json::{Value, json};

use super::cuts::{Cut, cuts};
use super::states::{State, image, picture, states};
use super::take::{ARCHIVE, BLOCK_BYTES, SECOND_NS, Take, VOLUME};
use super::truth::{Truth, tracks};
use crate::reader::{Block, geometry, linked};

/// An archive is open in this time, or says why not.
const OPEN_WITHIN_NS: u64 = 20 * SECOND_NS;
/// Block memory of an appliance that opens an archive.
const OPEN_MEMORY_BYTES: u32 = 2 << 20;
/// Block memory of an appliance that makes an archive.
pub const MAKE_MEMORY_BYTES: u32 = 8 << 20;
/// Of so many states one is also opened to be read only.
const BORROWED_EVERY: u64 = 4;
/// Blocks that are appended after a recovery.
const APPENDED: u64 = 3;

/// What a state is judged with.
#[derive(Clone, Copy, Debug)]
pub struct Judge {
    /// Slots of the volume.
    pub slots: u64,
    /// Mode of an archive that has to be made.
    pub mode: &'static str,
    /// Reads failed before: a block may not know the one before it, and a gap may name what can be read again.
    pub breaks: bool,
    /// Where the trace goes.
    pub echo: Echo,
}

/// How many states were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// States of the recorded workload.
    pub states: u64,
    /// States of the recovery of such a state, and of what was appended after it.
    pub within: u64,
    /// Openings in all.
    pub openings: u64,
}

/// How far a state is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// It is opened and read.
    Opened,
    /// Then it goes on, is opened a second time, and one drawn moment of all that is interrupted.
    Resumed,
    /// Every moment of it is interrupted.
    EveryInterruption,
}

/// A recovery that went on, to be interrupted.
#[derive(Clone, Copy)]
struct Recovery<'a> {
    take: &'a Take,
    first: &'a Found,
    bytes: &'a Image,
    settings: Option<&'a [u8]>,
}

/// An archive that was opened and read.
struct Found {
    head: u64,
    image: Image,
    blocks: Vec<Block>,
    status: Value,
}

impl Judge {
    /// Judges a state.
    pub fn judge(&self, cut: &Cut, state: &State, seed: u64, depth: Depth) -> Result<Counts, String> {
        let mut counts = Counts {
            states: 1,
            openings: 1,
            ..Counts::default()
        };
        let bytes = image(cut, state, seed);
        let mut take = self.start(&bytes, cut.settings.as_deref(), seed);
        let first = self.open(&mut take, &cut.truth)?;
        if depth == Depth::Opened {
            return Ok(counts);
        }
        let settings = take.settings();
        if seed.is_multiple_of(BORROWED_EVERY)
            && let Some(settings) = &cut.settings
        {
            counts.openings += 1;
            self.borrow(&first, &bytes, settings, seed)
                .map_err(|why| format!("opened to be read only, {why}"))?;
        }
        self.append(&mut take, &first)?;

        let mut truth = cut.truth.clone();
        truth.found(&first.blocks);
        let mut second = self.start(&first.image, settings.as_deref(), seed ^ 1);
        counts.openings += 1;
        let again = self
            .open(&mut second, &truth)
            .map_err(|why| format!("opened a second time, {why}"))?;
        same_end(&first, &again).map_err(|why| format!("opened a second time, {why}"))?;

        let recovery = Recovery {
            take: &take,
            first: &first,
            bytes: &bytes,
            settings: settings.as_deref(),
        };
        self.interrupt(&recovery, cut, seed, depth, &mut counts)?;
        Ok(counts)
    }

    /// An appliance that was started just now goes on as it must, whatever happened before.
    pub fn resume(&self, take: &mut Take, truth: &Truth) -> Result<(), String> {
        let found = self.open(take, truth)?;
        self.append(take, &found)
    }

    fn start(&self, bytes: &Image, settings: Option<&[u8]>, seed: u64) -> Take {
        // To make an archive takes more memory than to open one, and memory of zeros takes time.
        let memory_bytes = if settings.is_some() {
            OPEN_MEMORY_BYTES
        } else {
            MAKE_MEMORY_BYTES
        };
        let mut take = Take::new(0, self.slots, memory_bytes, self.echo).with(bytes, settings);
        take.world.machines.random = Random::new(seed);
        take.world.machines.say("an appliance is started on this state");
        take.start();
        take
    }

    /// Waits until the archive is open, or makes it if the settings know none; then reads it.
    fn open(&self, take: &mut Take, truth: &Truth) -> Result<Found, String> {
        // The end that is announced, and the disk at that moment: soon the archive writes by itself.
        let mut end = self.announced(take);
        let mut status = take.archive()?;
        if status.is_null() {
            if truth.durable > 0 {
                return Err("the settings do not know the archive, and blocks of it were said to be durable".into());
            }
            self.create(take)?;
            end = self.announced(take);
            status = take.archive()?;
        }
        let state = status["state"].as_str().unwrap_or_default();
        let Some((head, image)) = end.filter(|_| ["ready", "full"].contains(&state)) else {
            return Err(format!(
                "the archive is {state}: {}",
                status["why"].as_str().unwrap_or_default()
            ));
        };
        if status["quarantined"] != 0 {
            return Err(format!("blocks were damaged by nothing: {status}"));
        }
        let blocks = self.read(take, &status, &image, head, truth)?;
        Ok(Found {
            head,
            image,
            blocks,
            status,
        })
    }

    /// An appliance that may only read finds the same end, and writes nothing.
    fn borrow(&self, first: &Found, bytes: &Image, settings: &[u8], seed: u64) -> Result<(), String> {
        let (text, volume) = (String::from_utf8_lossy(settings), format!("volume = \"{VOLUME}\"\n"));
        let read_only = text.replacen(&volume, &format!("{volume}read_only = true\n"), 1);
        if read_only == text {
            // It was not made yet, and `open` has made it.
            return Ok(());
        }
        let mut take = self.start(bytes, Some(read_only.as_bytes()), seed);
        take.pass(SECOND_NS);
        let status = take.archive()?;
        if status["state"] != "ready" || status["head"] != first.head {
            return Err(format!("the log does not end at {}: {status}", first.head));
        }
        match take.disk().current().differing(bytes).first() {
            Some(written) => Err(format!("bytes {written:?} were written")),
            None => Ok(()),
        }
    }

    fn announced(&self, take: &mut Take) -> Option<(u64, Image)> {
        take.pass_until(OPEN_WITHIN_NS, |take| take.durable().is_some());
        let image = take.disk().durable().clone();
        take.durable().map(|head| (head, image))
    }

    /// The archive was never said to be there: whoever wanted it asks again, and types what it is told to type.
    fn create(&self, take: &mut Take) -> Result<(), String> {
        let mut call = json!({ "name": ARCHIVE, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": self.mode });
        if let Err(why) = take.ask("Archive.Create", &call) {
            let typed = why.split("--destroy ").nth(1).and_then(|rest| rest.split('"').next());
            call["destroy"] = typed.ok_or_else(|| why.clone())?.into();
            take.ask("Archive.Create", &call)?;
        }
        take.ready()
    }

    /// Everything between the oldest and the end, by the independent reader; and what the appliance says of it.
    fn read(&self, take: &mut Take, status: &Value, image: &Image, head: u64, truth: &Truth) -> Result<Vec<Block>, String> {
        let number = |field: &str| status[field].as_u64().ok_or_else(|| format!("no {field} in {status}"));
        let shape = geometry(image)?;
        let (said, right) = (number("oldest")?, shape.oldest(number("head")?));
        // One that frees may have done so between its answer and the image.
        let text = take.settings().unwrap_or_default();
        let frees = String::from_utf8_lossy(&text).contains("max_bytes");
        if said != right && !frees {
            return Err(format!("{said} is said to be the oldest block, and {right} is"));
        }
        let oldest = shape.oldest(head);
        let blocks = linked(image, oldest, head, self.breaks)?;
        truth.check(&blocks, oldest, head)?;
        let ends = tracks(&blocks, self.breaks)?;
        let info = take.ask("Archive.Info", &json!({ "name": ARCHIVE }))?;
        for (track, (next, hash)) in ends {
            let said = info["tracks"].as_array().into_iter().flatten().find(|said| {
                let origin: String = track.origin.iter().map(|byte| format!("{byte:02x}")).collect();
                let same = said["origin"].as_str().is_some_and(|text| text.replace('-', "") == origin);
                same && said["camera"] == track.camera.as_str()
            });
            let camera = &track.camera;
            let said = said.ok_or_else(|| format!("{camera} is in the log, and the appliance does not know it"))?;
            if said["next"] != next {
                return Err(format!("{camera} ends at {next}, and the appliance says {}", said["next"]));
            }
            let tip = hash.map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            if tip.is_some() && said["tip"].as_str().map(String::from) != tip {
                return Err(format!(
                    "the newest block of {camera} is another than the appliance says: {said}"
                ));
            }
        }
        Ok(blocks)
    }

    /// Goes on with the archive: nothing that was there changes, and what lay behind the end does not come back.
    fn append(&self, take: &mut Take, first: &Found) -> Result<(), String> {
        if first.status["state"] == "full" {
            return Ok(());
        }
        let known = take.settings().is_some_and(|settings| {
            let text = String::from_utf8_lossy(&settings).into_owned();
            text.contains("/run/camera-0\"")
        });
        if !known {
            take.cameras(1)?;
        }
        let feeders: Vec<_> = (0..APPENDED).map(|_| take.feed(0, 1)).collect();
        take.settle(&feeders)?;
        let status = take.archive()?;
        let durable = status["durable"].as_u64().unwrap_or_default();
        let is_full = status["state"] == "full";
        if durable < first.head + APPENDED && !is_full {
            return Err(format!(
                "{APPENDED} blocks were fed after the recovery, and the log goes from {} to {durable}",
                first.head
            ));
        }
        let image = take.disk().durable().clone();
        let mut truth = Truth::default();
        truth.found(&first.blocks);
        for line in take.log() {
            if let drivers_sim::Logged::Written { bytes, .. } = line {
                truth.written(bytes);
            }
        }
        self.read(take, &status, &image, durable, &truth)
            .map_err(|why| format!("after {APPENDED} more blocks, {why}"))?;
        let verified = take.ask("Archive.Verify", &json!({ "name": ARCHIVE }))?;
        if verified["damaged_count"] != 0 {
            return Err(format!("after {APPENDED} more blocks, verify finds damage: {verified}"));
        }
        Ok(())
    }

    /// Power goes again, in the recovery or while it goes on.
    fn interrupt(&self, recovery: &Recovery<'_>, cut: &Cut, seed: u64, depth: Depth, counts: &mut Counts) -> Result<(), String> {
        let Recovery {
            take,
            first,
            bytes,
            settings,
        } = *recovery;
        let before = cut.settings.as_deref();
        let mut truth = cut.truth.clone();
        if before.is_some() {
            // Whatever was found must be found again, even if nobody was told of it.
            truth.found(&first.blocks);
        }
        let cuts = cuts(take, bytes, before, &truth)?;
        let mut random = Random::new(seed ^ 0x5eed);
        let all: Vec<State> = cuts
            .iter()
            .enumerate()
            .flat_map(|(place, cut)| states(place, cut, true))
            .collect();
        let chosen: Vec<State> = if depth == Depth::EveryInterruption {
            all
        } else {
            vec![all[random.below(all.len() as u64) as usize]]
        };
        for state in chosen {
            let (again, seed) = (&cuts[state.cut], random.bits());
            let bytes = image(again, &state, seed);
            let mut third = self.start(&bytes, again.settings.as_deref(), seed);
            counts.openings += 1;
            counts.within += 1;
            let told = |why: String| format!("interrupted a second time, {why}\n{}", picture(again, &state));
            let found = self.open(&mut third, &again.truth).map_err(told)?;
            if again.settings.is_some() && again.settings.as_deref() == settings && found.head < first.head {
                return Err(told(format!(
                    "its log ends at {}, and at the first opening it ended at {}",
                    found.head, first.head
                )));
            }
        }
        Ok(())
    }
}

/// Two openings of the same bytes find the same.
fn same_end(first: &Found, again: &Found) -> Result<(), String> {
    let hashes = |found: &Found| found.blocks.iter().map(|block| block.header_hash).collect::<Vec<_>>();
    if first.head != again.head || hashes(first) != hashes(again) {
        return Err(format!("the log ends at {} and not at {}", again.head, first.head));
    }
    Ok(())
}
