//! What the archive has of a card: read from its index, and from the newest block of each of the card's tracks.
//!
//! Invariant: the log is asked, nothing else. Whoever begins again after a crash finds the same.

use alloc::collections::{BTreeMap, BTreeSet};
use core::time::Duration;

use hal::{IoError, Uuid};

use super::KNOWN_MAX;
use super::profile::{MS_NS, Wanted, is_first, path_hash};
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::format::checkpoint::Entry;
use crate::format::header::FromFile;
use crate::limits::HEADERS_AHEAD;

const SECOND_NS: i64 = 1_000_000_000;
/// Zones differ from UTC by quarters of an hour, and by less than 15 hours.
const ZONE_STEP_S: i64 = 900;
const ZONES_NS: i64 = 15 * 3600 * SECOND_NS;
/// A walk that fails is begun again after this time.
pub const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// A file of which not all is in the archive: the newest of its track.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The file.
    pub file: FromFile,
    /// Next byte of it.
    pub at_bytes: u64,
}

/// What is known of one track of the card.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Known {
    /// Beginnings of files.
    begun: BTreeSet<i64>,
    /// The oldest block that the archive still has, if older ones were freed.
    from_ns: Option<i64>,
    /// The newest file, if it is not whole.
    pub partial: Option<Partial>,
}

impl Known {
    /// Whether a file is here, or was here and has been freed since. The partial one counts as here.
    pub fn has(&self, wanted: &Wanted) -> bool {
        self.begun.contains(&wanted.begin_ns) || self.from_ns.is_some_and(|from| wanted.begin_ns < from)
    }

    /// At what time a file is known that began at the time of its name, or at the one that was said; if none was said, at any that
    /// differs from the one in its name as zones do. Both have the file's number behind the milliseconds.
    pub fn begun_at(&self, named_ns: i64, said_ns: Option<i64>) -> Option<i64> {
        let exact = said_ns.into_iter().chain([named_ns]).find(|at| self.begun.contains(at));
        if exact.is_some() || said_ns.is_some() {
            return exact;
        }
        let second = |ns: i64| ns.div_euclid(SECOND_NS);
        let alike = |at: &&i64| **at % MS_NS == named_ns % MS_NS && (second(**at) - second(named_ns)) % ZONE_STEP_S == 0;
        let near = named_ns.saturating_sub(ZONES_NS)..=named_ns.saturating_add(ZONES_NS);
        self.begun.range(near).find(alike).copied()
    }

    /// A file begins to come.
    pub fn begin(&mut self, wanted: &Wanted) {
        self.begun.insert(wanted.begin_ns);
    }

    /// Whether the partial file is this one.
    pub fn is_partial(&self, wanted: &Wanted) -> bool {
        self.partial.is_some_and(|partial| {
            partial.file.begin_ns == wanted.begin_ns
                && partial.file.path == path_hash(&wanted.file.path)
                && partial.file.size_bytes == wanted.file.size_bytes
        })
    }
}

/// A survey under way.
#[derive(Clone, Debug, Hash)]
pub struct Survey {
    origin: Uuid,
    pub(super) walk: Walk,
    tracks: BTreeMap<TrackId, Known>,
    /// Oldest entry of each track: track sequence and time.
    oldest: BTreeMap<TrackId, (u64, i64)>,
    count: usize,
}

/// How far it is.
pub enum Progress {
    /// Ask again after the next event.
    Wait,
    /// What each track has.
    Done(BTreeMap<TrackId, Known>),
}

impl Survey {
    pub fn start(card: usize, origin: Uuid, archive: &Archive) -> Survey {
        let walk = Walk::new(
            Reader::Card(card),
            Depth::Header,
            archive.oldest(),
            Some(archive.log.durable),
            false,
            HEADERS_AHEAD,
        );
        Survey {
            origin,
            walk,
            tracks: BTreeMap::new(),
            oldest: BTreeMap::new(),
            count: 0,
        }
    }

    /// A header or an index has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        self.walk.on_read(sequence, result, archive, context);
    }

    fn note(&mut self, track: TrackId, track_sequence: u64, begin_utc_ns: i64) {
        let oldest = self.oldest.entry(track).or_insert((track_sequence, begin_utc_ns));
        if track_sequence < oldest.0 {
            *oldest = (track_sequence, begin_utc_ns);
        }
        if is_first(begin_utc_ns) && self.count < KNOWN_MAX {
            self.count += usize::from(self.tracks.entry(track).or_default().begun.insert(begin_utc_ns));
        }
    }

    /// Goes on as far as it has been read.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        let mine: BTreeMap<TrackId, u64> = archive
            .tracks_of(None, None, Some(self.origin))
            .map(|id| (id, archive.catalog.track(id).tip.last_log_sequence))
            .collect();
        loop {
            let mut noted = alloc::vec::Vec::new();
            let mut wanted = |sequence: u64, track: TrackId, entry: &Entry| match mine.get(&track) {
                Some(last) => {
                    noted.push((track, entry.track_sequence, entry.begin_utc_ns));
                    Wish::take(*last == sequence)
                }
                None => Wish::Leave,
            };
            let step = self.walk.poll(archive, &mut wanted, context);
            for (track, track_sequence, begin) in noted {
                self.note(track, track_sequence, begin);
            }
            match step {
                Step::Block { sequence, span, header } => {
                    context.give(span);
                    let Some(origin) = &header.origin else { continue };
                    let Some(track) = archive.catalog.find(&origin.key).filter(|track| mine.contains_key(track)) else {
                        continue;
                    };
                    self.note(track, origin.track_sequence, origin.begin_utc_ns);
                    if mine.get(&track) == Some(&sequence) {
                        let known = self.tracks.entry(track).or_default();
                        known.partial = origin.file.and_then(|file| {
                            let at_bytes = file.at_bytes + u64::from(origin.payload_bytes);
                            // Of a track that has moved on, what was missing has been stated.
                            let is_tip = archive.catalog.track(track).tip.next == origin.track_sequence + 1;
                            (at_bytes < file.size_bytes && is_tip).then_some(Partial { file, at_bytes })
                        });
                    }
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => return Progress::Wait,
                Step::End => break,
            }
        }
        for id in mine.keys() {
            let track = archive.catalog.track(*id);
            let known = self.tracks.entry(*id).or_default();
            known.from_ns = match self.oldest.get(id) {
                Some((0, _)) => None,
                Some((_, begin)) => Some(*begin),
                // Nothing of it is left: what it ended with is the best that is known.
                None => (track.tip.next > 0).then_some(track.tip.last_utc_ns.saturating_add(1)),
            };
        }
        Progress::Done(core::mem::take(&mut self.tracks))
    }

    /// Whether no read is in flight.
    pub fn is_quiet(&self) -> bool {
        self.walk.is_quiet()
    }
}
