//! Looking through the headers of tracks, from a time to a time, without reading payload: which blocks are there, and what follows
//! from it. What is asked decides what is kept of each header.
//!
//! Reads only. Invariant: memory grows with what is found out, never with the number of blocks.

mod cover;
mod days;
mod extent;

use alloc::collections::BTreeSet;
use hal::{ClientId, Instant, IoError};

pub use cover::Cover;
pub use days::Days;
pub use extent::Extent;

use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::format::checkpoint::Entry;
use crate::format::{Header, Tip};
use crate::limits::HEADERS_AHEAD;

/// Time between two reports of progress.
const REPORT_EVERY: core::time::Duration = core::time::Duration::from_secs(1);

/// What is asked of the headers.
#[derive(Clone, Debug, Hash)]
pub enum Quest {
    /// Which times are covered, and what is missing.
    Cover(Cover),
    /// Which track sequences lie in a range of time.
    Extent(Extent),
    /// How much there is of each day.
    Days(Days),
}

/// A look through headers that is on.
#[derive(Clone, Debug, Hash)]
pub struct Survey {
    /// Place of the archive.
    pub archive: usize,
    /// What is asked.
    pub quest: Quest,
    /// Log sequences looked at so far.
    pub blocks: u64,
    /// Log sequences to look at in all, once it is known where to begin.
    pub total: u64,
    client: ClientId,
    tracks: BTreeSet<TrackId>,
    from_utc_ns: Option<i64>,
    to_utc_ns: Option<i64>,
    begun_at: u64,
    reported_at: Instant,
    pub(super) seek: Option<Seek>,
    pub(super) walk: Option<Walk>,
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

impl Survey {
    /// Begins. None if block memory is short.
    pub fn start(
        client: ClientId,
        archive: &Archive,
        tracks: BTreeSet<TrackId>,
        (from_utc_ns, to_utc_ns): (Option<i64>, Option<i64>),
        quest: Quest,
        context: &mut Context,
    ) -> Option<Survey> {
        let reader = Reader::Client(client);
        let (seek, walk) = match from_utc_ns {
            Some(_) => (Some(Seek::start(reader, archive, context)?), None),
            None => (None, Some(headers_from(reader, archive.oldest(), archive))),
        };
        let begun_at = archive.oldest();
        Some(Survey {
            archive: archive.index,
            quest,
            blocks: 0,
            total: archive.log.durable - begun_at,
            client,
            tracks,
            from_utc_ns,
            to_utc_ns,
            begun_at,
            reported_at: context.now.at,
            seek,
            walk,
        })
    }

    /// A block or an index has been read.
    pub fn on_read(&mut self, sequence: u64, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        if let Some(walk) = &mut self.walk {
            walk.on_read(sequence, result, archive, context);
        }
    }

    /// A checkpoint part has been read.
    pub fn on_sought(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) {
        let (from, tracks) = (self.from_utc_ns.unwrap_or(i64::MIN), &self.tracks);
        let mut holds = |tips: &[Tip]| {
            tips.iter().all(|tip| {
                let track = archive.catalog.find(&tip.key);
                !track.is_some_and(|track| tracks.contains(&track)) || tip.last_utc_ns <= from
            })
        };
        if let Some(seek) = &mut self.seek {
            seek.on_read(result, archive, &mut holds, context);
        }
    }

    /// Goes on as far as headers have been read.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        if let Some(seek) = &self.seek {
            let Some(sequence) = seek.found(archive) else {
                return Progress::On;
            };
            if let Some(seek) = self.seek.take() {
                seek.finish(context);
            }
            self.begun_at = sequence;
            self.total = archive.log.durable.saturating_sub(sequence);
            self.walk = Some(headers_from(Reader::Client(self.client), sequence, archive));
        }
        let Some(walk) = &mut self.walk else { return Progress::On };
        let (tracks, to) = (&self.tracks, self.to_utc_ns.unwrap_or(i64::MAX));
        let mut wanted = |_: u64, track: TrackId, entry: &Entry| Wish::take(tracks.contains(&track) && entry.begin_utc_ns < to);
        loop {
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { sequence, span, header } => {
                    context.give(span);
                    self.quest.on_header(sequence, &header, tracks, archive);
                }
                Step::Damaged { .. } => {}
                Step::Wait | Step::Held => break,
                Step::End => {
                    self.blocks = self.total;
                    self.quest.on_end(tracks, archive);
                    return Progress::Done;
                }
            }
        }
        self.blocks = walk.position().saturating_sub(self.begun_at);
        if context.now.at.since(self.reported_at) >= REPORT_EVERY {
            self.reported_at = context.now.at;
            return Progress::Report;
        }
        Progress::On
    }
}

impl Quest {
    fn on_header(&mut self, log_sequence: u64, header: &Header, tracks: &BTreeSet<TrackId>, archive: &Archive) {
        let Some(origin) = &header.origin else { return };
        let Some(track) = archive.catalog.find(&origin.key).filter(|track| tracks.contains(track)) else {
            return;
        };
        match self {
            Quest::Cover(cover) if header.placement.fill => cover.on_fill(origin),
            Quest::Cover(cover) => cover.on_block(track, origin, archive),
            Quest::Extent(extent) => extent.on_block(track, origin),
            Quest::Days(days) => days.on_block(track, log_sequence, header.placement.fill, origin, archive),
        }
    }

    fn on_end(&mut self, tracks: &BTreeSet<TrackId>, archive: &Archive) {
        match self {
            Quest::Cover(cover) => cover.on_end(tracks, archive),
            Quest::Extent(_) | Quest::Days(_) => {}
        }
    }
}

fn headers_from(reader: Reader, from: u64, archive: &Archive) -> Walk {
    Walk::new(reader, Depth::Header, from, Some(archive.log.durable), false, HEADERS_AHEAD)
}
