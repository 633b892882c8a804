//! Histories of targets that are wrong, on purpose or by mistake, against an appliance whose job hauls to them.
//!
//! From one session to the next the target's tip goes back, because it was put back to an earlier state, or forward, because another
//! source served it; it refuses, rejects, acknowledges what was never sent, is another archive, goes away. Whatever it says, the
//! source sends from the tip that it was told on, in order, once, what lies on its disk, under the lease that it was told, and with
//! credit only. In the end, when the target is right, everything arrives.
//!
//! Invariant: what may be sent is read from the durable bytes of the source's disk.

use std::collections::VecDeque;

use blockhaul_core::format::Lease;
use blockhaul_core::haul::wire::{Message, PROTOCOL, WhyRefused, WhyRejected};
use drivers_sim::{Echo, Script, SiteId};
use hal::{Digest, LinkId, Uuid};
use serde_json::json;

use super::actor::Told;
use super::books::{self, NO_HASH, Shelf};
use super::stage::{NAME, SECOND_NS, Stage};
use crate::reader::Track;
use crate::sim::{Report, chunk};

const CAMERAS: [&str; 2] = ["gate", "hall"];
/// Name of the puppet, and of the archive that it says it has.
const FAR: &str = "far";
/// Its identity.
const FAR_ARCHIVE: Uuid = Uuid([0x99; 16]);
const TOKEN: [u8; 32] = [7; 32];
/// Sessions before the last one, in which the target is right.
const SESSIONS: std::ops::RangeInclusive<u64> = 4..=10;
/// The job calls again in this time.
const CALLS_WITHIN_NS: u64 = 120 * SECOND_NS;
/// A source that has something to say says it in this time.
const QUIET_NS: u64 = 3 * SECOND_NS;
/// In the end everything arrives in this time.
const DRAIN_NS: u64 = 120 * SECOND_NS;
/// Credit that a target gives at most.
const CREDIT_MAX: u64 = 6;

/// At the third a source takes the link for bad.
const DIGESTS_MAX: u32 = 3;

/// How a target treats a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// It takes what comes, for a while.
    Wrong,
    /// It takes and acknowledges everything.
    Right,
}

/// A track of a session.
#[derive(Clone, Debug)]
struct Opened {
    camera: usize,
    /// Number that must come next, and the lease that must be shown; none while nothing may be sent.
    open: Option<(u64, Lease)>,
    /// It was rejected: what is still under way may come until it is opened again.
    rejected: bool,
}

struct History {
    stage: Stage,
    puppet: SiteId,
    here: [u8; 16],
    inbox: VecDeque<Told>,
    /// What the disk of the source holds.
    shelves: Vec<Shelf>,
    /// Next number of each camera that the target has.
    stored: Vec<u64>,
    streams: u32,
    leases: u64,
    places: u32,
}

/// One link.
struct Session {
    link: LinkId,
    manner: Manner,
    credit: u64,
    tracks: Vec<Opened>,
    /// Digests that were said not to fit.
    bad_digests: u32,
    /// The source must hang up now.
    must_close: bool,
}

/// Plays the history of a seed.
pub fn play(seed: u64, echo: Echo) -> Result<Report, String> {
    let mut history = History::begin(seed, echo)?;
    let sessions = history.stage.world.machines.random.within(&SESSIONS);
    for _ in 0..sessions {
        if history.stage.chance(40) {
            history.record()?;
        }
        if history.stage.chance(20) {
            history.restart()?;
        }
        history.session(Manner::Wrong)?;
    }
    history.session(Manner::Right)?;
    if history.stage.chance(30) {
        history.another_archive()?;
    }
    Ok(history.stage.report())
}

impl History {
    fn begin(seed: u64, echo: Echo) -> Result<History, String> {
        let mut stage = Stage::new(seed, echo)?;
        let puppet = stage.puppet(FAR)?;
        for camera in CAMERAS {
            let recorder = json!({
                "name": camera, "archive": NAME, "camera": camera, "listen": door(camera), "flush_after_ms": 1000,
            });
            stage.ask("Recorder.Create", recorder)?;
        }
        let here = stage.archive()?;
        let mut history = History {
            stage,
            puppet,
            here,
            inbox: VecDeque::new(),
            shelves: vec![Shelf::default(); CAMERAS.len()],
            stored: vec![0; CAMERAS.len()],
            streams: 0,
            leases: 0,
            places: 0,
        };
        history.record()?;
        let token = Digest(TOKEN).to_string();
        let job = json!({ "name": "out", "from": NAME, "peer": FAR, "archive": FAR, "mode": "always", "token": token });
        history.stage.ask("Job.Create", job)?;
        Ok(history)
    }

    /// The appliance records a few blocks more.
    fn record(&mut self) -> Result<(), String> {
        for camera in CAMERAS {
            for _ in 0..1 + self.stage.draw(4) {
                self.streams += 1;
                let script = Script {
                    stream: self.streams,
                    chunk,
                    chunks: 1,
                    every_ns: 100_000,
                };
                let site = self.stage.site;
                let feeder = self.stage.world.machines.feed_path(site, &door(camera), script);
                if !self.stage.pass_until(DRAIN_NS, |stage| stage.world.machines.is_fed(feeder))? {
                    return Err("a feeder is not read to its end".into());
                }
            }
        }
        self.stage.pass(QUIET_NS)?;
        self.look()
    }

    /// Reads what the source has.
    fn look(&mut self) -> Result<(), String> {
        let durable = self.stage.durable.ok_or("the archive is not open any more")?;
        let all = books::read(self.stage.disk(), durable)?;
        for (camera, name) in CAMERAS.into_iter().enumerate() {
            let track = Track {
                origin: self.here,
                camera: name.into(),
                kind: 1,
            };
            self.shelves[camera] = all.get(&track).cloned().unwrap_or_default();
        }
        Ok(())
    }

    fn restart(&mut self) -> Result<(), String> {
        self.stage.tally.fault("kill of the source between sessions");
        let site = self.stage.site;
        self.stage.world.kill(site);
        self.stage.boot()?;
        self.stage.ready()
    }

    /// The job calls, and says who it is. Earlier calls that nobody answered are over.
    fn called(&mut self) -> Result<LinkId, String> {
        self.stage.ask("Job.Kick", json!({ "name": "out" }))?;
        loop {
            let (link, message) = match self.hear(CALLS_WITHIN_NS)? {
                Some(Told::Frame(link, message, _)) if self.stage.is_up(self.puppet, link) => (link, message),
                Some(Told::Up(_) | Told::Down(_) | Told::Frame(..)) => continue,
                None => return Err(format!("the job does not call for {} s", CALLS_WITHIN_NS / SECOND_NS)),
            };
            match message {
                Some(Message::Hello {
                    protocol: PROTOCOL,
                    token: TOKEN,
                    source,
                    target,
                    ..
                }) if source.0 == self.here && target.as_str() == FAR => return Ok(link),
                other => return Err(format!("a job begins with {other:?}")),
            }
        }
    }

    fn hear(&mut self, within_ns: u64) -> Result<Option<Told>, String> {
        if self.inbox.is_empty() {
            let puppet = self.puppet;
            self.stage.pass_until(within_ns, |stage| !stage.told(puppet).is_empty())?;
            self.inbox = self.stage.take_told(puppet);
        }
        Ok(self.inbox.pop_front())
    }

    fn say(&mut self, link: LinkId, message: &Message) {
        self.stage.send(self.puppet, link, message, &[]);
    }

    /// Gives credit for a body, and memory for it.
    fn lend(&mut self, link: LinkId, blocks: u64) {
        for _ in 0..blocks {
            self.places = (self.places + 1) % 64;
            self.stage.lend(self.puppet, link, self.places);
        }
    }

    fn welcome(&mut self, link: LinkId, archive: Uuid, blocks: u64) {
        self.lend(link, blocks);
        let welcome = Message::Welcome {
            protocol: PROTOCOL,
            archive,
            credit: blocks as u32,
            free_slots: 100,
            utc_ns: 1,
        };
        self.say(link, &welcome);
    }

    fn session(&mut self, manner: Manner) -> Result<(), String> {
        self.look()?;
        let link = self.called()?;
        if manner == Manner::Wrong && self.stage.chance(10) {
            self.stage.tally.fault("refusal");
            let why = WhyRefused::NotReady;
            self.say(link, &Message::Refused { why });
            return self.end(link);
        }
        let credit = match manner {
            Manner::Wrong => self.stage.draw(CREDIT_MAX + 1),
            Manner::Right => CREDIT_MAX,
        };
        self.welcome(link, FAR_ARCHIVE, credit);
        let mut session = Session {
            link,
            manner,
            credit,
            tracks: Vec::new(),
            bad_digests: 0,
            must_close: false,
        };
        let frames = 5 + self.stage.draw(40);
        let limit_ns = self.stage.now_ns() + DRAIN_NS;
        let mut heard = 0;
        loop {
            match self.hear(QUIET_NS)? {
                Some(Told::Frame(of, message, body)) if of == link => {
                    let message = message.ok_or("a source sends a message that cannot be read")?;
                    self.on_message(&mut session, message, &body)?;
                    heard += 1;
                }
                Some(Told::Down(of)) if of == link => {
                    if session.must_close {
                        return Ok(());
                    }
                    return Err("a source hangs up on a target that said nothing wrong".into());
                }
                Some(_) => {}
                None if session.must_close => return Err("a source keeps a link on which nonsense was said".into()),
                None if manner == Manner::Wrong || self.has_caught_up()? => break,
                None => {}
            }
            if manner == Manner::Wrong && heard >= frames && !session.must_close {
                break;
            }
            if self.stage.now_ns() > limit_ns {
                let job = self.stage.ask("Job.Show", json!({ "name": "out" }))?["job"].take();
                let stored: Vec<_> = CAMERAS.iter().zip(&self.stored).collect();
                return Err(format!(
                    "a target that is right has {stored:?} after {} s: {job}",
                    DRAIN_NS / SECOND_NS
                ));
            }
            self.say(link, &Message::Heartbeat);
        }
        self.end(link)
    }

    /// The target has everything, and the job knows it.
    fn has_caught_up(&mut self) -> Result<bool, String> {
        let job = self.stage.ask("Job.Show", json!({ "name": "out" }))?["job"].take();
        let is_done = job["state"] == "caught-up" && job["backlog_blocks"] == 0;
        let has_all = self
            .stored
            .iter()
            .zip(&self.shelves)
            .all(|(stored, shelf)| *stored == shelf.next);
        if is_done && !has_all {
            return Err(format!("the target has {:?}, and the job is {job}", self.stored));
        }
        Ok(is_done)
    }

    /// The target goes away.
    fn end(&mut self, link: LinkId) -> Result<(), String> {
        self.stage.hang_up(self.puppet, link)?;
        self.inbox.clear();
        Ok(())
    }

    fn on_message(&mut self, session: &mut Session, message: Message, body: &[u8]) -> Result<(), String> {
        match message {
            Message::Heartbeat | Message::Ended { .. } => Ok(()),
            Message::Open {
                track, origin, camera, ..
            } => self.on_open(session, track, origin, camera.as_str()),
            Message::Block {
                track,
                lease,
                hash,
                fill: false,
            } => self.on_block(session, track, lease, hash, body),
            Message::Gap { track, from, to, .. } => Err(format!(
                "track {track} is said to miss {from} to {to}, and they are all on the disk"
            )),
            other => Err(format!("a source says {other:?} to a target that is open to it")),
        }
    }

    fn on_open(&mut self, session: &mut Session, track: u32, origin: Uuid, name: &str) -> Result<(), String> {
        let camera = CAMERAS.iter().position(|camera| *camera == name);
        let camera = camera
            .filter(|_| origin.0 == self.here)
            .ok_or("a source opens a track that it does not have")?;
        let place = track as usize;
        if place > session.tracks.len() || session.tracks.get(place).is_some_and(|known| known.camera != camera) {
            return Err(format!("{name} is opened as track {track}, which is not its number"));
        }
        let opened = Opened {
            camera,
            open: None,
            rejected: false,
        };
        match session.tracks.get_mut(place) {
            Some(known) if known.open.is_some() => return Err(format!("{name} is opened twice")),
            Some(known) => *known = opened,
            None => session.tracks.push(opened),
        }
        if session.manner == Manner::Wrong && self.stage.chance(10) {
            self.stage.tally.fault("track refused");
            let why = [
                WhyRejected::Held(0),
                WhyRejected::Full,
                WhyRejected::Closed,
                WhyRejected::Scope,
            ];
            let why = why[self.stage.draw(4) as usize];
            self.say(
                session.link,
                &Message::Rejected {
                    track,
                    why,
                    holder: None,
                },
            );
            return Ok(());
        }
        self.tell_tip(session, track, camera);
        Ok(())
    }

    /// Tells where a track stands: where it stood, further back, further on, or what cannot be.
    fn tell_tip(&mut self, session: &mut Session, track: u32, camera: usize) {
        let (stored, end) = (self.stored[camera], self.shelves[camera].next);
        let how = if session.manner == Manner::Right {
            0
        } else {
            self.stage.draw(100)
        };
        let (next, may_send) = match how {
            0..30 => (stored, true),
            30..60 => {
                self.stage.tally.fault("tip that went back");
                (self.stage.draw(stored + 1), true)
            }
            60..80 => {
                self.stage.tally.fault("tip that went forward");
                (stored + self.stage.draw(end - stored + 1), true)
            }
            80..90 => {
                self.stage.tally.fault("tip beyond the source's");
                (end + 1 + self.stage.draw(3), false)
            }
            _ if end > 0 => {
                self.stage.tally.fault("tip of another history");
                (end, false)
            }
            _ => (stored, true),
        };
        let known = next.checked_sub(1).and_then(|last| self.shelves[camera].blocks.get(&last));
        let hash = match known {
            Some(_) if !may_send => [0x5a; 32],
            Some((hash, _)) if self.stage.chance(80) => *hash,
            Some(_) | None => NO_HASH,
        };
        self.leases += 1;
        let lease = Lease {
            counter: self.leases,
            nonce: self.stage.draw(u64::MAX),
        };
        if may_send {
            self.stored[camera] = next;
            session.tracks[track as usize].open = Some((next, lease));
        }
        let hash = Digest(hash);
        let tip = Message::Tip {
            track,
            next,
            hash,
            lease,
        };
        self.say(session.link, &tip);
    }

    fn on_block(&mut self, session: &mut Session, track: u32, lease: Lease, hash: Digest, body: &[u8]) -> Result<(), String> {
        let credit = session.credit.checked_sub(1);
        session.credit = credit.ok_or("a block is sent without credit")?;
        let known = session
            .tracks
            .get_mut(track as usize)
            .ok_or("a block of a track that is not open")?;
        let name = CAMERAS[known.camera];
        let Some((next, told)) = known.open else {
            let under_way = known.rejected || session.must_close;
            self.give(session, 1);
            return under_way
                .then_some(())
                .ok_or_else(|| format!("a block of {name} is sent, which was not opened"));
        };
        let camera = known.camera;
        let number = body
            .get(104..112)
            .and_then(|bytes| bytes.try_into().ok())
            .map(u64::from_le_bytes);
        if number != Some(next) {
            return Err(format!(
                "{name} goes on with {number:?}, and the target told that {next} is next"
            ));
        }
        if lease != told {
            return Err(format!("block {next} of {name} shows lease {lease:?}, and {told:?} was told"));
        }
        let there = self.shelves[camera].blocks.get(&next);
        let right = there.is_some_and(|(there, payload)| {
            *there == hash.0
                && body.get(..3328).is_some_and(|part| *blake3::hash(part).as_bytes() == *there)
                && body[3840..] == **payload
        });
        if !right {
            return Err(format!("block {next} of {name} is not the one on the source's disk"));
        }
        session.tracks[track as usize].open = Some((next + 1, lease));
        self.stored[camera] = next + 1;
        self.answer_block(session, track, camera);
        Ok(())
    }

    /// Acknowledges, rejects, gives credit, or not.
    fn answer_block(&mut self, session: &mut Session, track: u32, camera: usize) {
        let next = self.stored[camera];
        let ack = |next| Message::Ack {
            track,
            next,
            duplicate: false,
        };
        if session.manner == Manner::Right {
            self.say(session.link, &ack(next));
            return self.give(session, 1);
        }
        match self.stage.draw(100) {
            0..60 => self.say(session.link, &ack(next)),
            60..66 => {
                self.stage.tally.fault("rejection under way");
                let wrong = self.stage.draw(next + 3);
                let why = [WhyRejected::Expected(wrong), WhyRejected::Fenced, WhyRejected::Digest];
                let why = why[self.stage.draw(3) as usize];
                self.say(
                    session.link,
                    &Message::Rejected {
                        track,
                        why,
                        holder: None,
                    },
                );
                session.bad_digests += u32::from(why == WhyRejected::Digest);
                session.must_close |= session.bad_digests == DIGESTS_MAX;
                let known: &mut Opened = &mut session.tracks[track as usize];
                (known.open, known.rejected) = (None, true);
            }
            66..69 => {
                self.stage.tally.fault("acknowledgement of what was never there");
                let end = self.shelves[camera].next;
                self.say(session.link, &ack(end + 1));
                session.must_close = true;
            }
            69..72 => {
                self.stage.tally.fault("acknowledgement that goes back");
                let before = self.stage.draw(next);
                self.say(session.link, &ack(before));
            }
            _ => {}
        }
        let credit = self.stage.draw(3);
        self.give(session, credit);
    }

    fn give(&mut self, session: &mut Session, blocks: u64) {
        let blocks = blocks.min(CREDIT_MAX - session.credit.min(CREDIT_MAX));
        if blocks > 0 {
            self.lend(session.link, blocks);
            session.credit += blocks;
            let blocks = blocks as u32;
            self.say(session.link, &Message::Credit { blocks });
        }
    }

    /// Another archive answers under the name: nothing goes there, and a person is asked.
    fn another_archive(&mut self) -> Result<(), String> {
        self.stage.tally.fault("another archive under the name");
        self.record()?;
        let link = self.called()?;
        self.welcome(link, Uuid([0x98; 16]), 1);
        loop {
            match self.hear(QUIET_NS)? {
                Some(Told::Down(of)) if of == link => break,
                Some(Told::Frame(_, Some(Message::Heartbeat), _)) => {}
                other => return Err(format!("another archive under the name is told {other:?}")),
            }
        }
        let job = self.stage.ask("Job.Show", json!({ "name": "out" }))?["job"].take();
        if job["state"] != "needs-decision" {
            return Err(format!("another archive is under the name, and the job is {job}"));
        }
        Ok(())
    }
}

fn door(camera: &str) -> String {
    format!("/run/{camera}")
}
