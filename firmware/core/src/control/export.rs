//! `export`: a camera's blocks in order, as one stream of bytes to a control client.
//!
//! Byte-exact where nothing is missing. A range that does not begin with the track's first block is led by the init data a decoder
//! needs; a hole in MPEG-TS is marked by a null packet, never by zeros (`field.md` 4.2).

use hal::{ClientId, Op, Span};

use super::types::{ExportCall, Exported};
use crate::archive::seek::Seek;
use crate::archive::walk::{Depth, Reader, Step, Walk, Wish};
use crate::archive::{Archive, TrackId};
use crate::context::Context;
use crate::format::checkpoint::Entry;
use crate::format::header::{Header, INIT_AT, ORIGIN_END, init_of};
use crate::format::{SECTOR_BYTES, Tip};
use crate::limits::READ_AHEAD;
use crate::purpose::Purpose;
use crate::recorder::container::{Container, null_packet};

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
                    self.exported.missing += archive.catalog.track(self.track).durable_next.saturating_sub(next);
                    self.next = Some(archive.catalog.track(self.track).durable_next);
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
        match self.next {
            None => {
                if origin.track_sequence > 0 {
                    let init = init_of(context.memory.bytes(span)).len() as u32;
                    if init > 0 {
                        self.deliver(span.part(INIT_AT as u32, init), None, context);
                    }
                }
                if self.call.from_utc_ns.is_none() {
                    self.exported.missing = self.exported.missing.saturating_add(origin.track_sequence);
                }
            }
            Some(next) if next < origin.track_sequence => {
                self.exported.missing = self.exported.missing.saturating_add(origin.track_sequence - next);
                if origin.container == Container::MpegTs {
                    let packet = null_packet();
                    // The end of the header sector has done its service.
                    let place = span.part(ORIGIN_END as u32, packet.len() as u32);
                    context.memory.bytes_mut(place).copy_from_slice(&packet);
                    self.deliver(place, None, context);
                }
            }
            Some(_) => {}
        }
        self.next = Some(origin.track_sequence + 1);
        self.exported.blocks += 1;
        self.exported.bytes += u64::from(origin.payload_bytes);
        self.deliver(span.part(SECTOR_BYTES, origin.payload_bytes), Some(span), context);
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
