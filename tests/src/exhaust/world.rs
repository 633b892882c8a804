//! The whole state: sites, links, time, and how many faults and crashes are left. It can be cloned, compared by key and
//! stepped.
//!
//! What may happen next is in `choice.rs`, what must hold in `judge.rs`. Invariants: one event is handed over at a time; time
//! passes only when a timer is chosen.

use std::collections::BTreeMap;
use std::rc::Rc;

use blockhaul_core::haul::wire;
use blockhaul_core::{Appliance, Board};
use hal::{ClockQuality, Event, FeedId, Instant, LinkId, Moment, Op, Role, Span, Tag};

use super::bench::Bench;
use super::disk::Write;
use super::judge::Kept;
use super::links::{End, Item, Link, Sending};
use super::pages::{BYTES, Store};
use super::site::{Door, Fill, Flight, Site, Work};

/// When the first appliance starts: far from any other number, so that a time can be told from a count.
pub const BEGIN_NS: u64 = 0x5a00_0000_0000_0000;
/// Client number of the judge, whom nobody else has.
const JUDGE: hal::ClientId = hal::ClientId(u64::MAX);

/// How the world goes on from here.
#[derive(Clone, Debug)]
pub struct World {
    /// Sites.
    pub sites: Vec<Site>,
    /// Connections that are not over.
    pub links: Vec<Link>,
    /// Nanoseconds since boot, everywhere.
    pub now_ns: u64,
    /// Faults that may still strike.
    pub faults_left: u32,
    /// Power cuts that may still come.
    pub crashes_left: u32,
    /// Restarts by a person that may still be needed: one for each fault that struck.
    pub restarts_left: u32,
    /// When the last fault, crash or restart was.
    pub calm_since_ns: u64,
    /// What was acknowledged.
    pub kept: Kept,
    /// By link end: tracks that the source has opened, by their number.
    pub opened: BTreeMap<(usize, LinkId, u32), super::judge::Track>,
}

impl World {
    /// Sites where nothing runs.
    pub fn new(sites: Vec<Site>) -> World {
        World {
            sites,
            links: Vec::new(),
            now_ns: BEGIN_NS,
            faults_left: 0,
            crashes_left: 0,
            restarts_left: 0,
            calm_since_ns: BEGIN_NS,
            kept: Kept::default(),
            opened: BTreeMap::new(),
        }
    }

    /// The clocks. Nobody has set the wall clock: blocks do not differ by it.
    pub fn moment(&self) -> Moment {
        Moment {
            at: Instant::from_ns(self.now_ns),
            utc_ns: 0,
            quality: ClockQuality::Unset,
        }
    }

    /// Starts what runs on a site.
    pub fn start(&mut self, at: usize, bench: &Bench) -> Result<(), String> {
        let now = self.moment();
        let site = &mut self.sites[at];
        site.starts += 1;
        let seed = *blake3::hash(format!("{} {}", site.name, site.starts).as_bytes()).as_bytes();
        let board = Board {
            fingerprint: site.key,
            version: "exhaust",
            listening: Vec::new(),
            seed,
            settings: site.settings.as_ref().map(|document| document.to_vec()),
            kept_events: Vec::new(),
            memory_bytes: (site.memory.len() * BYTES) as u32,
        };
        let mut ops = Vec::new();
        let brain = Appliance::start(board, now, &mut ops).map_err(|why| format!("{} does not start: {why}", site.name))?;
        site.brain = Some(Rc::new(brain));
        for op in ops {
            self.submit(at, op, bench)?;
        }
        Ok(())
    }

    /// Hands an event to what runs on a site, and starts what it wants.
    pub fn hand(&mut self, at: usize, event: Event, bench: &mut Bench) -> Result<(), String> {
        let now = self.moment();
        self.note_opened(at, &event);
        let site = &mut self.sites[at];
        let Some(brain) = &mut site.brain else { return Ok(()) };
        let brain = Rc::make_mut(brain);
        bench.arena.load(&site.memory, &bench.store);
        let mut ops = std::mem::take(&mut bench.ops);
        brain.step(now, event, &mut bench.arena, &mut ops);
        let brain = &*brain;
        bench
            .arena
            .unload(&mut site.memory, &mut bench.store, |page| brain.uses_memory(page));
        for op in ops.drain(..) {
            self.submit(at, op, bench)?;
        }
        bench.ops = ops;
        Ok(())
    }

    /// Sends a control call to a site.
    pub fn call(&mut self, at: usize, message: String, bench: &mut Bench) -> Result<(), String> {
        let event = Event::Call {
            client: JUDGE,
            role: Role::Admin,
            uid: 0,
            message: message.into_bytes(),
        };
        self.hand(at, event, bench)
    }

    fn note_opened(&mut self, at: usize, event: &Event) {
        if let Event::Frame { link, message, .. } = event
            && let Some(wire::Message::Open {
                track,
                origin,
                camera,
                kind,
                ..
            }) = wire::Message::decode(message)
        {
            let named = super::judge::Track {
                origin: origin.0,
                camera: camera.as_str().into(),
                kind: kind as u8,
            };
            self.opened.insert((at, *link, track), named);
        }
    }

    fn span_pages(&self, at: usize, span: Span) -> Rc<[super::pages::Page]> {
        let from = span.offset_bytes as usize / BYTES;
        let to = span.end_bytes() as usize / BYTES;
        (from..to).map(|page| self.sites[at].memory.get(page)).collect()
    }

    fn fly(&mut self, at: usize, tag: Tag, work: Work) {
        let since_ns = self.now_ns;
        let site = &mut self.sites[at];
        // At the start the brain is not in its place yet when it submits; what it opens is unmistakable.
        let purpose = site.brain.as_ref().map_or(String::new(), |brain| brain.purpose(tag)).into();
        site.fly(Flight {
            purpose,
            work,
            tag,
            since_ns,
        });
    }

    fn submit(&mut self, at: usize, op: Op, bench: &Bench) -> Result<(), String> {
        let now_ns = self.now_ns;
        match op {
            Op::Open { tag, .. } => self.fly(at, tag, Work::Open),
            Op::Read { tag, at_bytes, into, .. } => {
                let page = at_bytes as usize / BYTES;
                self.fly(at, tag, Work::Read { at: page, into });
            }
            Op::Write { tag, at_bytes, from, .. } => {
                let pages = self.span_pages(at, from);
                let page = at_bytes as usize / BYTES;
                self.fly(at, tag, Work::Write(Write { at: page, pages }));
            }
            Op::Flush { tag, .. } => {
                let below = self.sites[at].disk.completed();
                self.fly(at, tag, Work::Flush { below });
            }
            Op::Discard { tag, .. } | Op::Close { tag, .. } => self.fly(at, tag, Work::Nothing),
            Op::SaveSettings { tag, document } => self.fly(at, tag, Work::Save(document.into())),
            Op::OpenFeed { feed, path } => {
                let door = Door {
                    path: path.into(),
                    fill: None,
                };
                self.sites[at].doors.insert(feed, door);
                self.fly(at, Tag(u64::MAX), Work::Door(feed));
            }
            Op::Fill { feed, into, until } => self.fill(at, feed, Some(into), until),
            Op::Drain { feed, until } => self.fill(at, feed, None, until),
            Op::TrustKeys { keys } => self.sites[at].trusted = keys,
            Op::Dial { link, route, .. } => {
                let to = self.sites.iter().position(|site| site.name == route.host);
                let to = to.ok_or_else(|| format!("a call to {}, who is not here", route.host))?;
                let mut acceptor = End::new(to, LinkId(0));
                acceptor.over = true;
                self.links.push(Link {
                    ends: [End::new(at, link), acceptor],
                    since_ns: now_ns,
                });
            }
            Op::Receive { link, into } => {
                if let Some(end) = self.end(at, link) {
                    end.lent.push_back(into);
                }
            }
            Op::Send {
                tag,
                link,
                message,
                body,
            } => self.send(at, tag, link, message, body, bench)?,
            Op::HangUp { link } => {
                if let Some(end) = self.end(at, link) {
                    end.closing.get_or_insert(now_ns);
                }
            }
            Op::Reply { message, .. } => self.sites[at].replies.push(message),
            Op::KeepEvent { .. } => {}
            Op::CreateFile { .. }
            | Op::RemoveFile { .. }
            | Op::ListDevices { .. }
            | Op::ListPrograms { .. }
            | Op::StartProgram { .. }
            | Op::AdoptFeed { .. }
            | Op::CloseFeed { .. }
            | Op::Deliver { .. }
            | Op::Dismiss { .. }
            | Op::OpenCard { .. }
            | Op::ListCard { .. }
            | Op::LookCard { .. }
            | Op::ReadCard { .. }
            | Op::CloseCard { .. }
            | Op::Stop => return Err(format!("{op:?} was not expected here")),
        }
        Ok(())
    }

    fn fill(&mut self, at: usize, feed: FeedId, into: Option<Span>, until: Instant) {
        let since_ns = self.now_ns;
        if let Some(door) = self.sites[at].doors.get_mut(&feed) {
            door.fill = Some(Fill { into, until, since_ns });
        }
    }

    /// An end that is not over, by what its appliance calls it.
    fn end(&mut self, at: usize, link: LinkId) -> Option<&mut End> {
        let ends = self.links.iter_mut().flat_map(|link| &mut link.ends);
        ends.into_iter().find(|end| end.site == at && end.link == link && !end.over)
    }

    fn send(
        &mut self,
        at: usize,
        tag: Tag,
        link: LinkId,
        message: hal::Message,
        body: Option<Span>,
        bench: &Bench,
    ) -> Result<(), String> {
        let now_ns = self.now_ns;
        if let Some(wire::Message::Ack { track, next, .. }) = wire::Message::decode(&message) {
            let track = self
                .opened
                .get(&(at, link, track))
                .ok_or("an acknowledged track was opened")?;
            self.kept.promise(at, track.clone(), next);
        }
        let body = body.map(|span| self.bytes_of(at, span, &bench.store));
        let ends = self.links.iter_mut().find_map(|it| {
            let here = it
                .ends
                .iter()
                .position(|end| end.site == at && end.link == link && !end.over)?;
            Some((here, &mut it.ends))
        });
        let Some((here, ends)) = ends else {
            return Err(format!("a frame was sent on {link:?}, which is over"));
        };
        let sending = Sending { tag, since_ns: now_ns };
        ends[here].sending.push_back(sending);
        let other = &mut ends[1 - here];
        let lost = other.over || other.breaks.is_some();
        if !lost || !other.up && !other.over {
            other.coming.push_back((now_ns, Item::Frame { message, body }));
        }
        Ok(())
    }

    /// Bytes of a site's block memory.
    fn bytes_of(&self, at: usize, span: Span, store: &Store) -> Rc<[u8]> {
        let from = span.offset_bytes as usize;
        let memory = &self.sites[at].memory;
        let pages = (from / BYTES..(span.end_bytes() as usize).div_ceil(BYTES)).map(|page| store.bytes(memory.get(page)));
        let bytes: Vec<u8> = pages.flatten().copied().collect();
        bytes[from % BYTES..][..span.length_bytes as usize].into()
    }
}
