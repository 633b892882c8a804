//! `export`: a camera's blocks in order, as one stream of bytes to a control client.
//!
//! Byte-exact where nothing is missing. A range that does not begin with the track's first block is led by the init data a decoder
//! needs; a hole in MPEG-TS is filled with a null packet and what makes decoders go on (`recorder/container/splice.rs`), never with
//! zeros (`field.md` 4.2). With a manifest the origin part and init data of each block come before it.

use hal::{ClientId, Op, Span};

use super::types::{ExportCall, Exported, Hole, MissingWhat};
use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::format::checkpoint::Entry;
use crate::format::header::{Header, INIT_AT, ORIGIN_AT, ORIGIN_END, init_of};
use crate::format::{SECTOR_BYTES, Tip};
use crate::limits::{MISSING_MAX, READ_AHEAD};
use crate::purpose::Purpose;
use crate::recorder::container::{Container, splice};

/// Chunks that may wait for the client.
const SENDING_MAX: usize = 4;

/// An export that is on.
#[derive(Clone, Debug, Hash)]
pub struct Export {
    /// Place of the archive.
    pub archive: usize,
    /// What was sent so far.
    pub exported: Exported,
    client: ClientId,
    call: ExportCall,
    track: TrackId,
    pub(super) seek: Option<Seek>,
    pub(super) walk: Option<Walk>,
    /// Next track sequence, once the first block has been sent.
    next: Option<u64>,
    /// Chunks on their way.
    pub sending: usize,
}

/// What came of asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Progress {
    /// Not ready.
    On,
    /// Everything is sent.
    Done,
    /// There is nothing in that range.
    Nothing,
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
            client,
            call,
            track,
            seek,
            walk,
            next: None,
            sending: 0,
        })
    }

    /// A checkpoint part has been read.
    pub fn on_sought(&mut self, sequence: u64, result: Result<(), hal::IoError>, archive: &Archive, context: &mut Context) {
        let (from, track) = (self.call.from_utc_ns.unwrap_or(i64::MIN), self.track);
        let mut holds = |tips: &[Tip]| {
            let tip = tips.iter().find(|tip| archive.catalog.find(&tip.key) == Some(track));
            tip.is_none_or(|tip| tip.last_utc_ns <= from)
        };
        if let Some(seek) = &mut self.seek {
            seek.on_read(sequence, result, archive, &mut holds, context);
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
            self.walk = Some(walk_from(Reader::Client(self.client), sequence, archive));
        }
        while self.sending < SENDING_MAX {
            let Some(walk) = &mut self.walk else { return Progress::On };
            let (track, to) = (self.track, self.call.to_utc_ns.unwrap_or(i64::MAX));
            let mut wanted = |id: TrackId, entry: &Entry| Wish::take(id == track && entry.begin_utc_ns < to);
            match walk.poll(archive, &mut wanted, context) {
                Step::Block { span, header, .. } => self.on_block(span, &header, archive, context),
                Step::Damaged { sequence, .. } => {
                    let entry = archive.catalog.recent(sequence);
                    if entry.is_none_or(|entry| archive.catalog.track_of(entry) == Some(self.track)) {
                        self.exported.damaged += 1;
                    }
                }
                Step::Wait | Step::Held => return Progress::On,
                Step::End => return self.at_end(archive),
            }
        }
        Progress::On
    }

    fn at_end(&mut self, archive: &Archive) -> Progress {
        if self.sending > 0 {
            return Progress::On;
        }
        match self.next {
            None => Progress::Nothing,
            Some(next) => {
                if self.call.to_utc_ns.is_none() {
                    let end = archive.catalog.track(self.track).durable_next;
                    self.missing(next, end.max(next), archive);
                    self.next = Some(end.max(next));
                }
                Progress::Done
            }
        }
    }

    fn on_block(&mut self, span: Span, header: &Header, archive: &Archive, context: &mut Context) {
        let in_range = header.origin.as_ref().filter(|origin| {
            archive.catalog.find(&origin.key) == Some(self.track)
                && self.call.from_utc_ns.is_none_or(|from| origin.end_utc_ns > from)
                && self.call.to_utc_ns.is_none_or(|to| origin.begin_utc_ns < to)
                && self.next.is_none_or(|next| origin.track_sequence >= next)
        });
        let Some(origin) = in_range else {
            context.give(span);
            return;
        };
        if self.call.manifest {
            self.deliver(span.part(ORIGIN_AT as u32, (ORIGIN_END - ORIGIN_AT) as u32), None, context);
        }
        match self.next {
            None => {
                if origin.track_sequence > 0 {
                    let init = init_of(context.memory.bytes(span)).len() as u32;
                    if init > 0 {
                        self.deliver(span.part(INIT_AT as u32, init), None, context);
                    }
                }
                if self.call.from_utc_ns.is_none() {
                    self.missing(0, origin.track_sequence, archive);
                }
            }
            Some(next) if next < origin.track_sequence => {
                self.missing(next, origin.track_sequence, archive);
                if origin.container == Container::MpegTs {
                    self.fill(span, origin.payload_bytes, context);
                }
            }
            Some(_) => {}
        }
        self.next = Some(origin.track_sequence + 1);
        self.exported.blocks += 1;
        self.exported.bytes += u64::from(origin.payload_bytes);
        self.deliver(span.part(SECTOR_BYTES, origin.payload_bytes), Some(span), context);
    }

    /// Sends what stands for the hole in front of a block.
    fn fill(&mut self, span: Span, payload_bytes: u32, context: &mut Context) {
        // Without memory to spare the end of the header sector, which has done its service, holds two packets.
        let (place, whole) = match context.take_spare(SECTOR_BYTES) {
            Some(place) => (place, Some(place)),
            None => (span.part(ORIGIN_END as u32, SECTOR_BYTES - ORIGIN_END as u32), None),
        };
        let payload = context.memory.bytes(span.part(SECTOR_BYTES, payload_bytes));
        let packets = splice(payload, place.length_bytes as usize);
        let chunk = place.part(0, packets.len() as u32);
        context.memory.bytes_mut(chunk).copy_from_slice(&packets);
        self.deliver(chunk, whole, context);
    }

    /// Notes that track sequences are missing, and why.
    fn missing(&mut self, mut from: u64, to: u64, archive: &Archive) {
        self.exported.missing = self.exported.missing.saturating_add(to - from);
        while from < to && self.exported.holes.len() < MISSING_MAX {
            let stated = archive.catalog.gap_at(self.track, from);
            let (end, what) = match stated {
                Some(gap) => (gap.to.min(to), gap.reason.into()),
                None => {
                    let behind = archive
                        .catalog
                        .gaps()
                        .filter(|(track, gap)| *track == self.track && gap.from > from);
                    let end = behind.map(|(_, gap)| gap.from).min().map_or(to, |next| next.min(to));
                    let what = if from == 0 && archive.oldest() > 0 {
                        MissingWhat::Expired
                    } else {
                        MissingWhat::Damaged
                    };
                    (end, what)
                }
            };
            self.exported.holes.push(Hole { from, to: end, what });
            from = end;
        }
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

    /// Whether something was sent.
    pub fn has_begun(&self) -> bool {
        self.next.is_some()
    }
}

fn walk_from(reader: Reader, from: u64, archive: &Archive) -> Walk {
    Walk::new(reader, Depth::Proof, from, Some(archive.log.durable), false, READ_AHEAD)
}
