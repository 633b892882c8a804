//! `verify`: every block of an archive from the media: header, place, log chain, track chain, payload digest.
//!
//! Reads only. Damaged blocks go into the archive's quarantine as with any other reading.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use hal::{Digest, Instant};

use super::types::{DamagedBlock, Verified};
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::{Context, Ready};
use crate::format::checkpoint::Entry;
use crate::format::header::{Header, header_hash};
use crate::format::{NO_HASH, SECTOR_BYTES};

/// Damaged blocks that are named.
const NAMED_MAX: usize = 1_000;
/// Time between two reports of progress.
const REPORT_EVERY: core::time::Duration = core::time::Duration::from_secs(1);

/// A verification that is on.
#[derive(Clone, Debug, Hash)]
pub struct Verify {
    /// Place of the archive.
    pub archive: usize,
    /// What was found so far.
    pub verified: Verified,
    pub(crate) walk: Walk,
    from: u64,
    /// Log sequence and hash of the last whole header.
    last: Option<(u64, Digest)>,
    /// Track sequence and hash of the last whole block of each track.
    tracks: BTreeMap<TrackId, (u64, Digest)>,
    reported_at: Instant,
    /// Behind the end: of which damaged block it is looked up whether another one came later, and how far that is.
    replacing: Option<(usize, Lookup)>,
}

/// Looking up what was damaged, and where its number is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Lookup {
    /// By the index: which number of which track.
    Number(Option<(TrackId, u64)>),
    /// In the run of fills that has that number: where.
    Place(TrackId, u64, Option<u64>),
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Not ready; nothing new to say.
    On,
    /// Not ready; time to say how far it is.
    Report,
    /// Ready.
    Done,
}

/// What came of asking for one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum One {
    /// It was checked.
    Block,
    /// It is being read.
    Wait,
    /// There is none.
    End,
}

impl Verify {
    /// Begins at that block, or the oldest; ends at what is durable now.
    pub fn start(reader: Reader, archive: &Archive, from: u64, ahead: usize, now: Instant) -> Verify {
        let end = archive.log.durable;
        let from = from.max(archive.oldest()).min(end);
        let walk = Walk::new(reader, Depth::Proof, from, Some(end), true, ahead);
        let verified = Verified {
            total: end - from,
            ..Verified::default()
        };
        Verify {
            archive: archive.index,
            verified,
            walk,
            from,
            last: None,
            tracks: BTreeMap::new(),
            reported_at: now,
            replacing: None,
        }
    }

    /// Goes on as far as blocks have been read.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        while self.replacing.is_none() {
            match self.one(archive, context) {
                One::Block => {}
                One::End => {
                    self.verified.blocks = self.verified.total;
                    if archive.catalog.fills().next().is_none() || !self.look_up(0, archive) {
                        return Progress::Done;
                    }
                }
                One::Wait => break,
            }
        }
        if self.replacing.is_some() {
            return self.poll_lookup(archive, context);
        }
        self.verified.blocks = self.walk.position() - self.from;
        if context.now.at.since(self.reported_at) >= REPORT_EVERY {
            self.reported_at = context.now.at;
            context.wake(Ready::Waiting);
            return Progress::Report;
        }
        Progress::On
    }

    /// Begins to look up a damaged block. False if there is none.
    fn look_up(&mut self, at: usize, archive: &Archive) -> bool {
        let Some(block) = self.verified.damaged.get(at) else {
            return false;
        };
        let place = block.log_sequence..block.log_sequence + 1;
        self.replacing = Some((at, Lookup::Number(None)));
        self.walk = self.index_walk(place, archive);
        true
    }

    fn index_walk(&self, range: core::ops::Range<u64>, archive: &Archive) -> Walk {
        let end = range.end.min(archive.log.durable);
        Walk::new(self.walk.reader(), Depth::Proof, range.start, Some(end), false, 1)
    }

    /// Goes on looking up what became of damaged blocks.
    fn poll_lookup(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        while let Some((at, mut lookup)) = self.replacing {
            let mut note = |log_sequence: u64, id: TrackId, entry: &Entry| {
                match &mut lookup {
                    Lookup::Number(found) => *found = Some((id, entry.track_sequence)),
                    Lookup::Place(track, number, found) => {
                        if entry.fill && id == *track && entry.track_sequence == *number {
                            *found = Some(log_sequence);
                        }
                    }
                }
                Wish::Leave
            };
            match self.walk.poll(archive, &mut note, context) {
                Step::Block { span, .. } => context.give(span),
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => {
                    self.replacing = Some((at, lookup));
                    return Progress::On;
                }
                Step::End => {
                    let run = match lookup {
                        Lookup::Number(Some((id, number))) => archive.catalog.fills_at(id, number).map(|run| (id, number, run)),
                        Lookup::Number(None) | Lookup::Place(..) => None,
                    };
                    let itself = self.verified.damaged[at].log_sequence;
                    if let Lookup::Place(_, _, Some(place)) = lookup
                        && place != itself
                    {
                        self.verified.damaged[at].replaced_by = Some(place);
                        self.verified.replaced += 1;
                    }
                    match run {
                        Some((id, number, run)) => {
                            self.replacing = Some((at, Lookup::Place(id, number, None)));
                            self.walk = self.index_walk(run.log_from..run.log_to, archive);
                        }
                        None => {
                            self.replacing = None;
                            if !self.look_up(at + 1, archive) {
                                return Progress::Done;
                            }
                        }
                    }
                    continue;
                }
            }
            self.replacing = Some((at, lookup));
        }
        Progress::Done
    }

    /// Checks one block, if it has been read.
    pub fn one(&mut self, archive: &mut Archive, context: &mut Context) -> One {
        match self.walk.poll(archive, &mut |_, _, _| Wish::Take, context) {
            Step::Block { sequence, span, header } => {
                let hash = header_hash(context.memory.bytes(span.part(0, SECTOR_BYTES)));
                context.give(span);
                match self.links(sequence, &header, archive) {
                    Some(why) => self.damaged(sequence, why),
                    None if header.origin.is_some() => {
                        self.verified.good += 1;
                        self.verified.back_filled += u64::from(header.placement.fill);
                    }
                    None => {}
                }
                self.last = Some((sequence, hash));
                One::Block
            }
            Step::Damaged { sequence, error } => {
                self.damaged(sequence, error.to_string());
                One::Block
            }
            Step::End => One::End,
            Step::Wait | Step::Held => One::Wait,
        }
    }

    /// Log sequence that has not been checked yet.
    pub fn position(&self) -> u64 {
        self.walk.position()
    }

    fn damaged(&mut self, log_sequence: u64, why: String) {
        self.verified.damaged_count += 1;
        if self.verified.damaged.len() < NAMED_MAX {
            self.verified.damaged.push(DamagedBlock {
                log_sequence,
                why,
                replaced_by: None,
            });
        }
    }

    /// Why a whole block does not follow the ones before it, if it does not.
    fn links(&mut self, sequence: u64, header: &Header, archive: &Archive) -> Option<String> {
        let previous = header.placement.previous_header;
        let log = self.last.filter(|(last, _)| last + 1 == sequence && previous != NO_HASH);
        if log.is_some_and(|(_, hash)| hash != previous) {
            return Some("it does not follow the block before it in the log".to_string());
        }
        let origin = header.origin.as_ref()?;
        let Some(track) = archive.catalog.find(&origin.key) else {
            return Some(format!("camera {} is not known to this archive", origin.key.camera));
        };
        if header.placement.fill {
            return None;
        }
        let before = self.tracks.insert(track, (origin.track_sequence, header.origin_hash));
        match before {
            Some((last, _)) if origin.track_sequence <= last => Some(format!(
                "camera {} has block {} twice",
                origin.key.camera, origin.track_sequence
            )),
            // One behind a stated loss knows no predecessor; what was lost may be readable again.
            Some((last, hash))
                if last + 1 == origin.track_sequence && hash != origin.previous_origin && origin.previous_origin != NO_HASH =>
            {
                Some(format!(
                    "block {} of camera {} does not follow the one before it",
                    origin.track_sequence, origin.key.camera
                ))
            }
            Some(_) | None => None,
        }
    }
}
