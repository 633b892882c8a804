//! One appliance and the puppets around it: what both kinds of histories are played on.
//!
//! Not the plot (`source.rs`, `target.rs`). Invariant: every notice of the appliance is read before anything else happens.

use std::collections::VecDeque;

use blockhaul_core::haul::wire::Message;
use drivers_sim::{DiskModel, Echo, Image, SiteId, World};
use hal::{LinkId, Memory, Op, Role, Route, Span, Tag};
use serde_json::{Value, json};

use super::actor::{Actor, Puppet, Told};
use super::books;
use crate::reader::{Track, geometry};
use crate::sim::product::{Notice, Product};
use crate::sim::{Report, Tally};

/// The virtual second.
pub const SECOND_NS: u64 = 1_000_000_000;
/// Name of the appliance and of its archive.
pub const NAME: &str = "vault";
/// Block size of the archive.
pub const BLOCK_BYTES: u32 = 64 << 10;

const VOLUME: &str = "/dev/sim0";
const MEMORY_BYTES: u32 = 8 << 20;
const ENDS_BYTES: u64 = 4 << 20;
/// More than any of these histories fills.
const SLOTS: u64 = 256;
/// A call is answered, an archive open, a link up in this time.
const PATIENCE_NS: u64 = 120 * SECOND_NS;
/// Port that sites listen on.
const PORT: u16 = 7440;

/// The world of a history.
pub struct Stage {
    /// Everything in it.
    pub world: World<Actor>,
    /// The appliance.
    pub site: SiteId,
    /// All below was said to be durable since the last start; none before the archive is open.
    pub durable: Option<u64>,
    /// Counts.
    pub tally: Tally,
    links: u64,
    tags: u64,
}

impl Stage {
    /// An appliance with an empty archive.
    pub fn new(seed: u64, echo: Echo) -> Result<Stage, String> {
        let mut world = World::new(seed);
        world.machines.trace.echo = echo;
        let site = world.machines.add_site(NAME, MEMORY_BYTES);
        let model = DiskModel::disk(ENDS_BYTES + SLOTS * u64::from(BLOCK_BYTES), "SIM-vault");
        world.machines.add_disk(site, VOLUME, model);
        let mut stage = Stage {
            world,
            site,
            durable: None,
            tally: Tally::default(),
            links: 0,
            tags: 0,
        };
        stage.boot()?;
        let archive = json!({ "name": NAME, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": "append" });
        stage.ask("Archive.Create", archive)?;
        stage.ready()?;
        Ok(stage)
    }

    /// A puppet that the appliance knows as a peer.
    pub fn puppet(&mut self, name: &str) -> Result<SiteId, String> {
        let puppet = self.world.machines.add_site(name, MEMORY_BYTES);
        self.world.boot(puppet, |_, _, _| Actor::Puppet(Puppet::default()));
        let keys = vec![self.world.machines.site(self.site).fingerprint];
        self.world.machines.submit(puppet, Op::TrustKeys { keys });
        let key = self.world.machines.site(puppet).fingerprint.to_string();
        let peer = json!({ "name": name, "key": key, "routes": [{ "host": name, "port": PORT }] });
        self.ask("Peer.Add", peer)?;
        Ok(puppet)
    }

    /// Starts the appliance.
    pub fn boot(&mut self) -> Result<(), String> {
        self.durable = None;
        self.world.boot(self.site, |board, _, ops| {
            Actor::Appliance(Box::new(Product::start(board, ops)))
        });
        self.read_notices()
    }

    /// Waits until the archive is open.
    pub fn ready(&mut self) -> Result<(), String> {
        if self.pass_until(PATIENCE_NS, |stage| stage.durable.is_some())? {
            return Ok(());
        }
        let list = self.ask("Archive.List", json!({}))?;
        Err(format!("the archive does not open, and its disk is sound: {list}"))
    }

    /// Virtual time.
    pub fn now_ns(&self) -> u64 {
        self.world.machines.now_ns()
    }

    /// A number below `bound`.
    pub fn draw(&mut self, bound: u64) -> u64 {
        self.world.machines.random.below(bound)
    }

    /// True in `percent` of a hundred cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.world.machines.random.chance(percent)
    }

    /// Puts what happens into the trace.
    pub fn say(&mut self, what: &str) {
        self.world.machines.say(what);
    }

    /// Lets time pass.
    pub fn pass(&mut self, span_ns: u64) -> Result<(), String> {
        self.pass_until(span_ns, |_| false).map(|_| ())
    }

    /// Lets time pass until something is so; whether it came to be so.
    pub fn pass_until(&mut self, span_ns: u64, mut is_so: impl FnMut(&Stage) -> bool) -> Result<bool, String> {
        let limit_ns = self.now_ns() + span_ns;
        loop {
            if is_so(self) {
                return Ok(true);
            }
            if !self.world.step(limit_ns) {
                return Ok(is_so(self));
            }
            self.read_notices()?;
        }
    }

    fn read_notices(&mut self) -> Result<(), String> {
        let Some(Actor::Appliance(product)) = self.world.brain_mut(self.site) else {
            return Ok(());
        };
        for notice in std::mem::take(&mut product.notices) {
            match notice {
                Notice::Claims { below, .. } => self.durable = Some(below),
                Notice::Acknowledges(track, next) => self.judge_acknowledgement(&track, next)?,
                Notice::Says { code, .. } => *self.tally.codes.entry(code).or_default() += 1,
                Notice::Writes(..) | Notice::StatesGap(..) => {}
            }
        }
        Ok(())
    }

    /// What a source is told is on the durable bytes.
    fn judge_acknowledgement(&self, track: &Track, next: u64) -> Result<(), String> {
        let shelves = books::read(self.disk(), self.durable.unwrap_or_default())?;
        let there = shelves.get(track).map_or(0, |shelf| shelf.next);
        if next > there {
            let camera = &track.camera;
            return Err(format!("{camera} is acknowledged below {next}, and is durable below {there}"));
        }
        Ok(())
    }

    /// Calls a method of the appliance.
    pub fn ask(&mut self, method: &str, parameters: Value) -> Result<Value, String> {
        let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters }).to_string();
        let caller = self.world.machines.connect_and_call(self.site, Role::Admin, &call);
        let limit_ns = self.now_ns() + PATIENCE_NS;
        let is_over = |stage: &Stage| {
            let machines = &stage.world.machines;
            machines.replies(caller) > 0 || machines.is_gone(caller) || stage.now_ns() > limit_ns
        };
        // A reply comes without an event: not more time than that is to pass meanwhile.
        while !self.pass_until(SECOND_NS / 1000, is_over)? {}
        let reply = self.world.machines.take_reply(caller);
        self.world.machines.leave(caller);
        let reply = reply.ok_or_else(|| format!("{method} is not answered"))?;
        let mut reply: Value =
            serde_json::from_slice(&reply).map_err(|error| format!("{method} is answered with no JSON: {error}"))?;
        match reply.get("error") {
            Some(error) => Err(format!("{method} is refused: {error} {}", reply["parameters"])),
            None => Ok(reply["parameters"].take()),
        }
    }

    /// The durable bytes of the appliance's disk.
    pub fn disk(&self) -> &Image {
        let disk = self.world.machines.disk_at(self.site, VOLUME).expect("it was added first");
        self.world.machines.disk(disk).durable()
    }

    /// Identity of the archive, from its disk.
    pub fn archive(&self) -> Result<[u8; 16], String> {
        Ok(geometry(self.disk())?.archive)
    }

    /// A puppet calls the appliance. The link, once it is up.
    pub fn dial(&mut self, puppet: SiteId) -> Result<LinkId, String> {
        let limit_ns = self.now_ns() + PATIENCE_NS;
        while self.now_ns() < limit_ns {
            self.links += 1;
            let link = LinkId(2 * self.links);
            let expect = self.world.machines.site(self.site).fingerprint;
            let route = Route {
                host: NAME.into(),
                port: PORT,
                nic: None,
            };
            self.world.machines.submit(puppet, Op::Dial { link, route, expect });
            let told = |told: &Told| matches!(told, Told::Up(of) | Told::Down(of) if *of == link);
            self.pass_until(PATIENCE_NS, |stage| stage.told(puppet).iter().any(told))?;
            let all = self.take_told(puppet);
            if all.iter().any(|told| matches!(told, Told::Up(of) if *of == link)) {
                return Ok(link);
            }
            self.pass(SECOND_NS / 10)?;
        }
        Err("a known peer does not get in".into())
    }

    /// A puppet hangs up, if the link is up, and hears no more of it.
    pub fn hang_up(&mut self, puppet: SiteId, link: LinkId) -> Result<(), String> {
        if self.is_up(puppet, link) {
            self.world.machines.submit(puppet, Op::HangUp { link });
            self.pass_until(PATIENCE_NS, |stage| !stage.is_up(puppet, link))?;
        }
        self.take_told(puppet);
        Ok(())
    }

    /// Whether a link of a puppet is up, as far as it was told.
    pub fn is_up(&self, puppet: SiteId, link: LinkId) -> bool {
        self.mind(puppet).up.contains(&link)
    }

    /// A puppet sends a frame, if the link is up.
    pub fn send(&mut self, puppet: SiteId, link: LinkId, message: &Message, body: &[u8]) {
        if !self.is_up(puppet, link) {
            return;
        }
        self.tags += 1;
        let places = u64::from(MEMORY_BYTES / BLOCK_BYTES);
        let span = Span {
            offset_bytes: (self.tags % places) as u32 * BLOCK_BYTES,
            length_bytes: body.len() as u32,
        };
        self.world.machines.memory(puppet).bytes_mut(span).copy_from_slice(body);
        let op = Op::Send {
            tag: Tag(self.tags),
            link,
            message: message.encode(),
            body: (!body.is_empty()).then_some(span),
        };
        self.world.machines.submit(puppet, op);
    }

    /// A puppet has memory for one body that comes on a link, if that is up.
    pub fn lend(&mut self, puppet: SiteId, link: LinkId, place: u32) {
        if !self.is_up(puppet, link) {
            return;
        }
        let into = Span {
            offset_bytes: place * BLOCK_BYTES,
            length_bytes: BLOCK_BYTES,
        };
        self.world.machines.submit(puppet, Op::Receive { link, into });
    }

    /// What a puppet was told.
    pub fn told(&self, puppet: SiteId) -> &VecDeque<Told> {
        &self.mind(puppet).told
    }

    fn mind(&self, puppet: SiteId) -> &Puppet {
        match self.world.brain(puppet) {
            Some(Actor::Puppet(puppet)) => puppet,
            Some(Actor::Appliance(_)) | None => unreachable!("it is a puppet, and nobody switches it off"),
        }
    }

    /// Takes what a puppet was told.
    pub fn take_told(&mut self, puppet: SiteId) -> VecDeque<Told> {
        match self.world.brain_mut(puppet) {
            Some(Actor::Puppet(puppet)) => std::mem::take(&mut puppet.told),
            Some(Actor::Appliance(_)) | None => VecDeque::new(),
        }
    }

    /// What came of a history.
    pub fn report(self) -> Report {
        Report {
            trace_hash: self.world.machines.trace_hash(),
            blocks: self.durable.unwrap_or_default(),
            span_ns: self.now_ns(),
            tally: self.tally,
        }
    }
}
