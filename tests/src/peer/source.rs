//! Histories of sources that are wrong, on purpose or by mistake, against an appliance that is their target.
//!
//! Two sources with keys and grants of their own append two tracks of one origin, rightly and in every wrong way that a message can
//! say. What must come of each message is the table of `docs/protocol.md`; what must lie on the disk is what was sent rightly,
//! and nothing else. Not a source of the product: that one is `target.rs`.
//!
//! Invariant: after every message the log on the durable bytes is exactly what it should be.

use std::collections::{BTreeMap, BTreeSet};

use blockhaul_core::format::Lease;
use blockhaul_core::haul::wire::{Message, WhyRejected};
use drivers_sim::{Echo, SiteId};
use hal::{Digest, Uuid};
use serde_json::json;

use super::block::Made;
use super::books::{self, NO_HASH, Shelf};
use super::stage::{NAME, SECOND_NS, Stage};
use super::wire::{Answer, Opened, Wire, hello};
use super::wrong::{WRONGS, Wrong};
use crate::reader::Track;
use crate::sim::Report;

/// The archive in which the tracks say that they were recorded.
const ORIGIN: [u8; 16] = [0x77; 16];
/// Cameras: the second source may append the first one only.
const CAMERAS: [&str; 2] = ["gate", "hall"];
/// Kind of the tracks in messages, and its number in headers.
const KIND: blockhaul_core::Kind = blockhaul_core::Kind::Video;
const KIND_NUMBER: u8 = 1;
/// Messages of a history.
const MESSAGES: std::ops::RangeInclusive<u64> = 20..=60;
/// A clean end of a link reaches the other side in this time.
const SOON_NS: u64 = SECOND_NS / 5;

/// One source.
struct Source {
    puppet: SiteId,
    key: [u8; 32],
    token: [u8; 32],
    wire: Option<Wire>,
}

/// A history on its way.
pub struct History {
    pub(super) stage: Stage,
    sources: Vec<Source>,
    /// What must be in the log.
    shelves: BTreeMap<Track, Shelf>,
    /// Hash of the last block of each camera, or the one that a gap told; zero if it is not known.
    pub(super) tips: [[u8; 32]; CAMERAS.len()],
    /// Leases of each camera that were ever told.
    pub(super) leases: [BTreeSet<(u64, u64)>; CAMERAS.len()],
    /// Blocks that were taken.
    pub(super) made: BTreeMap<(usize, u64), Made>,
    payloads: u64,
}

/// The track of a camera.
pub(super) fn track(camera: usize) -> Track {
    Track {
        origin: ORIGIN,
        camera: CAMERAS[camera].into(),
        kind: KIND_NUMBER,
    }
}

/// Plays the history of a seed.
pub fn play(seed: u64, echo: Echo) -> Result<Report, String> {
    let mut history = History::begin(seed, echo)?;
    let range = MESSAGES;
    let messages = history.stage.world.machines.random.within(&range);
    for _ in 0..messages {
        match history.stage.draw(100) {
            0..8 => history.restart()?,
            8..16 => history.leave()?,
            _ => history.exchange()?,
        }
        history.compare()?;
    }
    history.stage.pass(SECOND_NS)?;
    history.compare()?;
    Ok(history.stage.report())
}

impl History {
    fn begin(seed: u64, echo: Echo) -> Result<History, String> {
        let mut stage = Stage::new(seed, echo)?;
        let mut sources = Vec::new();
        for (name, cameras) in [("north", json!([])), ("south", json!([CAMERAS[0]]))] {
            let puppet = stage.puppet(name)?;
            let grant = stage.ask("Grant.Create", json!({ "peer": name, "archive": NAME, "cameras": cameras }))?;
            let token = grant["token"].as_str().and_then(|token| token.parse::<Digest>().ok());
            sources.push(Source {
                puppet,
                key: stage.world.machines.site(puppet).fingerprint.0,
                token: token.ok_or("a token is 64 hexadecimal digits")?.0,
                wire: None,
            });
        }
        Ok(History {
            stage,
            sources,
            shelves: BTreeMap::new(),
            tips: [NO_HASH; CAMERAS.len()],
            leases: Default::default(),
            made: BTreeMap::new(),
            payloads: 0,
        })
    }

    /// What must be there of a camera.
    pub(super) fn shelf(&self, camera: usize) -> Shelf {
        self.shelves.get(&track(camera)).cloned().unwrap_or_default()
    }

    /// Bytes that no other block has.
    pub(super) fn payload(&mut self) -> Vec<u8> {
        self.payloads += 1;
        let length = 1 + self.stage.draw(3000) as usize;
        let mut payload = format!("piece {} ", self.payloads).into_bytes();
        payload.resize(payload.len() + length, b'.');
        payload
    }

    /// The next block of a camera, as it should be.
    pub(super) fn next_block(&mut self, camera: usize) -> Made {
        let payload = self.payload();
        Made::new(&track(camera), self.shelf(camera).next, self.tips[camera], &payload)
    }

    /// The log on the durable bytes is what it should be.
    fn compare(&self) -> Result<(), String> {
        let there = self.read()?;
        for (camera, name) in CAMERAS.iter().enumerate() {
            let (there, right) = (there.get(&track(camera)).cloned().unwrap_or_default(), self.shelf(camera));
            // The hash before a gap's end may be told by its source; a reader of the log does not take its word.
            if there != right {
                let what = |shelf: &Shelf| (shelf.next, shelf.blocks.len(), shelf.gaps.clone(), shelf.lease);
                return Err(format!(
                    "the log has {:?} of {}, and {:?} was rightly sent (next, blocks, gaps, lease)",
                    what(&there),
                    name,
                    what(&right)
                ));
            }
        }
        if let Some(track) = there
            .keys()
            .find(|there| !(0..CAMERAS.len()).any(|camera| track(camera) == **there))
        {
            return Err(format!("the log has a track {} that was never rightly opened", track.camera));
        }
        Ok(())
    }

    fn read(&self) -> Result<BTreeMap<Track, Shelf>, String> {
        books::read(
            self.stage.disk(),
            self.stage.durable.ok_or("the archive is not open any more")?,
        )
    }

    /// The appliance ends in one of three ways, at rest, and starts again.
    fn restart(&mut self) -> Result<(), String> {
        let site = self.stage.site;
        match self.stage.draw(3) {
            0 => {
                self.stage.tally.fault("power cut at rest");
                self.stage.world.power_cut(site);
            }
            1 => {
                self.stage.tally.fault("kill at rest");
                self.stage.world.kill(site);
            }
            _ => {
                self.stage.tally.fault("stop");
                self.stage.world.machines.ask_stop(site);
                let stopped = |stage: &Stage| !stage.world.machines.site(site).is_running();
                if !self.stage.pass_until(60 * SECOND_NS, stopped)? {
                    return Err("the appliance does not stop".into());
                }
            }
        }
        self.start_again()
    }

    fn start_again(&mut self) -> Result<(), String> {
        self.stage.boot()?;
        self.stage.ready()?;
        for place in 0..self.sources.len() {
            self.hang_up(place)?;
        }
        Ok(())
    }

    /// A source loses its link.
    fn leave(&mut self) -> Result<(), String> {
        self.stage.tally.fault("link closed");
        let place = self.stage.draw(self.sources.len() as u64) as usize;
        self.hang_up(place)
    }

    fn hang_up(&mut self, place: usize) -> Result<(), String> {
        if let Some(wire) = self.sources[place].wire.take() {
            wire.hang_up(&mut self.stage)?;
            self.stage.pass(SOON_NS)?;
        }
        Ok(())
    }

    /// One source says something about one camera.
    fn exchange(&mut self) -> Result<(), String> {
        let place = self.stage.draw(self.sources.len() as u64) as usize;
        let scope = if place == 0 || self.stage.chance(10) {
            CAMERAS.len()
        } else {
            1
        };
        let camera = self.stage.draw(scope as u64) as usize;
        if self.is_held(place, camera) && self.stage.chance(80) {
            self.hang_up(1 - place)?;
        }
        if self.sources[place].wire.is_none() {
            let Source { puppet, token, .. } = self.sources[place];
            self.sources[place].wire = Some(Wire::hello(&mut self.stage, puppet, ORIGIN, token)?);
        }
        let Some((number, lease)) = self.open(place, camera)? else {
            return Ok(());
        };
        match self.stage.draw(100) {
            0..30 => self.right(place, camera, number, lease),
            30..40 => self.burst(place, camera, number, lease),
            _ => self.wrong(place, camera, number, lease),
        }
    }

    fn ask(&mut self, place: usize, message: &Message, body: &[u8], number: u32) -> Result<Answer, String> {
        let wire = self.sources[place].wire.as_mut().ok_or("a link is made first")?;
        wire.ask(&mut self.stage, message, body, number)
    }

    /// Whether a link of the other source has the track of a camera.
    fn is_held(&self, place: usize, camera: usize) -> bool {
        let mut tracks = self.sources[1 - place].wire.iter().flat_map(|wire| &wire.tracks);
        tracks.any(|opened| opened.camera == camera && opened.lease.is_some())
    }

    fn tracks(&mut self, place: usize) -> &mut Vec<Opened> {
        &mut self.sources[place].wire.as_mut().expect("a link is made first").tracks
    }

    /// The number of a track on a link and its lease, if it may be appended now.
    fn open(&mut self, place: usize, camera: usize) -> Result<Option<(u32, Lease)>, String> {
        let tracks = self.tracks(place);
        let number = tracks
            .iter()
            .position(|opened| opened.camera == camera)
            .unwrap_or(tracks.len());
        match tracks.get(number) {
            Some(Opened { lease: Some(lease), .. }) => return Ok(Some((number as u32, *lease))),
            Some(_) => {}
            None => tracks.push(Opened { camera, lease: None }),
        }
        let held = self.is_held(place, camera);
        let message = Message::Open {
            // It never has more: so nobody loses a track to it.
            has: 0,
            track: number as u32,
            origin: Uuid(ORIGIN),
            camera: CAMERAS[camera].parse().expect("a name"),
            kind: KIND,
            beside: false,
        };
        let answer = self.ask(place, &message, &[], number as u32)?;
        let refusal = match (place, camera) {
            (1, 1) => Some(WhyRejected::Scope),
            _ if held => Some(WhyRejected::Held(self.shelf(camera).next)),
            _ => None,
        };
        if let Some(why) = refusal {
            *self.stage.tally.struck.entry("tracks that may not be opened").or_default() += 1;
            return expect(&answer, &[Answer::Rejected(why)], "open").map(|()| None);
        }
        let Answer::Tip { next, hash, lease } = answer else {
            return Err(format!("an open track is answered with {answer:?}"));
        };
        let shelf = self.shelf(camera);
        if (next, hash.0) != (shelf.next, self.tips[camera]) {
            return Err(format!(
                "the tip of {} is told as {next}, {hash}, and is {}",
                CAMERAS[camera], shelf.next
            ));
        }
        self.judge_lease(place, camera, &lease)?;
        self.tracks(place)[number].lease = Some(lease);
        Ok(Some((number as u32, lease)))
    }

    /// The holder of the newest lease keeps it, whatever happened since; anybody else gets a newer one.
    fn judge_lease(&mut self, place: usize, camera: usize, lease: &Lease) -> Result<(), String> {
        let (told, key) = ((lease.counter, lease.nonce), self.sources[place].key);
        let newest = self.shelf(camera).lease;
        let right = match newest {
            Some((before, holder)) if holder == key => told == before,
            Some((before, _)) => told.0 > before.0 && !self.leases[camera].contains(&told),
            None => told.0 > 0,
        };
        if !right {
            return Err(format!(
                "lease {told:?} of {} is told, and {newest:?} was the newest with its holder",
                CAMERAS[camera]
            ));
        }
        self.leases[camera].insert(told);
        self.shelves.entry(track(camera)).or_default().lease = Some((told, key));
        Ok(())
    }

    fn take(&mut self, camera: usize, block: Made) {
        let shelf = self.shelves.entry(track(camera)).or_default();
        shelf.blocks.insert(shelf.next, (block.hash, block.payload().to_vec()));
        self.tips[camera] = block.hash;
        self.made.insert((camera, shelf.next), block.clone());
        shelf.next += 1;
        shelf.tip = Some(block.hash);
    }

    /// A block as it should be, or a gap at the tip.
    fn right(&mut self, place: usize, camera: usize, number: u32, lease: Lease) -> Result<(), String> {
        let next = self.shelf(camera).next;
        if self.stage.chance(20) {
            let to = next + 1 + self.stage.draw(4);
            let hash_after = if self.stage.chance(50) { [to as u8; 32] } else { NO_HASH };
            let message = gap(number, lease, next..to, hash_after);
            let answer = self.ask(place, &message, &[], number)?;
            let shelf = self.shelves.entry(track(camera)).or_default();
            shelf.gaps.push(next..to);
            shelf.next = to;
            shelf.tip = None;
            self.tips[camera] = hash_after;
            return expect(&answer, &[ack(to)], "gap at the tip");
        }
        let block = self.next_block(camera);
        let message = message_of(number, lease, &block);
        let answer = self.ask(place, &message, &block.body, number)?;
        self.take(camera, block);
        expect(&answer, &[ack(next + 1)], "right block")
    }

    /// Many right blocks at once; the appliance may lose power, die or be told nonsense meanwhile.
    fn burst(&mut self, place: usize, camera: usize, number: u32, lease: Lease) -> Result<(), String> {
        let before = self.shelf(camera).next;
        let mut sent = Vec::new();
        let mut tip = self.tips[camera];
        for count in 0..2 + self.stage.draw(5) {
            let payload = self.payload();
            let block = Made::new(&track(camera), before + count, tip, &payload);
            tip = block.hash;
            let message = message_of(number, lease, &block);
            let wire = self.sources[place].wire.as_mut().ok_or("a link is made first")?;
            wire.say(&mut self.stage, &message, &block.body)?;
            sent.push(block);
        }
        let cut = self.stage.chance(50);
        if cut {
            self.stage.tally.fault("power cut or kill while blocks come");
            let span_ns = self.stage.draw(SECOND_NS / 20);
            self.stage.pass(span_ns)?;
            let site = self.stage.site;
            if self.stage.chance(50) {
                self.stage.world.power_cut(site);
            } else {
                self.stage.world.kill(site);
            }
            self.start_again()?;
            let there = self.read()?.get(&track(camera)).map_or(0, |shelf| shelf.next);
            let taken = there.checked_sub(before).filter(|taken| *taken <= sent.len() as u64);
            let taken =
                taken.ok_or_else(|| format!("{before} blocks were there, {} were sent, and {there} are there", sent.len()))?;
            sent.truncate(taken as usize);
            sent.into_iter().for_each(|block| self.take(camera, block));
            return Ok(());
        }
        let end = before + sent.len() as u64;
        sent.into_iter().for_each(|block| self.take(camera, block));
        let wire = self.sources[place].wire.as_mut().ok_or("a link is made first")?;
        let mut told = before;
        while told < end {
            match wire.answer(&mut self.stage, number)? {
                Answer::Ack { next, duplicate: false } if next > told && next <= end => told = next,
                answer => return Err(format!("right blocks from {before} to {end} are answered with {answer:?}")),
            }
        }
        Ok(())
    }

    /// A message that is wrong in one way: it is answered as it should be, and changes nothing.
    fn wrong(&mut self, place: usize, camera: usize, number: u32, lease: Lease) -> Result<(), String> {
        let wrong = WRONGS[self.stage.draw(WRONGS.len() as u64) as usize];
        let Some((message, body, right)) = wrong.message(self, camera, number, lease) else {
            return self.right(place, camera, number, lease);
        };
        self.stage.say(wrong.words());
        self.stage.tally.fault(wrong.words());
        let about = if wrong == Wrong::UnknownTrack { number + 40 } else { number };
        let answer = self.ask(place, &message, &body, about)?;
        expect(&answer, &right, wrong.words())?;
        match answer {
            Answer::Closed => self.hung_up(place),
            Answer::Rejected(_) => self.stopped(place, camera, number, lease),
            Answer::Tip { .. } | Answer::Ack { .. } | Answer::Nothing => Ok(()),
        }
    }

    /// A track that was stopped takes nothing until it is opened again.
    fn stopped(&mut self, place: usize, camera: usize, number: u32, lease: Lease) -> Result<(), String> {
        self.tracks(place)[number as usize].lease = None;
        if self.stage.chance(30) {
            let block = self.next_block(camera);
            let message = message_of(number, lease, &block);
            let answer = self.ask(place, &message, &block.body, number)?;
            return expect(&answer, &[Answer::Nothing], "right block for a stopped track");
        }
        Ok(())
    }

    fn hung_up(&mut self, place: usize) -> Result<(), String> {
        self.sources[place].wire = None;
        self.stage.pass(SOON_NS)
    }
}

/// The acknowledgement of something new.
pub(super) fn ack(next: u64) -> Answer {
    Answer::Ack { next, duplicate: false }
}

/// The message that goes before a block.
pub(super) fn message_of(track: u32, lease: Lease, block: &Made) -> Message {
    let hash = Digest(block.hash);
    let fill = false;
    Message::Block {
        track,
        lease,
        hash,
        fill,
    }
}

/// The statement of a gap.
pub(super) fn gap(track: u32, lease: Lease, missing: std::ops::Range<u64>, hash_after: [u8; 32]) -> Message {
    Message::Gap {
        track,
        lease,
        from: missing.start,
        to: missing.end,
        reason: blockhaul_core::control::types::GapReason::Damaged,
        hash_after: Digest(hash_after),
    }
}

/// A second greeting.
pub(super) fn second_hello() -> Message {
    hello(ORIGIN, [7; 32])
}

fn expect(answer: &Answer, right: &[Answer], what: &str) -> Result<(), String> {
    if right.contains(answer) {
        return Ok(());
    }
    Err(format!("{what}: answered with {answer:?}, and {right:?} is right"))
}
