//! What must hold, stated without the core: what was acknowledged is on the durable bytes of the disk, whole and in order; a
//! place in a track has one content everywhere; when nothing is left to happen, everything is where it belongs.
//!
//! Disks are read by the reader of `reader`, which was written from the document of the formats.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use serde_json::Value;

use super::bench::Bench;
use super::found::log;
use super::site::is_piece;
use super::world::World;
pub use crate::reader::Track;
use crate::reader::{Block, Content};

type Sequences = BTreeMap<u64, [u8; 32]>;

/// What was acknowledged.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// By site and track: hashes of the pieces that the site has said are durable, by track sequence.
    pieces: Rc<BTreeMap<(usize, Track), Sequences>>,
    /// By site and track: the first sequence that it has not promised to a source.
    promised: Rc<BTreeMap<(usize, Track), u64>>,
    sum: u64,
}

impl Kept {
    /// A site tells a source that it has everything below `next`.
    pub fn promise(&mut self, site: usize, track: Track, next: u64) {
        let known = self.promised.get(&(site, track.clone())).copied().unwrap_or(0);
        if known < next {
            Rc::make_mut(&mut self.promised).insert((site, track), next);
            self.add_up();
        }
    }

    /// What tells it apart.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    fn add_up(&mut self) {
        let mut state = DefaultHasher::new();
        for ((site, track), pieces) in self.pieces.iter() {
            (site, &track.origin, &track.camera, track.kind, pieces).hash(&mut state);
        }
        for ((site, track), next) in self.promised.iter() {
            (site, &track.origin, &track.camera, track.kind, next).hash(&mut state);
        }
        self.sum = state.finish();
    }
}

/// What an appliance says of itself.
#[derive(Clone, Debug)]
pub struct Said {
    /// The archive's state.
    pub state: String,
    /// Oldest log sequence that can be read.
    pub oldest: u64,
    /// End of the log.
    pub head: u64,
    /// Everything below is durable.
    pub durable: u64,
    /// A job that is not caught up.
    pub behind: Option<String>,
    /// Blocks that were found damaged.
    pub quarantined: u64,
}

impl World {
    /// Asks a site how it is, without leaving a trace.
    pub fn ask(&self, at: usize, bench: &mut Bench) -> Result<Said, String> {
        let mut other = self.clone();
        other.sites[at].replies.clear();
        other.call(
            at,
            r#"{"method":"io.blockhaul.Appliance.Status","parameters":{}}"#.into(),
            bench,
        )?;
        let name = self.sites[at].name;
        let reply = other.sites[at]
            .replies
            .pop()
            .ok_or_else(|| format!("{name} does not answer"))?;
        let reply: Value = serde_json::from_slice(&reply).map_err(|why| format!("{name} answers with no JSON: {why}"))?;
        let archive = &reply["parameters"]["archives"][0];
        let number = |field: &str| archive[field].as_u64().unwrap_or(0);
        let jobs = reply["parameters"]["jobs"].as_array();
        let behind = jobs
            .into_iter()
            .flatten()
            .find(|job| job["state"] != "caught-up" || job["backlog_blocks"] != 0);
        Ok(Said {
            state: archive["state"].as_str().unwrap_or("none").into(),
            oldest: number("oldest"),
            head: number("head"),
            durable: number("durable"),
            behind: behind.map(|job| format!("{} {}", job["state"], job["why"])),
            quarantined: number("quarantined"),
        })
    }

    /// Reads what a site has acknowledged from the durable bytes of its disk, and keeps it in mind.
    pub fn look(&mut self, at: usize, bench: &mut Bench) -> Result<(), String> {
        let said = self.ask(at, bench)?;
        if !matches!(said.state.as_str(), "ready" | "full" | "degraded" | "read-only") {
            return Ok(());
        }
        if said.quarantined > 0 {
            return Err(format!(
                "{} says that {} blocks are damaged",
                self.sites[at].name, said.quarantined
            ));
        }
        let mark = bench_mark(&(said.oldest, said.durable), self.kept.sum());
        let durable = self.sites[at].disk.durable().sum();
        if bench.agreed.contains(&(durable, mark)) {
            return Ok(());
        }
        let name = self.sites[at].name;
        let blocks = log(self.sites[at].disk.durable(), said.oldest, said.durable, bench).map_err(|why| {
            format!(
                "{name} says that all below {} is durable, and if its power were cut now: {why}",
                said.durable
            )
        })?;
        let mut found: BTreeMap<Track, Sequences> = BTreeMap::new();
        for block in blocks {
            if let Ok(Block {
                content: Content::Piece(piece),
                ..
            }) = block.as_ref()
            {
                let sequences = found.entry(piece.track.clone()).or_default();
                let next = sequences.last_key_value().map(|(last, _)| last + 1);
                if next.is_some_and(|next| next != piece.sequence) {
                    let camera = &piece.track.camera;
                    return Err(format!("{name} has {camera} {} after {:?}", piece.sequence, next));
                }
                let before = sequences.last_key_value().map(|(_, hash)| *hash);
                if before.is_some_and(|hash| hash != piece.previous) {
                    return Err(format!(
                        "{name} has {} {} on another chain",
                        piece.track.camera, piece.sequence
                    ));
                }
                if !is_piece(&piece.payload) {
                    return Err(format!(
                        "{name} has {} {} with bytes that nobody brought",
                        piece.track.camera, piece.sequence
                    ));
                }
                sequences.insert(piece.sequence, piece.hash);
            }
        }
        self.compare(at, &found, said.oldest)?;
        let pieces = Rc::make_mut(&mut self.kept.pieces);
        for (track, sequences) in found {
            // A ring gives up what is old: only what it still has must stay.
            pieces.insert((at, track), sequences);
        }
        self.kept.add_up();
        let mark = bench_mark(&(said.oldest, said.durable), self.kept.sum());
        bench.agreed.insert((durable, mark));
        Ok(())
    }

    fn compare(&self, at: usize, found: &BTreeMap<Track, Sequences>, oldest: u64) -> Result<(), String> {
        let name = self.sites[at].name;
        for ((site, track), sequences) in self.kept.pieces.iter() {
            let here = found.get(track);
            for (sequence, hash) in sequences {
                let there = here.and_then(|here| here.get(sequence));
                let first = here.and_then(|here| here.first_key_value()).map(|(first, _)| *first);
                let given_up = oldest > 0 && first.is_none_or(|first| *sequence < first);
                match there {
                    Some(other) if other != hash => {
                        let camera = &track.camera;
                        return Err(format!("{name} has another {camera} {sequence} than was acknowledged"));
                    }
                    None if *site == at && !given_up => {
                        let camera = &track.camera;
                        return Err(format!("{name} has lost {camera} {sequence}, which it had acknowledged"));
                    }
                    Some(_) | None => {}
                }
            }
        }
        for ((site, track), next) in self.kept.promised.iter().filter(|((site, _), _)| *site == at) {
            let has = found
                .get(track)
                .and_then(|here| here.last_key_value())
                .map_or(0, |(last, _)| last + 1);
            if has < *next {
                let name = self.sites[*site].name;
                return Err(format!(
                    "{name} told a source that it has {} below {next}, and has it below {has}",
                    track.camera
                ));
            }
        }
        Ok(())
    }

    /// Nothing is left to do: is everything where it belongs? What is missing, if not.
    pub fn missing(&self, bench: &mut Bench) -> Result<Option<(usize, String, bool)>, String> {
        let said = (0..self.sites.len()).map(|at| self.ask(at, bench));
        let said: Vec<Said> = said.collect::<Result<_, _>>()?;
        // An archive that takes nothing is why a job of the other side does not get on.
        for (at, (site, said)) in self.sites.iter().zip(&said).enumerate() {
            if !matches!(said.state.as_str(), "ready" | "full") {
                let closed = matches!(said.state.as_str(), "read-only" | "offline" | "degraded");
                return Ok(Some((at, format!("the archive of {} is {}", site.name, said.state), closed)));
            }
        }
        for (at, (site, said)) in self.sites.iter().zip(said).enumerate() {
            if said.durable != said.head {
                let what = format!("{} is durable to {} of {}", site.name, said.durable, said.head);
                return Ok(Some((at, what, false)));
            }
            if let Some(job) = said.behind {
                return Ok(Some((at, format!("a job of {}: {job}", site.name), false)));
            }
            // What does not fit waits at its feeder.
            if !site.is_fed() && said.state != "full" {
                return Ok(Some((at, format!("a feeder of {}", site.name), false)));
            }
        }
        Ok(None)
    }

    /// Everything is said to be done: what the source has, the target has.
    pub fn done(&mut self, bench: &mut Bench) -> Result<(), String> {
        for at in 0..self.sites.len() {
            self.look(at, bench)?;
        }
        if self.sites.len() == 2 {
            for ((_, track), sequences) in self.kept.pieces.iter().filter(|((site, _), _)| *site == 0) {
                let there = self.kept.pieces.get(&(1, track.clone()));
                if there != Some(sequences) {
                    return Err(format!(
                        "all is caught up, and the target has not what the source has of {}",
                        track.camera
                    ));
                }
            }
        }
        Ok(())
    }
}

fn bench_mark(said: &(u64, u64), kept: u64) -> u64 {
    let mut state = DefaultHasher::new();
    (said, kept).hash(&mut state);
    state.finish()
}
