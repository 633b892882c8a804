//! `compare`: two archives by the origin hashes in their headers. No payload is read.
//!
//! First both are summed up by ranges of track sequences, then the ranges that differ are looked at block by block. Reads only.
//!
//! Invariants: memory grows with the number of ranges and of differences, both bounded; of more differing ranges than that the
//! rest is told as ranges that differ as a whole.

use alloc::collections::{BTreeMap, BTreeSet};
use hal::{ClientId, Digest, Instant, IoError};

use super::survey::Progress;
use super::types::{CompareCall, Compared, Difference, Whose};
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::format::checkpoint::Entry;
use crate::format::{Header, TrackKey};
use crate::limits::HEADERS_AHEAD;

/// Track sequences of a range.
const RANGE: u64 = 256;
/// Differing ranges that are looked at block by block.
const CLOSE_MAX: usize = 1_024;
/// Stretches that are told.
const TOLD_MAX: usize = 1_000;
/// Time between two reports of progress.
const REPORT_EVERY: core::time::Duration = core::time::Duration::from_secs(1);

/// A range of a track.
type Place = (TrackKey, u64);

/// What one archive has of a range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Sum {
    blocks: u64,
    hash: Digest,
}

/// A comparison that is on.
#[derive(Clone, Debug, Hash)]
pub struct Compare {
    /// What was found so far.
    pub compared: Compared,
    /// Places of the two archives.
    archives: [usize; 2],
    call: CompareCall,
    client: ClientId,
    /// 0 and 1: summing up; 2 and 3: looking closely.
    pass: usize,
    pub(super) walk: Option<Walk>,
    /// Tracks of the archive that is read now, and of them the ranges that are looked at closely.
    tracks: BTreeSet<TrackId>,
    closely: BTreeSet<(TrackId, u64)>,
    sums: [BTreeMap<Place, Sum>; 2],
    close: BTreeSet<Place>,
    blocks: [BTreeMap<(TrackKey, u64), Digest>; 2],
    before: u64,
    begun_at: u64,
    reported_at: Instant,
}

impl Compare {
    /// Begins.
    pub fn start(client: ClientId, call: CompareCall, first: &Archive, other: &Archive, now: Instant) -> Compare {
        let length = |archive: &Archive| archive.log.durable - archive.oldest();
        let compared = Compared {
            total: length(first) + length(other),
            ..Compared::default()
        };
        Compare {
            compared,
            archives: [first.index, other.index],
            call,
            client,
            pass: 0,
            walk: None,
            tracks: BTreeSet::new(),
            closely: BTreeSet::new(),
            sums: Default::default(),
            close: BTreeSet::new(),
            blocks: Default::default(),
            before: 0,
            begun_at: 0,
            reported_at: now,
        }
    }

    /// Place of the archive that is read now.
    pub fn archive(&self) -> usize {
        self.archives[self.pass % 2]
    }

    /// A header or an index has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Some(walk) = &mut self.walk {
            walk.on_read(sequence, result, archive, context);
        }
    }

    /// Goes on in the archive that is read now; [`Compare::archive`] may be the other one behind.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        let camera = self.call.camera.clone();
        let walk = self.walk.get_or_insert_with(|| {
            self.begun_at = archive.oldest();
            self.tracks = archive.tracks_of(camera.as_ref(), None, None).collect();
            let found = |(key, range): &Place| archive.catalog.find(key).map(|track| (track, *range));
            self.closely = self.close.iter().filter_map(found).collect();
            let end = Some(archive.log.durable);
            Walk::new(
                Reader::Client(self.client),
                Depth::Header,
                archive.oldest(),
                end,
                false,
                HEADERS_AHEAD,
            )
        });
        let (pass, close, keys, closely) = (self.pass, &self.close, &self.tracks, &self.closely);
        let mut wanted = |_: u64, track: TrackId, entry: &Entry| {
            Wish::take(keys.contains(&track) && (pass < 2 || closely.contains(&(track, entry.track_sequence / RANGE))))
        };
        loop {
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { sequence, span, header } => {
                    context.give(span);
                    if is_replaced(sequence, &header, archive) {
                        continue;
                    }
                    let concerns = camera
                        .as_ref()
                        .is_none_or(|camera| header.origin.as_ref().is_some_and(|origin| origin.key.camera == *camera));
                    if concerns {
                        take(&header, pass, &mut self.sums[pass % 2], &mut self.blocks[pass % 2], close);
                    }
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => break,
                Step::End => return self.next_pass(archive),
            }
        }
        if pass < 2 {
            self.compared.blocks = self.before + walk.position().saturating_sub(self.begun_at);
        }
        if context.now.at.since(self.reported_at) >= REPORT_EVERY {
            self.reported_at = context.now.at;
            return Progress::Report;
        }
        Progress::On
    }

    fn next_pass(&mut self, archive: &Archive) -> Progress {
        // At its end a walk holds no memory.
        self.walk = None;
        if self.pass < 2 {
            self.before += archive.log.durable.saturating_sub(self.begun_at);
            self.compared.blocks = self.before.min(self.compared.total);
        }
        if self.pass == 1 {
            self.sum_up();
        }
        self.pass += 1;
        if self.pass == 2 && self.close.is_empty() {
            self.pass = 4;
        }
        if self.pass < 4 {
            return Progress::Report;
        }
        self.tell();
        Progress::Done
    }

    /// Which ranges differ.
    fn sum_up(&mut self) {
        let [here, there] = core::mem::take(&mut self.sums);
        let places: BTreeSet<&Place> = here.keys().chain(there.keys()).collect();
        for place in places {
            let (one, other) = (here.get(place).copied(), there.get(place).copied());
            if one == other {
                self.compared.same += one.map_or(0, |sum| sum.blocks);
            } else if self.close.len() < CLOSE_MAX {
                self.close.insert(place.clone());
            } else {
                let what = match (one, other) {
                    (Some(_), None) => Whose::OnlyHere,
                    (None, _) => Whose::OnlyThere,
                    (Some(_), Some(_)) => Whose::Differing,
                };
                let blocks = one.or(other).unwrap_or_default().blocks;
                let from = place.1 * RANGE;
                self.differs(&place.0, (from, from + RANGE), blocks, what);
            }
        }
    }

    /// Block by block, what differs of the ranges that were looked at closely.
    fn tell(&mut self) {
        let [here, there] = core::mem::take(&mut self.blocks);
        let places: BTreeSet<&(TrackKey, u64)> = here.keys().chain(there.keys()).collect();
        for place in places {
            let what = match (here.get(place), there.get(place)) {
                (Some(one), Some(other)) if one == other => {
                    self.compared.same += 1;
                    continue;
                }
                (Some(_), Some(_)) => Whose::Differing,
                (Some(_), None) => Whose::OnlyHere,
                (None, _) => Whose::OnlyThere,
            };
            self.differs(&place.0, (place.1, place.1 + 1), 1, what);
        }
    }

    fn differs(&mut self, key: &TrackKey, (from, to): (u64, u64), blocks: u64, what: Whose) {
        let compared = &mut self.compared;
        match what {
            Whose::OnlyHere => compared.only_here += blocks,
            Whose::OnlyThere => compared.only_there += blocks,
            Whose::Differing => compared.differing += blocks,
        }
        let same_track = |one: &Difference| one.origin == key.origin && one.camera == key.camera && one.kind == key.kind;
        let room = compared.differences.len() < TOLD_MAX;
        match compared.differences.last_mut() {
            Some(last) if same_track(last) && last.what == what && last.to == from => last.to = to,
            _ if room => compared.differences.push(Difference {
                origin: key.origin,
                camera: key.camera.clone(),
                kind: key.kind,
                from,
                to,
                what,
            }),
            _ => compared.left_out += 1,
        }
    }
}

/// Whether another block came later in the place of this one.
fn is_replaced(log_sequence: u64, header: &Header, archive: &Archive) -> bool {
    let Some(origin) = &header.origin else { return false };
    let track = archive.catalog.find(&origin.key);
    let run = track.and_then(|track| archive.catalog.fills_at(track, origin.track_sequence));
    run.is_some_and(|run| !header.placement.fill || log_sequence < run.log_from)
}

/// Takes a header in, as the pass wants it.
fn take(
    header: &Header,
    pass: usize,
    sums: &mut BTreeMap<Place, Sum>,
    blocks: &mut BTreeMap<(TrackKey, u64), Digest>,
    close: &BTreeSet<Place>,
) {
    let Some(origin) = &header.origin else { return };
    let place = (origin.key.clone(), origin.track_sequence / RANGE);
    if pass < 2 {
        // What was filled in later comes out of order: the sum must not depend on it.
        let sum = sums.entry(place).or_default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&origin.track_sequence.to_le_bytes());
        hasher.update(&header.origin_hash.0);
        for (byte, other) in sum.hash.0.iter_mut().zip(hasher.finalize().as_bytes()) {
            *byte ^= other;
        }
        sum.blocks += 1;
    } else if close.contains(&place) {
        blocks.insert((origin.key.clone(), origin.track_sequence), header.origin_hash);
    }
}
