//! A workload on its way: an appliance, the disk whose writes are recorded, and the notes of what was said when.

use drivers_sim::{Disk, DiskId, DiskModel, Echo, FeederId, Image, Logged, Script, SiteId, World};
use serde_json::{Value, json};

use super::watched::{Claim, Watched, boot};
use crate::sim::stream::chunk;

/// Path of every volume.
pub const VOLUME: &str = "/dev/sim0";
/// Block size of every archive here: the smallest.
pub const BLOCK_BYTES: u64 = 64 << 10;
/// Name of the archive that is looked at.
pub const ARCHIVE: &str = "yard";
/// The virtual second.
pub const SECOND_NS: u64 = 1_000_000_000;
/// What a step of a workload may take.
const PATIENCE_NS: u64 = 120 * SECOND_NS;

/// Something that is not in the record of the disk. It happened before the line of that number.
#[derive(Clone, Debug)]
pub enum Note {
    /// The appliance was started.
    Started,
    /// Something was said.
    Said(Claim),
    /// The settings are these from now on.
    Settings(Option<Vec<u8>>),
    /// The settings are gone: the archive that was there is of no account any more.
    Forgotten,
}

/// An appliance with one recorded disk.
#[derive(Clone, Debug)]
pub struct Take {
    /// Everything.
    pub world: World<Watched>,
    /// The appliance.
    pub site: SiteId,
    /// Its disk.
    pub disk: DiskId,
    /// What happened beside the record.
    pub notes: Vec<(usize, Note)>,
    /// Line of the record where cuts begin.
    pub first_line: usize,
    settings: Option<Vec<u8>>,
}

/// Where slot 0 lies.
pub const VOLUME_SLOTS_AT_BYTES: u64 = 2 << 20;

/// Size of a volume with that many slots.
pub fn volume_bytes(slots: u64) -> u64 {
    (4 << 20) + slots * BLOCK_BYTES
}

impl Take {
    /// An appliance without power, with a blank recorded disk.
    pub fn new(seed: u64, slots: u64, memory_bytes: u32, echo: Echo) -> Take {
        let mut world = World::new(seed);
        world.machines.trace.echo = echo;
        let site = world.machines.add_site(ARCHIVE, memory_bytes);
        let disk = world
            .machines
            .add_disk(site, VOLUME, DiskModel::disk(volume_bytes(slots), "CRASH"));
        world.machines.record_writes(disk);
        Take {
            world,
            site,
            disk,
            notes: Vec::new(),
            first_line: 0,
            settings: None,
        }
    }

    /// The same, with these bytes and settings.
    pub fn with(mut self, image: &Image, settings: Option<&[u8]>) -> Take {
        self.world.machines.disk_mut(self.disk).load(image);
        self.world.machines.site_mut(self.site).state.settings = settings.map(Vec::from);
        self.settings = settings.map(Vec::from);
        self
    }

    /// The disk.
    pub fn disk(&self) -> &Disk {
        self.world.machines.disk(self.disk)
    }

    /// What was written.
    pub fn log(&self) -> &[Logged] {
        self.disk().log()
    }

    /// The settings document as it is durable.
    pub fn settings(&self) -> Option<Vec<u8>> {
        self.settings.clone()
    }

    fn note(&mut self, note: Note) {
        self.notes.push((self.log().len(), note));
    }

    /// Switches the appliance on.
    pub fn start(&mut self) {
        self.note(Note::Started);
        boot(&mut self.world, self.site);
    }

    /// Lets one thing happen, and notes what was said.
    fn step(&mut self, limit_ns: u64) -> bool {
        let happened = self.world.step(limit_ns);
        let settings = self.world.machines.site(self.site).state.settings.as_ref();
        if settings != self.settings.as_ref() {
            self.settings = settings.cloned();
            self.note(Note::Settings(self.settings.clone()));
        }
        let claims = match self.world.brain_mut(self.site) {
            Some(brain) => std::mem::take(&mut brain.claims),
            None => Vec::new(),
        };
        for claim in claims {
            self.note(Note::Said(claim));
        }
        happened
    }

    /// Lets time pass.
    pub fn pass(&mut self, span_ns: u64) {
        let limit_ns = self.world.machines.now_ns() + span_ns;
        while self.step(limit_ns) {}
    }

    /// Lets time pass until something is so; whether it came to be so.
    pub fn pass_until(&mut self, span_ns: u64, mut is_so: impl FnMut(&Take) -> bool) -> bool {
        let limit_ns = self.world.machines.now_ns() + span_ns;
        loop {
            if is_so(self) {
                return true;
            }
            if !self.step(limit_ns) {
                return is_so(self);
            }
        }
    }

    /// The newest claim of durability since the newest start.
    pub fn durable(&self) -> Option<u64> {
        let since = self.notes.iter().rev().take_while(|(_, note)| !matches!(note, Note::Started));
        since
            .filter_map(|(_, note)| match note {
                Note::Said(Claim::Durable(durable)) => Some(*durable),
                _ => None,
            })
            .next()
    }

    /// Calls a method.
    pub fn ask(&mut self, method: &str, parameters: &Value) -> Result<Value, String> {
        self.ask_at(self.site, method, parameters)
    }

    /// Calls a method of an appliance, this one or another.
    pub fn ask_at(&mut self, site: SiteId, method: &str, parameters: &Value) -> Result<Value, String> {
        let call = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters }).to_string();
        let caller = self.world.machines.connect_and_call(site, hal::Role::Admin, &call);
        self.pass_until(PATIENCE_NS, |take| {
            let machines = &take.world.machines;
            machines.replies(caller) > 0 || machines.is_gone(caller)
        });
        let reply = self.world.machines.take_reply(caller);
        self.world.machines.leave(caller);
        let reply = reply.ok_or_else(|| format!("{method} is not answered in {} virtual seconds", PATIENCE_NS / SECOND_NS))?;
        let mut reply: Value =
            serde_json::from_slice(&reply).map_err(|error| format!("{method} is answered with no JSON: {error}"))?;
        match reply.get("error") {
            Some(_) => Err(format!("{method} is refused: {}", reply["parameters"])),
            None => Ok(reply["parameters"].take()),
        }
    }

    /// Makes the archive.
    pub fn create(&mut self, mode: &str) -> Result<(), String> {
        let call = json!({ "name": ARCHIVE, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": mode });
        self.ask("Archive.Create", &call)?;
        self.ready()
    }

    /// Waits until the archive is open.
    pub fn ready(&mut self) -> Result<(), String> {
        if self.pass_until(PATIENCE_NS, |take| take.durable().is_some()) {
            return Ok(());
        }
        let archive = self.archive()?;
        Err(format!("the archive does not open: {archive}"))
    }

    /// What the appliance says of its archive; nothing if there is none.
    pub fn archive(&mut self) -> Result<Value, String> {
        let list = self.ask("Archive.List", &json!({}))?;
        Ok(list["archives"].get(0).cloned().unwrap_or_default())
    }

    /// Makes recorders for so many cameras.
    pub fn cameras(&mut self, cameras: u32) -> Result<(), String> {
        (0..cameras).try_for_each(|camera| self.camera(camera))
    }

    /// Makes the recorder of a camera.
    pub fn camera(&mut self, camera: u32) -> Result<(), String> {
        let recorder = json!({
            "name": format!("camera-{camera}"), "archive": ARCHIVE, "camera": format!("camera-{camera}"),
            "listen": format!("/run/camera-{camera}"), "flush_after_ms": 1000,
        });
        self.ask("Recorder.Create", &recorder)?;
        Ok(())
    }

    /// What came before only leads up to what is looked at.
    pub fn cut_from_here(&mut self) {
        self.first_line = self.log().len();
    }

    /// A feeder writes chunks to a camera as fast as they are taken, and closes.
    pub fn feed(&mut self, camera: u32, chunks: u64) -> FeederId {
        self.feed_at(self.site, &format!("/run/camera-{camera}"), camera, chunks)
    }

    /// The same into a socket of some appliance.
    pub fn feed_at(&mut self, site: SiteId, path: &str, stream: u32, chunks: u64) -> FeederId {
        let script = Script {
            stream,
            chunk,
            chunks,
            every_ns: 100_000,
        };
        self.world.machines.feed_path(site, path, script)
    }

    /// The settings were taken away.
    pub fn forget(&mut self) {
        self.settings = None;
        self.note(Note::Forgotten);
    }

    /// Waits until feeders are done and everything is durable.
    pub fn settle(&mut self, feeders: &[FeederId]) -> Result<(), String> {
        let fed = self.pass_until(PATIENCE_NS, |take| {
            feeders.iter().all(|feeder| take.world.machines.is_fed(*feeder))
        });
        if !fed {
            return Err("a feeder is not read to its end".into());
        }
        self.pass(SECOND_NS / 5);
        for _ in 0..50 {
            let archive = self.archive()?;
            if archive["durable"] == archive["head"] {
                return Ok(());
            }
            self.pass(SECOND_NS / 5);
        }
        Err("what was fed does not become durable".into())
    }

    /// So many small blocks of one camera, one after another.
    pub fn blocks(&mut self, camera: u32, blocks: u32) -> Result<(), String> {
        for _ in 0..blocks {
            let feeder = self.feed(camera, 1);
            self.settle(&[feeder])?;
        }
        Ok(())
    }

    /// One block of each camera, all at once.
    pub fn burst(&mut self, cameras: u32, chunks: u64) -> Result<(), String> {
        let feeders: Vec<FeederId> = (0..cameras).map(|camera| self.feed(camera, chunks)).collect();
        self.settle(&feeders)
    }

    /// Stops in good order, and starts again.
    pub fn restart(&mut self) -> Result<(), String> {
        self.world.machines.ask_stop(self.site);
        let site = self.site;
        if !self.pass_until(PATIENCE_NS, |take| !take.world.machines.site(site).is_running()) {
            return Err("the appliance does not stop".into());
        }
        self.start();
        self.ready()
    }

    /// Loses power, and starts again.
    pub fn power_cut(&mut self) -> Result<(), String> {
        self.world.power_cut(self.site);
        self.start();
        self.ready()
    }

    /// The events of this appliance that are worse than information, as codes.
    pub fn warnings(&self) -> Vec<String> {
        let kept = self.world.machines.site(self.site).state.kept();
        let events = kept.iter().filter_map(|line| serde_json::from_slice::<Value>(line).ok());
        events
            .filter(|event| event["severity"] != "info")
            .filter_map(|event| event["code"].as_str().map(String::from))
            .collect()
    }
}
