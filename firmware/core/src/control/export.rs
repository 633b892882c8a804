//! `export`: a camera's blocks in order, as one stream of bytes to a control client. Here of one track; `merged` of several.
//!
//! Byte-exact where nothing is missing. A range that does not begin with the track's first block is led by the init data a decoder
//! needs; a hole in MPEG-TS is filled with a null packet and what makes decoders go on (`recorder/container/splice.rs`), never with
//! zeros (`field.md` 4.2). With a manifest the origin part and init data of each block come before it. What lies elsewhere in the log
//! because it was filled in later is fetched when its turn comes: one walk at a time, so that the memory of one is enough.

mod merged;
mod turns;

use alloc::vec::Vec;
use core::ops::Range;
use hal::{ClientId, Op, Span};

pub use merged::Merged;

use super::types::{ExportCall, Exported, Hole, MissingWhat, Refusal};
use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::{Context, Ready};
use crate::format::checkpoint::Entry;
use crate::format::header::{Header, INIT_AT, ORIGIN_AT, ORIGIN_END, init_of};
use crate::format::{Origin, SECTOR_BYTES, Tip, TrackKey};
use crate::limits::{MISSING_MAX, READ_AHEAD};
use crate::purpose::Purpose;
use crate::recorder::container::{leads, splice};

/// Chunks that may wait for the client.
const SENDING_MAX: usize = 4;

/// An export that is on.
#[derive(Clone, Debug, Hash)]
pub struct Export {
    /// Place of the archive.
    pub archive: usize,
    /// What was sent so far.
    pub exported: Exported,
    /// Chunks on their way.
    pub chunks: Chunks,
    call: ExportCall,
    track: TrackId,
    pub(super) seek: Option<Seek>,
    pub(super) walk: Option<Walk>,
    /// Next track sequence, once the first block has been sent.
    next: Option<u64>,
    /// What was filled in of the numbers before a block is being fetched.
    errand: Option<Errand>,
    /// Fills of lower numbers have been looked for.
    looked: u64,
    /// Damaged blocks since the last one that was no fill, and numbers that were missing since then: a damaged block whose number came
    /// later is not left out.
    hurt: u64,
    lacking: u64,
}

/// Chunks of a stream that are on their way to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Chunks {
    client: ClientId,
    /// How many.
    pub sending: usize,
}

/// Fetching fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Errand {
    /// Of these numbers: all from `looked` on, below this one.
    below: u64,
    /// The piece being read, from and to; none while the walk that was on before has not come to rest.
    piece: Option<(u64, u64)>,
    /// Log sequence at which the walk goes on afterwards.
    back_to: u64,
}

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not ready.
    On,
    /// Everything is sent.
    Done,
    /// There is nothing in that range.
    Nothing,
    /// It cannot be, and nothing was sent.
    Refused(Refusal),
}

impl Export {
    /// Begins. None if block memory is short.
    pub fn start(client: ClientId, call: ExportCall, track: TrackId, archive: &Archive, context: &mut Context) -> Option<Export> {
        let reader = Reader::Client(client);
        let (seek, walk) = match call.from_utc_ns {
            Some(_) => (Some(Seek::start(reader, archive, context)?), None),
            None => (None, Some(walk_from(reader, archive.oldest(), archive))),
        };
        Some(Export {
            archive: archive.index,
            exported: Exported::default(),
            chunks: Chunks::of(client),
            call,
            track,
            seek,
            walk,
            next: None,
            errand: None,
            looked: 0,
            hurt: 0,
            lacking: 0,
        })
    }

    /// A checkpoint part has been read.
    pub fn on_sought(&mut self, result: Result<(), hal::IoError>, archive: &Archive, context: &mut Context) {
        let (from, track) = (self.call.from_utc_ns.unwrap_or(i64::MIN), self.track);
        let mut holds = |tips: &[Tip]| {
            let tip = tips.iter().find(|tip| archive.catalog.find(&tip.key) == Some(track));
            tip.is_none_or(|tip| tip.last_utc_ns <= from)
        };
        if let Some(seek) = &mut self.seek {
            seek.on_read(result, archive, &mut holds, context);
        }
    }

    /// Goes on as far as blocks have been read and the client takes them.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Progress {
        if let Some(seek) = &self.seek {
            let Some(sequence) = seek.found(archive) else {
                return Progress::On;
            };
            if let Some(seek) = self.seek.take() {
                seek.finish(context);
            }
            self.walk = Some(walk_from(Reader::Client(self.chunks.client), sequence, archive));
        }
        while self.chunks.sending < SENDING_MAX {
            let piece = self.errand.and_then(|errand| errand.piece);
            if self.errand.is_some() && piece.is_none() && !self.next_piece(archive, context) {
                return Progress::On;
            }
            let piece = self.errand.and_then(|errand| errand.piece);
            let Some(walk) = &mut self.walk else { return Progress::On };
            let (track, to) = (self.track, self.call.to_utc_ns.unwrap_or(i64::MAX));
            let mut wanted = |_: u64, id: TrackId, entry: &Entry| {
                let mine = piece.map_or(!entry.fill, |(from, to)| {
                    entry.fill && (from..to).contains(&entry.track_sequence)
                });
                Wish::take(mine && id == track && entry.begin_utc_ns < to)
            };
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { sequence, span, header } => {
                    let number = header.origin.as_ref().map(|origin| origin.track_sequence);
                    let in_turn = match (piece, number) {
                        (Some((from, to)), Some(number)) => header.placement.fill && (from..to).contains(&number),
                        (_, _) => !header.placement.fill,
                    };
                    if !in_turn || self.is_led_by_fills(&header, sequence, archive) {
                        context.give(span);
                    } else if !self.on_block(span, &header, archive, context) {
                        if let Some(walk) = &mut self.walk {
                            walk.put_back(sequence, span, header);
                        }
                        return Progress::On;
                    }
                }
                Step::Damaged { sequence, .. } => {
                    let entry = archive.catalog.recent(sequence);
                    if entry.is_none_or(|entry| archive.catalog.track_of(entry) == Some(self.track)) {
                        self.hurt += 1;
                    }
                }
                Step::Wait | Step::Held => return Progress::On,
                Step::End if piece.is_some() => self.end_piece(),
                Step::End if self.seeks_fills(archive.catalog.track(self.track).durable_next, archive.log.durable, archive) => {}
                Step::End => return self.at_end(archive),
            }
        }
        Progress::On
    }

    /// Whether fills come before a block that was read; then they are fetched first, and the block is read again.
    fn is_led_by_fills(&mut self, header: &Header, sequence: u64, archive: &Archive) -> bool {
        let origin = header.origin.as_ref().filter(|_| !header.placement.fill);
        let number = origin
            .filter(|origin| archive.catalog.find(&origin.key) == Some(self.track))
            .map(|origin| origin.track_sequence);
        number.is_some_and(|number| self.seeks_fills(number, sequence, archive))
    }

    /// Goes on an errand if there are fills between what was sent and a number.
    fn seeks_fills(&mut self, below: u64, back_to: u64, archive: &Archive) -> bool {
        self.looked = self.looked.max(self.next.unwrap_or(0));
        let piece = archive.catalog.next_piece(self.track, self.looked);
        let is_there = piece.is_some_and(|(from, ..)| from < below);
        if is_there {
            self.errand = Some(Errand {
                below,
                piece: None,
                back_to,
            });
        }
        is_there
    }

    /// Begins to read the next fills, or goes back. False while the walk before has not come to rest.
    fn next_piece(&mut self, archive: &Archive, context: &mut Context) -> bool {
        let Some(mut errand) = self.errand else { return true };
        if self.walk.as_ref().is_some_and(|walk| !walk.is_quiet()) {
            return false;
        }
        if let Some(walk) = self.walk.take() {
            walk.finish(context);
        }
        let reader = Reader::Client(self.chunks.client);
        let piece = archive.catalog.next_piece(self.track, self.looked);
        match piece.filter(|(from, ..)| *from < errand.below) {
            Some((from, to, run)) => {
                errand.piece = Some((from, to.min(errand.below)));
                self.walk = Some(Walk::new(
                    reader,
                    Depth::Proof,
                    run.log_from,
                    Some(run.log_to),
                    false,
                    READ_AHEAD,
                ));
                self.errand = Some(errand);
            }
            None => {
                self.looked = errand.below;
                self.errand = None;
                self.walk = Some(walk_from(reader, errand.back_to, archive));
            }
        }
        true
    }

    /// The walk through a run of fills is over.
    fn end_piece(&mut self) {
        if let Some(errand) = &mut self.errand
            && let Some((_, to)) = errand.piece.take()
        {
            self.looked = to;
        }
    }

    fn at_end(&mut self, archive: &Archive) -> Progress {
        if self.chunks.sending > 0 {
            return Progress::On;
        }
        match self.next {
            None => Progress::Nothing,
            Some(next) => {
                let end = archive.catalog.track(self.track).durable_next;
                if self.call.to_utc_ns.is_none() {
                    let end = end.max(next);
                    self.missing(next, end, archive);
                    self.lacking = self.lacking.saturating_add(end - next);
                    self.next = Some(end);
                } else {
                    // Nobody knows whether they belong to the range.
                    self.lacking = u64::MAX;
                }
                self.count_damaged();
                Progress::Done
            }
        }
    }

    fn count_damaged(&mut self) {
        self.exported.damaged += self.hurt.min(self.lacking);
        (self.hurt, self.lacking) = (0, 0);
    }

    /// Sends a block if it is in the range. False if there is no memory for it now.
    fn on_block(&mut self, span: Span, header: &Header, archive: &Archive, context: &mut Context) -> bool {
        let in_range = header.origin.as_ref().filter(|origin| {
            archive.catalog.find(&origin.key) == Some(self.track)
                && self.call.from_utc_ns.is_none_or(|from| origin.end_utc_ns > from)
                && self.call.to_utc_ns.is_none_or(|to| origin.begin_utc_ns < to)
                && self.next.is_none_or(|next| origin.track_sequence >= next)
        });
        let Some(origin) = in_range else {
            context.give(span);
            return true;
        };
        let before = self.next.map(|next| (&origin.key, next));
        if !self.chunks.block(span, origin, before, self.call.manifest, context) {
            return false;
        }
        let lacking = match (self.next, self.call.from_utc_ns) {
            (Some(next), _) => origin.track_sequence - next,
            (None, None) => origin.track_sequence,
            (None, Some(_)) => u64::MAX,
        };
        self.lacking = self.lacking.saturating_add(lacking);
        if !header.placement.fill {
            self.count_damaged();
        }
        match self.next {
            None if self.call.from_utc_ns.is_none() => self.missing(0, origin.track_sequence, archive),
            Some(next) if next < origin.track_sequence => self.missing(next, origin.track_sequence, archive),
            None | Some(_) => {}
        }
        self.next = Some(origin.track_sequence + 1);
        self.exported.blocks += 1;
        self.exported.bytes += u64::from(origin.payload_bytes);
        true
    }

    /// Notes that track sequences are missing, and why.
    fn missing(&mut self, from: u64, to: u64, archive: &Archive) {
        self.exported.missing = self.exported.missing.saturating_add(to - from);
        for (from, to, what) in why_missing(self.track, from..to, archive) {
            if self.exported.holes.len() < MISSING_MAX {
                let origin = None;
                self.exported.holes.push(Hole { from, to, what, origin });
            }
        }
    }

    /// Whether something was sent.
    pub fn has_begun(&self) -> bool {
        self.next.is_some()
    }
}

impl Chunks {
    fn of(client: ClientId) -> Chunks {
        Chunks { client, sending: 0 }
    }

    /// Sends a block, with what comes in front of it. `before` is the track of the block before it, and the number behind that. False
    /// if there is no memory for it now: it is to be put back.
    ///
    /// A page is lent for one chunk at a time. The first one of a block has its origin part and the init data, so with a manifest
    /// the init data is not sent by itself, and what stands for a hole has no place there.
    fn block(
        &mut self,
        span: Span,
        origin: &Origin,
        before: Option<(&TrackKey, u64)>,
        manifest: bool,
        context: &mut Context,
    ) -> bool {
        let init = init_of(context.memory.bytes(span)).len() as u32;
        let leads = leads(before, origin, init > 0);
        let place = leads.splice.then(|| context.take_spare(SECTOR_BYTES)).flatten();
        if leads.splice && place.is_none() && (manifest || leads.init) {
            context.ask_when_freed(Ready::Reading(self.client));
            return false;
        }
        if manifest {
            self.deliver(span.part(ORIGIN_AT as u32, (ORIGIN_END - ORIGIN_AT) as u32), None, context);
        } else if leads.init {
            self.deliver(span.part(INIT_AT as u32, init), None, context);
        }
        if leads.splice {
            self.fill(span, place, origin.payload_bytes, context);
        }
        self.deliver(span.part(SECTOR_BYTES, origin.payload_bytes), Some(span), context);
        true
    }

    /// Sends what stands for the hole in front of a block. Without a place for it the end of the header sector, which has done its
    /// service, holds two packets.
    fn fill(&mut self, span: Span, whole: Option<Span>, payload_bytes: u32, context: &mut Context) {
        let end = || span.part(ORIGIN_END as u32, SECTOR_BYTES - ORIGIN_END as u32);
        let place = whole.unwrap_or_else(end);
        let payload = context.memory.bytes(span.part(SECTOR_BYTES, payload_bytes));
        let packets = splice(payload, place.length_bytes as usize);
        let chunk = place.part(0, packets.len() as u32);
        context.memory.bytes_mut(chunk).copy_from_slice(&packets);
        self.deliver(chunk, whole, context);
    }

    /// Sends a chunk; `whole` is given back when it has left. Chunks leave in order, so one that lies in the same block needs none.
    fn deliver(&mut self, chunk: Span, whole: Option<Span>, context: &mut Context) {
        self.sending += 1;
        let lent = whole.map_or((0, 0), |span| (span.offset_bytes, span.length_bytes));
        let tag = context.tag(Purpose::Deliver(self.client, lent));
        context.submit(Op::Deliver {
            tag,
            client: self.client,
            chunk,
        });
    }
}

fn walk_from(reader: Reader, from: u64, archive: &Archive) -> Walk {
    Walk::new(reader, Depth::Proof, from, Some(archive.log.durable), false, READ_AHEAD)
}

/// Why track sequences of a track are missing, as stretches.
fn why_missing(track: TrackId, numbers: Range<u64>, archive: &Archive) -> Vec<(u64, u64, MissingWhat)> {
    let (mut from, to) = (numbers.start, numbers.end);
    let mut found = Vec::new();
    while from < to && found.len() < MISSING_MAX {
        let (end, what) = match archive.catalog.gap_at(track, from) {
            Some(gap) => (gap.to.min(to), gap.reason.into()),
            None => {
                let behind = archive
                    .catalog
                    .gaps()
                    .filter(|(other, gap)| *other == track && gap.from > from);
                let end = behind.map(|(_, gap)| gap.from).min().map_or(to, |next| next.min(to));
                let what = if from == 0 && archive.oldest() > 0 {
                    MissingWhat::Expired
                } else {
                    MissingWhat::Damaged
                };
                (end, what)
            }
        };
        found.push((from, end, what));
        from = end;
    }
    found
}
