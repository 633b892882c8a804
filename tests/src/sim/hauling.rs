//! Histories of several appliances: one to three sources, one to three targets, rings and append archives, chains, both ways, and
//! every fault of a site and of what is between them.

use std::collections::BTreeMap;

use drivers_sim::{DiskModel, Echo, SiteId};
use serde_json::{Value, json};

use super::cameras::{Camera, Pace};
use super::faults::Fault;
use super::keeping;
use super::named;
use super::network;
use super::operator;
use super::play::{Play, SECOND_NS, VOLUME};
use super::reconciling;
use super::swarm::{Swarm, slow_down};
use super::verdict;

/// Faults of a site that these histories know, besides those between sites.
const FAULTS: [Fault; 17] = [
    Fault::PowerCut,
    Fault::PowerCuts,
    Fault::Kill,
    Fault::Stop,
    Fault::Pause,
    Fault::Clock,
    Fault::SlowDisk,
    Fault::HungDisk,
    Fault::BadSectors,
    Fault::WriteErrors,
    Fault::FlushErrors,
    Fault::Misreads,
    Fault::Rot,
    Fault::LostWrites,
    Fault::LyingFlushes,
    Fault::Gone,
    Fault::Rollback,
];
const NAMES: [&str; 4] = ["lobby", "vault", "attic", "barn"];
/// Who hauls to whom, by place in the list of sites.
const SHAPES: [&[(usize, usize)]; 8] = [
    &[(0, 1)],
    &[(0, 1), (1, 2)],
    &[(0, 2), (1, 2)],
    &[(0, 3), (1, 3), (2, 3)],
    &[(0, 1), (0, 2)],
    &[(0, 1), (0, 2), (0, 3)],
    &[(0, 1), (1, 0)],
    &[(0, 1), (1, 0), (1, 2)],
];
const MEMORY_BYTES: u32 = 8 << 20;
const BLOCK_BYTES: u64 = 64 << 10;
const ENDS_BYTES: u64 = 4 << 20;
/// After the last fault everything is where it belongs in this virtual time: the longest back-off of a job and the longest silence
/// of a link, several times over.
const DRAIN_NS: u64 = 900 * SECOND_NS;

/// Sites, and who hauls to whom.
struct Stage {
    sites: Vec<SiteId>,
    edges: &'static [(usize, usize)],
    cameras: Vec<Camera>,
    /// Those of them whose job does not catch up now, and why it need not.
    held_up: BTreeMap<(usize, usize), &'static str>,
}

/// Plays the history of a seed; with `keeping`, archives free what they need not keep.
pub fn play(seed: u64, echo: Echo, keeping: bool) -> Result<Play, String> {
    let mut play = Play::new(seed, echo);
    let mut stage = set_up(&mut play)?;
    if keeping {
        for (at, site) in stage.sites.iter().enumerate() {
            let targets = stage.edges.iter().filter(|(from, _)| *from == at);
            let targets = targets.map(|(_, to)| stage.sites[*to]).collect();
            keeping::set(&mut play, *site, NAMES[at], targets)?;
        }
    }
    let all: Vec<Fault> = FAULTS.into_iter().chain(network::ALL.map(Fault::Network)).collect();
    let swarm = Swarm::draw(&mut play, &all, 16);
    let meddles = play.chance(50);
    for _ in 0..swarm.count {
        let pause_ns = swarm.pause_ns(&mut play);
        play.pass(pause_ns)?;
        let site = play.pick(&stage.sites);
        if play.chance(30) {
            let disk = play.disk(site);
            let snapshot = play.world.machines.disk(disk).snapshot();
            play.snapshots.insert(site, snapshot);
        }
        if meddles && play.chance(40) {
            let (from, to) = play.pick(stage.edges);
            operator::meddle(&mut play, stage.sites[from], &format!("to-{}", NAMES[to]));
        }
        let fault = play.pick(&swarm.faults);
        play.strike(fault, site, &stage.sites)?;
        if play.chance(10) {
            play.mend(site)?;
        }
        if play.chance(20) {
            let (from, to) = play.pick(stage.edges);
            play.run_full(stage.sites[from], &format!("to-{}", NAMES[to]))?;
        }
    }
    play.world.machines.say("no faults from now on");
    for site in &stage.sites {
        play.mend(*site)?;
    }
    for (from, to) in stage.edges.iter().filter(|_| meddles) {
        operator::settle(&mut play, stage.sites[*from], &format!("to-{}", NAMES[*to]))?;
    }
    for camera in &stage.cameras {
        play.world.machines.end_feeder(camera.feeder);
    }
    let mut open = Vec::new();
    for site in &stage.sites {
        let cameras: Vec<Camera> = stage.cameras.iter().filter(|camera| camera.site == *site).cloned().collect();
        open.push(verdict::wait_for_rest(&mut play, *site, &cameras, DRAIN_NS)?);
    }
    wait_for_jobs(&mut play, &mut stage)?;
    same_contents(&play, &stage)?;
    reconcile(&mut play, &mut stage)?;
    same_contents(&play, &stage)?;
    for (site, open) in stage.sites.iter().zip(open) {
        if open {
            verdict::verify(&mut play, *site)?;
        }
        let cameras: Vec<Camera> = stage.cameras.iter().filter(|camera| camera.site == *site).cloned().collect();
        verdict::recorded(&mut play, *site, &cameras)?;
        named::reads(&mut play, *site)?;
        play.power_cut(*site)?;
    }
    play.count_struck();
    for site in &stage.sites {
        named::operations(&mut play, *site)?;
    }
    let altered = play.world.machines.altered_bodies;
    named::altered(&mut play, &stage.sites, altered)?;
    if altered > 0 {
        play.tally.struck.insert("bodies altered on the way", altered);
    }
    Ok(play)
}

fn set_up(play: &mut Play) -> Result<Stage, String> {
    let edges = play.pick(&SHAPES);
    let count = edges.iter().map(|(from, to)| from.max(to) + 1).max().unwrap_or(2);
    let sites: Vec<SiteId> = NAMES[..count]
        .iter()
        .map(|name| play.world.machines.add_site(name, MEMORY_BYTES))
        .collect();
    for (site, name) in sites.iter().zip(NAMES) {
        let slots = play.pick(&[32, 64, 100, 200]);
        let model = DiskModel::disk(ENDS_BYTES + slots * BLOCK_BYTES, &format!("SIM-{name}"));
        play.world.machines.add_disk(*site, VOLUME, model);
        play.boot(*site)?;
        let mode = play.pick(&["append", "ring"]);
        let archive = json!({ "name": name, "volume": VOLUME, "block_bytes": BLOCK_BYTES, "mode": mode });
        play.create_archive(*site, archive)?;
        play.perhaps_scrub(*site, name)?;
        slow_down(play, *site);
    }
    for (at, site) in sites.iter().enumerate() {
        let met = |other: &usize| edges.contains(&(at, *other)) || edges.contains(&(*other, at));
        for other in (0..count).filter(met) {
            let key = play.world.machines.site(sites[other]).fingerprint.to_string();
            let name = NAMES[other];
            let peer = json!({ "name": name, "key": key, "routes": [{ "host": name, "port": 7440 }] });
            play.ask(*site, "Peer.Add", peer)?;
        }
    }
    for (from, to) in edges {
        join(play, (sites[*from], NAMES[*from]), (sites[*to], NAMES[*to]))?;
    }
    let mut cameras = Vec::new();
    for (at, site) in sites.iter().enumerate() {
        let is_source = edges.iter().any(|(from, _)| *from == at);
        let is_target = edges.iter().any(|(_, to)| *to == at);
        let count = match (is_source, is_target) {
            (true, false) => 1 + play.draw(2),
            (true, true) => play.draw(2),
            (false, _) => 0,
        };
        for index in 0..count {
            let pace = Pace::draw(play);
            cameras.push(Camera::start(
                play,
                *site,
                NAMES[at],
                &format!("{}-{index}", NAMES[at]),
                pace,
            )?);
        }
    }
    Ok(Stage {
        sites,
        edges,
        cameras,
        held_up: BTreeMap::new(),
    })
}

/// Makes a job between two sites that are peers.
fn join(play: &mut Play, from: (SiteId, &str), to: (SiteId, &str)) -> Result<(), String> {
    let grant = play.ask(to.0, "Grant.Create", json!({ "peer": from.1, "archive": to.1 }))?;
    let token: &Value = &grant["token"];
    let name = format!("to-{}", to.1);
    let job = json!({ "name": name, "from": from.1, "peer": to.1, "archive": to.1, "mode": "always", "token": token });
    play.ask(from.0, "Job.Create", job)?;
    Ok(())
}

/// Every job is caught up, or waits for a cause that only a person can remove.
fn wait_for_jobs(play: &mut Play, stage: &mut Stage) -> Result<(), String> {
    let limit_ns = play.now_ns() + DRAIN_NS;
    loop {
        let mut statuses = Vec::new();
        for site in &stage.sites {
            statuses.push(play.ask(*site, "Appliance.Status", json!({}))?);
        }
        let archives: Vec<&Value> = statuses.iter().map(|status| &status["archives"][0]).collect();
        let is_open = |archive: &Value| matches!(archive["state"].as_str(), Some("ready" | "degraded" | "full"));
        let behind = archives
            .iter()
            .find(|archive| is_open(archive) && archive["durable"] != archive["head"]);
        let mut waits_for = behind.map(|archive| format!("an archive that is not durable to its end: {archive}"));
        stage.held_up.clear();
        for (from, to) in stage.edges {
            let name = format!("to-{}", NAMES[*to]);
            let mut jobs = statuses[*from]["jobs"].as_array().into_iter().flatten();
            let job = jobs.find(|job| job["name"] == *name).ok_or(format!("job {name} is gone"))?;
            let is_done = job["state"] == "caught-up" && job["backlog_blocks"] == 0;
            if is_done && archives[*to]["state"] != "full" {
                continue;
            }
            let ends = [(stage.sites[*from], archives[*from]), (stage.sites[*to], archives[*to])];
            match excuse(play, ends, job) {
                Some(why) => drop(stage.held_up.insert((*from, *to), why)),
                None => waits_for = Some(format!("a job: {job}; its target: {}", archives[*to])),
            }
        }
        let Some(waits_for) = waits_for else { break };
        if play.now_ns() > limit_ns {
            let seconds = DRAIN_NS / SECOND_NS;
            return Err(format!("{seconds} seconds after the last fault it still waits: {waits_for}"));
        }
        play.pass(5 * SECOND_NS)?;
    }
    stage.held_up.values().for_each(|why| play.tally.excuse(why));
    Ok(())
}

/// Full runs until none has anything to send; then every target has whole what its source has whole.
fn reconcile(play: &mut Play, stage: &mut Stage) -> Result<(), String> {
    for (_, to) in stage.edges {
        if play.chance(60) {
            play.rot_blocks(stage.sites[*to]);
        }
    }
    for pass in 1.. {
        let mut sent = 0;
        for (from, to) in stage.edges {
            play.run_full(stage.sites[*from], &format!("to-{}", NAMES[*to]))?;
        }
        if pass == 1 && play.chance(40) {
            let site = play.pick(&stage.sites);
            play.interrupt(site)?;
        }
        wait_for_jobs(play, stage)?;
        for (from, to) in stage.edges.iter().filter(|edge| !stage.held_up.contains_key(edge)) {
            let (from, name) = (stage.sites[*from], NAMES[*to]);
            sent += play.sent_by_full(from, &format!("to-{name}"))?.unwrap_or(1);
        }
        if sent == 0 {
            break;
        }
        if pass == reconciling::PASSES_MAX {
            return Err(format!(
                "full run number {pass} after the last fault still sent {sent} blocks"
            ));
        }
    }
    for (from, to) in stage.edges.iter().filter(|edge| !stage.held_up.contains_key(edge)) {
        play.judge_reconciled(stage.sites[*from], stage.sites[*to])?;
    }
    Ok(())
}

/// Why a job need not catch up, if there is a reason as things are now. `ends`: source and target, and what their archives say of
/// themselves.
fn excuse(play: &Play, ends: [(SiteId, &Value); 2], job: &Value) -> Option<&'static str> {
    let state = job["state"].as_str().unwrap_or_default();
    // Caught up or not: what it lacks has no room any more.
    if matches!(state, "target-full" | "caught-up") && ends[1].1["state"] == "full" {
        return Some("jobs to an archive that is full");
    }
    for (site, archive) in ends {
        let is_closed = matches!(archive["state"].as_str(), Some("read-only" | "offline" | "foreign"));
        if is_closed && verdict::may_stay_closed(play, site).is_some() {
            return Some("jobs of an archive that cannot be opened for good");
        }
        let ledger = &play.ledgers[&site];
        let has_lost = ledger.tails_lost > 0 || ledger.tracks_forgotten > 0;
        if has_lost && matches!(state, "needs-decision" | "diverged") {
            return Some("jobs of an archive that lost its newest blocks");
        }
    }
    None
}

/// Whether a site may know less of its newest blocks than the other end, and nobody can tell.
fn broke_its_word(play: &Play, site: SiteId) -> bool {
    let ledger = &play.ledgers[&site];
    let wounds = &play.world.machines.disk(play.disk(site)).wounds;
    ledger.tails_lost > 0 || ledger.tracks_forgotten > 0 || (!wounds.is_empty() && verdict::may_stay_closed(play, site).is_some())
}

/// Every target has what its source has, and nothing that was never recorded.
fn same_contents(play: &Play, stage: &Stage) -> Result<(), String> {
    for ledger in play.ledgers.values() {
        for ((track, number), hashes) in &ledger.contents {
            let origin = play
                .ledgers
                .values()
                .find(|origin| origin.geometry.archive == track.origin)
                .ok_or_else(|| format!("{} has a track of an archive that is not there", ledger.name))?;
            let recorded = origin.contents.get(&(track.clone(), *number));
            let is_recorded = |hash: &[u8; 32]| {
                recorded.is_some_and(|recorded| recorded.contains(hash)) || origin.only_wrote(track, *number, hash)
            };
            if !hashes.iter().all(is_recorded) {
                return Err(format!(
                    "{} has a block {number} of {} that {} never recorded",
                    ledger.name, track.camera, origin.name
                ));
            }
        }
    }
    for (from, to) in stage.edges.iter().filter(|edge| !stage.held_up.contains_key(edge)) {
        let (from, to) = (stage.sites[*from], stage.sites[*to]);
        let (source, target) = (&play.ledgers[&from], &play.ledgers[&to]);
        if broke_its_word(play, from) || broke_its_word(play, to) {
            continue;
        }
        for (track, tip) in &source.tips {
            let there = target.tips.get(track).copied().unwrap_or(0);
            if there != *tip && track.origin != target.geometry.archive {
                return Err(format!(
                    "{} has {} up to {tip}, {} up to {there}, and the job says that it is caught up",
                    source.name, track.camera, target.name
                ));
            }
        }
    }
    Ok(())
}
