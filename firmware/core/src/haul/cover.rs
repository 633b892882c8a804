//! Which times of a camera's kind other origins cover here: the target's answer to a source that fills holes.
//!
//! Headers are looked through from the last checkpoint behind which all of it lies, until each of the other tracks has come to later
//! times or to its end; of blocks that begin behind the time asked for only the index is read. What was filled in later counts where
//! its time is.
//!
//! Invariants: only what is durable covers; blocks without a clock cover nothing; what does not fit into the answer makes it end
//! earlier; what a clock that was set back hides is told as a hole, never a hole as covered.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use hal::ClockQuality;

use super::wire::COVER_STRETCHES;
use crate::archive::{Archive, TrackId};
use crate::format::checkpoint::Entry;
use crate::format::{Origin, Tip};
use crate::times::Stretches;

/// Stretches that are kept while the headers are looked through: those of later times go first.
const KEPT_MAX: usize = 1_024;

/// A question, and what was found of its answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cover {
    /// Number of the track on the link whose blocks are to come into the holes.
    pub number: u32,
    /// From this time on.
    pub from_utc_ns: i64,
    /// Before this one: as asked, or where the answer ends.
    pub to_utc_ns: i64,
    /// When the newest block of the others began or, of those that were read, ended.
    pub newest_utc_ns: Option<i64>,
    track: TrackId,
    /// Tracks of the same camera and kind and of other origins.
    others: BTreeSet<TrackId>,
    /// Those that reach beyond the time asked for, and were not seen to.
    awaited: BTreeSet<TrackId>,
    /// Log sequence up to which the rest of them, and what was filled in, lies.
    until: u64,
    found: Stretches,
}

impl Cover {
    /// Asked for a track of a link, between two times.
    pub fn new(number: u32, track: TrackId, (from_utc_ns, to_utc_ns): (i64, i64)) -> Cover {
        Cover {
            number,
            from_utc_ns,
            to_utc_ns,
            newest_utc_ns: None,
            track,
            others: BTreeSet::new(),
            awaited: BTreeSet::new(),
            until: 0,
            found: Stretches::default(),
        }
    }

    /// Begins to look.
    pub(super) fn begin(&mut self, archive: &Archive) {
        let tracks = archive.catalog.tracks();
        let mine = &tracks[self.track.0 as usize].tip.key;
        let other = |place: &usize| {
            let key = &tracks[*place].tip.key;
            key.camera == mine.camera && key.kind == mine.kind && key.origin != mine.origin
        };
        let places = (0..tracks.len()).filter(other);
        self.others = places.map(|place| TrackId(place as u32)).collect();
        for id in &self.others {
            let tip = &archive.catalog.track(*id).tip;
            if tip.last_utc_ns >= self.to_utc_ns {
                self.awaited.insert(*id);
            } else {
                self.until = self.until.max(tip.last_log_sequence + 1);
            }
        }
        let fills = archive.catalog.fills().filter(|(id, _)| self.others.contains(id));
        self.until = fills.map(|(_, run)| run.log_to).fold(self.until, u64::max);
    }

    /// Whether nothing more can come at that place in the log.
    pub(super) fn is_done_at(&self, log_sequence: u64) -> bool {
        self.awaited.is_empty() && log_sequence >= self.until
    }

    /// Whether everything that is asked for lies behind the place in the log where the tips are these.
    pub(super) fn holds(&self, tips: &[Tip], archive: &Archive) -> bool {
        tips.iter().all(|tip| {
            let track = archive.catalog.find(&tip.key);
            track.is_none_or(|track| !self.others.contains(&track)) || tip.last_utc_ns <= self.from_utc_ns
        })
    }

    /// Whether the header of a block is to be read.
    pub(super) fn wants(&mut self, track: TrackId, entry: &Entry) -> bool {
        if !self.others.contains(&track) {
            return false;
        }
        if !entry.fill {
            self.newest_utc_ns = self.newest_utc_ns.max(Some(entry.begin_utc_ns));
            if entry.begin_utc_ns >= self.to_utc_ns {
                self.awaited.remove(&track);
            }
        }
        entry.begin_utc_ns < self.to_utc_ns
    }

    /// A header has been read.
    pub(super) fn on_header(&mut self, origin: &Origin, archive: &Archive) {
        let track = archive.catalog.find(&origin.key);
        if track.is_none_or(|track| !self.others.contains(&track)) || origin.clock == ClockQuality::Unset {
            return;
        }
        self.newest_utc_ns = self.newest_utc_ns.max(Some(origin.end_utc_ns));
        let (begin, end) = (
            origin.begin_utc_ns.max(self.from_utc_ns),
            origin.end_utc_ns.min(self.to_utc_ns),
        );
        self.found.add(begin, end);
        if self.found.len() > KEPT_MAX
            && let Some((from, _)) = self.found.pop_last()
        {
            self.to_utc_ns = from;
        }
    }

    /// The first stretches; the answer ends where the next one begins.
    pub fn into_stretches(mut self) -> (Cover, Vec<(i64, i64)>) {
        while self.found.len() > COVER_STRETCHES {
            self.to_utc_ns = self.found.pop_last().map_or(self.to_utc_ns, |(from, _)| from);
        }
        let stretches = self.found.iter().collect();
        (self, stretches)
    }
}
