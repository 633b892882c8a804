//! One history: a stage, faults for a while, then none, until everything is where it belongs; then the judgement.

use std::collections::BTreeMap;
use std::fmt;

use drivers_sim::{Echo, SiteId, World};
use serde_json::{Value, json};

use super::control::ask;
use super::oracle;
use super::product::Product;
use super::stage::{Stage, boot, volume_of};
use super::volume::Track;

const SECOND_NS: u64 = 1_000_000_000;
/// After the last fault everything must be where it belongs in this virtual time: the longest back-off of a job and the longest
/// silence of a link, several times over, and the rest of the streams.
const DRAIN_NS: u64 = 900 * SECOND_NS;
/// Between two looks at the state of the jobs.
const LOOK_EVERY_NS: u64 = 5 * SECOND_NS;

/// What a site has promised to its sources: for each track the first sequence that is not promised.
pub type Promises = BTreeMap<(SiteId, Track), u64>;

/// What came of a history without a fault of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Hash of everything that happened.
    pub trace_hash: u64,
    /// Faults that were put in.
    pub faults: u64,
    /// Blocks of tracks at the first site at the end.
    pub blocks: u64,
    /// Virtual time.
    pub span_ns: u64,
}

/// A history that broke the promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seed {}: {}\n{}", self.seed, self.why, replay(self.seed))
    }
}

impl std::error::Error for Failure {}

/// How to see a history again.
pub fn replay(seed: u64) -> String {
    format!("Replay with: cargo sim --seed {seed} --trace")
}

/// Runs the history of a seed. A panic of the product is passed on, with the seed said before.
pub fn run(seed: u64, echo: Echo) -> Result<Report, Failure> {
    let _last_words = LastWords(seed);
    History::new(seed, echo).play().map_err(|why| Failure { seed, why })
}

/// Says the seed if it is dropped in a panic.
struct LastWords(u64);

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", replay(self.0));
        }
    }
}

struct History {
    world: World<Product>,
    promises: Promises,
    faults: u64,
}

impl History {
    fn new(seed: u64, echo: Echo) -> History {
        let mut world = World::new(seed);
        world.machines.trace.echo = echo;
        History {
            world,
            promises: Promises::new(),
            faults: 0,
        }
    }

    fn play(&mut self) -> Result<Report, String> {
        let stage = Stage::build(&mut self.world)?;
        let end_ns = self.now_ns() + (60 + self.draw(120)) * SECOND_NS;
        while self.now_ns() < end_ns {
            let pause_ns = self.draw(15 * SECOND_NS);
            self.pass(pause_ns);
            self.fault(&stage)?;
        }
        self.mend(&stage);
        self.drain(&stage)?;
        self.judge(&stage)
    }

    fn now_ns(&self) -> u64 {
        self.world.machines.now_ns()
    }

    fn draw(&mut self, bound: u64) -> u64 {
        self.world.machines.random.below(bound)
    }

    fn pick(&mut self, sites: &[SiteId]) -> SiteId {
        sites[usize::try_from(self.draw(sites.len() as u64)).expect("a place")]
    }

    /// Lets time pass, and notes what is promised.
    fn pass(&mut self, span_ns: u64) {
        let limit_ns = self.now_ns() + span_ns;
        while self.world.step(limit_ns) {
            self.note_promises();
        }
    }

    fn note_promises(&mut self) {
        for site in (0..3).map(SiteId) {
            let Some(brain) = self.world.brain_mut(site) else { continue };
            for promise in brain.promises.drain(..) {
                let next = self.promises.entry((site, promise.track)).or_default();
                *next = promise.next.max(*next);
            }
        }
    }

    fn fault(&mut self, stage: &Stage) -> Result<(), String> {
        self.faults += 1;
        let site = self.pick(&stage.sites);
        let other = self.pick(&stage.sites);
        let down_ns = self.draw(8 * SECOND_NS);
        match self.draw(7) {
            0 | 1 => {
                self.check_promises(site)?;
                self.world.power_cut(site);
                self.pass(down_ns);
                boot(&mut self.world, site);
            }
            2 => {
                self.world.kill(site);
                self.pass(down_ns / 4);
                boot(&mut self.world, site);
            }
            3 | 4 => {
                self.world.machines.cut_links(site, other);
            }
            5 => {
                let span_ns = self.draw(40 * SECOND_NS);
                if self.draw(2) == 0 {
                    self.world.machines.block(site, other, true);
                } else {
                    self.world.machines.partition(site, other, true);
                }
                self.pass(span_ns);
                self.world.machines.partition(site, other, false);
            }
            _ => {
                let span_ns = self.draw(30 * SECOND_NS);
                let disk = self.world.machines.disk_at(site, volume_of(&self.world.machines, site));
                let disk = disk.ok_or("a site without its volume")?;
                self.world.machines.disk_mut(disk).latency.factor = 1 + self.world.machines.random.below(100);
                self.pass(span_ns);
                self.world.machines.disk_mut(disk).latency.factor = 1;
            }
        }
        Ok(())
    }

    /// If every volatile byte of a site were lost now, what it has promised would still be there.
    fn check_promises(&self, site: SiteId) -> Result<(), String> {
        let machines = &self.world.machines;
        let disk = machines
            .disk_at(site, volume_of(machines, site))
            .ok_or("a site without its volume")?;
        let name = &machines.site(site).name;
        oracle::kept(name, site, machines.disk(disk).durable(), &self.promises)
    }

    /// The last fault is over.
    fn mend(&mut self, stage: &Stage) {
        self.world.machines.say("no faults from now on");
        for site in &stage.sites {
            if !self.world.machines.site(*site).is_running() {
                boot(&mut self.world, *site);
            }
        }
    }

    fn drain(&mut self, stage: &Stage) -> Result<(), String> {
        let limit_ns = self.now_ns() + DRAIN_NS;
        loop {
            self.pass(LOOK_EVERY_NS);
            let waits_for = self.waits_for(stage)?;
            let Some(waits_for) = waits_for else { return Ok(()) };
            if self.now_ns() > limit_ns {
                return Err(format!(
                    "{} seconds after the last fault it still waits: {waits_for}",
                    DRAIN_NS / SECOND_NS
                ));
            }
        }
    }

    /// What is not where it belongs yet.
    fn waits_for(&mut self, stage: &Stage) -> Result<Option<String>, String> {
        if let Some(camera) = stage.cameras.iter().find(|camera| !self.world.machines.is_fed(camera.feeder)) {
            return Ok(Some(format!("{} has not been read to its end", camera.name)));
        }
        for site in &stage.sites {
            let status = ask(&mut self.world, *site, "Appliance.Status", json!({}))?;
            self.note_promises();
            let archive = &status["archives"][0];
            if archive["state"] != "ready" || archive["durable"] != archive["head"] {
                return Ok(Some(format!("an archive that is not durable to its end: {archive}")));
            }
            for job in status["jobs"].as_array().into_iter().flatten() {
                if job["state"] != "caught-up" || job["backlog_blocks"] != 0 {
                    return Ok(Some(format!("a job: {job}")));
                }
            }
        }
        Ok(None)
    }

    fn judge(&mut self, stage: &Stage) -> Result<Report, String> {
        let mut logs = Vec::new();
        for site in &stage.sites {
            // What a block that is still on its way to the disk might change is over after this.
            self.pass(20 * SECOND_NS);
            let status = ask(&mut self.world, *site, "Appliance.Status", json!({}))?;
            let number = |field: &str| {
                status["archives"][0][field]
                    .as_u64()
                    .ok_or(format!("no {field} in the status"))
            };
            logs.push((number("oldest")?, number("head")?));
            expect_nothing_damaged(&status)?;
        }
        self.note_promises();
        let mut archives = Vec::new();
        for (site, (oldest, head)) in stage.sites.iter().zip(logs) {
            self.check_promises(*site)?;
            self.world.power_cut(*site);
            let machines = &self.world.machines;
            let disk = machines
                .disk_at(*site, volume_of(machines, *site))
                .ok_or("a site without its volume")?;
            let name = &machines.site(*site).name;
            archives.push(oracle::Archive::read(name, machines.disk(disk).current(), oldest, head)?);
        }
        for pair in archives.windows(2) {
            oracle::same_tracks(&pair[0], &pair[1])?;
        }
        for camera in &stage.cameras {
            oracle::recorded(&archives[0], camera, self.world.machines.fates(camera.feeder))?;
        }
        Ok(Report {
            trace_hash: self.world.machines.trace_hash(),
            faults: self.faults,
            blocks: archives[0].blocks(),
            span_ns: self.now_ns(),
        })
    }
}

/// Power cuts damage nothing that was acknowledged.
fn expect_nothing_damaged(status: &Value) -> Result<(), String> {
    let archive = &status["archives"][0];
    if archive["quarantined"] == 0 {
        Ok(())
    } else {
        Err(format!("blocks were damaged by nothing: {archive}"))
    }
}
