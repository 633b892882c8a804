//! One file on its way into the archive: looked at, read, looked at again, appended; a few blocks between two looks.
//!
//! Invariant: what is appended was read between two looks that agree. A file that changes meanwhile ends where the last agreement was.

use alloc::collections::VecDeque;
use alloc::string::String;

use hal::{CardId, CardLook, ClockQuality, Digest, IoError, Op, Span};

use super::BATCH_MAX;
use super::profile::{Wanted, path_hash, share_ns};
use crate::Kind;
use crate::archive::{Accepted, Archive, NotAccepted, Owner, TrackId};
use crate::context::{Context, Ready};
use crate::format::header::{self, Epoch, FromFile};
use crate::format::{Lease, Origin, SECTOR_BYTES, TrackKey};
use crate::purpose::{CardTask, Purpose};
use crate::recorder::capacity_bytes;
use crate::recorder::container::Scanner;

/// A file that is being taken.
#[derive(Clone, Debug, Hash)]
pub struct Import {
    card: usize,
    id: CardId,
    /// The file.
    pub wanted: Wanted,
    /// Its track here.
    pub track: TrackId,
    key: TrackKey,
    /// Next byte to be appended.
    pub at_bytes: u64,
    /// Bytes below that are looked through for what a decoder needs, and not appended: they are there.
    skip_bytes: u64,
    place: Option<u64>,
    scanner: Scanner,
    step: Step,
    batch: VecDeque<Piece>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Piece {
    span: Span,
    at_bytes: u64,
    bytes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// The first look is to be made.
    Begin,
    Looking,
    Reading,
    /// A piece of what is there already is being read.
    Skipping(Span),
    /// The look behind a batch is under way.
    Confirming,
    /// The batch waits for the archive.
    Appending,
    /// Nothing is in flight; it is over.
    Ended,
}

/// What became of it, once it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All of it is accepted.
    Whole,
    /// It is there and is another one now.
    Changed,
    /// It is not there any more.
    Vanished,
    /// It cannot be read.
    Unreadable(IoError),
    /// The card is gone.
    Gone,
    /// The archive takes nothing.
    Refused(NotAccepted),
}

/// What to do after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Ask again after the next event.
    On,
    /// So many blocks were accepted.
    Accepted(usize),
    /// It is over.
    End(End),
}

impl Import {
    pub fn new(card: usize, id: CardId, wanted: Wanted, key: TrackKey, track: TrackId, from_bytes: u64) -> Import {
        Import {
            card,
            id,
            wanted,
            track,
            key,
            at_bytes: 0,
            skip_bytes: from_bytes,
            place: None,
            scanner: Scanner::new(),
            step: Step::Begin,
            batch: VecDeque::new(),
        }
    }

    fn tag(&self, context: &mut Context) -> hal::Tag {
        context.tag(Purpose::Card(self.card, CardTask::Import))
    }

    fn look(&mut self, step: Step, context: &mut Context) {
        self.step = step;
        let tag = self.tag(context);
        let path: String = self.wanted.file.path.clone();
        context.submit(Op::LookCard {
            tag,
            card: self.id,
            path,
        });
    }

    /// Bytes of the file that are in the archive, or accepted.
    pub fn taken_bytes(&self) -> u64 {
        self.at_bytes.max(self.skip_bytes)
    }

    /// Whether an op is in flight.
    pub fn is_busy(&self) -> bool {
        matches!(
            self.step,
            Step::Looking | Step::Reading | Step::Skipping(_) | Step::Confirming
        )
    }

    /// Gives its memory back. Nothing may be in flight.
    pub fn finish(&mut self, context: &mut Context) {
        assert!(!self.is_busy());
        self.drop_batch(context);
        self.step = Step::Ended;
    }

    fn drop_batch(&mut self, context: &mut Context) {
        for piece in self.batch.drain(..) {
            context.give(piece.span);
        }
    }

    fn end(&mut self, end: End, context: &mut Context) -> Turn {
        self.drop_batch(context);
        self.step = Step::Ended;
        Turn::End(end)
    }

    fn failed(&mut self, error: IoError, context: &mut Context) -> Turn {
        let end = match error {
            IoError::Gone => End::Gone,
            IoError::NotFound => End::Vanished,
            error => End::Unreadable(error),
        };
        self.end(end, context)
    }

    /// The file was looked at.
    pub fn on_looked(&mut self, result: Result<CardLook, IoError>, archive: &mut Archive, context: &mut Context) -> Turn {
        let look = match result {
            Ok(look) => look,
            Err(error) => return self.failed(error, context),
        };
        let same = look.file == self.wanted.file && self.place.is_none_or(|place| place == look.place);
        if !same {
            return self.end(End::Changed, context);
        }
        self.place = Some(look.place);
        if self.step == Step::Confirming {
            self.step = Step::Appending;
            return self.append(archive, context);
        }
        self.read(archive, context)
    }

    /// Length of the piece that begins at a byte of the file; 0 at its end.
    fn piece_bytes(&self, at_bytes: u64, archive: &Archive) -> u32 {
        let end = if at_bytes < self.skip_bytes {
            self.skip_bytes
        } else {
            self.wanted.file.size_bytes
        };
        (end - at_bytes).min(u64::from(capacity_bytes(archive.superblock.block_bytes))) as u32
    }

    /// Asks for the next bytes, if there is memory.
    fn read(&mut self, archive: &Archive, context: &mut Context) -> Turn {
        let read_bytes = self
            .batch
            .back()
            .map_or(self.at_bytes, |piece| piece.at_bytes + u64::from(piece.bytes));
        let bytes = self.piece_bytes(read_bytes, archive);
        if bytes == 0 || self.batch.len() >= BATCH_MAX {
            self.look(Step::Confirming, context);
            return Turn::On;
        }
        let Some(span) = context.take_spare(archive.superblock.block_bytes) else {
            if self.batch.is_empty() {
                self.step = Step::Begin;
                context.ask_when_freed(Ready::Card(self.card));
            } else {
                self.look(Step::Confirming, context);
            }
            return Turn::On;
        };
        let tag = self.tag(context);
        context.submit(Op::ReadCard {
            tag,
            card: self.id,
            at_bytes: read_bytes,
            into: span.part(SECTOR_BYTES, bytes),
        });
        if read_bytes < self.skip_bytes {
            self.step = Step::Skipping(span);
        } else {
            self.batch.push_back(Piece {
                span,
                at_bytes: read_bytes,
                bytes,
            });
            self.step = Step::Reading;
        }
        Turn::On
    }

    /// Bytes have been read, or not.
    pub fn on_read(&mut self, result: Result<(), IoError>, archive: &Archive, context: &mut Context) -> Turn {
        let skipped = match self.step {
            Step::Skipping(span) => Some(span),
            _ => None,
        };
        if let Err(error) = result {
            if let Some(span) = skipped {
                context.give(span);
            }
            return self.failed(error, context);
        }
        if let Some(span) = skipped {
            let bytes = self.piece_bytes(self.at_bytes, archive);
            self.scanner.scan(context.memory.bytes(span.part(SECTOR_BYTES, bytes)));
            self.scanner.take_key_frame();
            self.at_bytes += u64::from(bytes);
            context.give(span);
        }
        self.read(archive, context)
    }

    /// Goes on after memory or room came back.
    pub fn poll(&mut self, archive: &mut Archive, context: &mut Context) -> Turn {
        match self.step {
            Step::Begin => {
                self.look(Step::Looking, context);
                Turn::On
            }
            Step::Appending => self.append(archive, context),
            _ => Turn::On,
        }
    }

    fn append(&mut self, archive: &mut Archive, context: &mut Context) -> Turn {
        let mut accepted = 0;
        while let Some(piece) = self.batch.front().copied() {
            if let Err(error) = self.append_one(piece, archive, context) {
                return self.end(End::Refused(error), context);
            }
            self.batch.pop_front();
            self.at_bytes = piece.at_bytes + u64::from(piece.bytes);
            accepted += 1;
        }
        if self.at_bytes == self.wanted.file.size_bytes {
            self.step = Step::Ended;
        } else {
            self.step = Step::Begin;
        }
        Turn::Accepted(accepted)
    }

    /// Whether all of it is accepted.
    pub fn is_whole(&self) -> bool {
        self.at_bytes == self.wanted.file.size_bytes
    }

    fn append_one(&mut self, piece: Piece, archive: &mut Archive, context: &mut Context) -> Result<(), NotAccepted> {
        let block = context.memory.bytes_mut(piece.span);
        let (sector, room) = block.split_at_mut(SECTOR_BYTES as usize);
        let (payload, rest) = room.split_at_mut(piece.bytes as usize);
        rest.fill(0);
        self.scanner.scan(payload);
        let tip = &archive.catalog.track(self.track).tip;
        let end_bytes = piece.at_bytes + u64::from(piece.bytes);
        let is_last = end_bytes == self.wanted.file.size_bytes;
        let origin = Origin {
            key: self.key.clone(),
            epoch: Epoch::default(),
            track_sequence: tip.next,
            container: self.scanner.container(),
            clock: if self.wanted.timed {
                ClockQuality::Free
            } else {
                ClockQuality::Unset
            },
            key_frame: self.scanner.take_key_frame(),
            sealed_early: is_last,
            discontinuity: piece.at_bytes == 0,
            payload_bytes: piece.bytes,
            begin_utc_ns: if piece.at_bytes == 0 {
                self.wanted.begin_ns
            } else {
                share_ns(&self.wanted, piece.at_bytes)
            },
            end_utc_ns: if is_last {
                self.wanted.end_ns
            } else {
                share_ns(&self.wanted, end_bytes)
            },
            begin_boot_ns: 0,
            payload_digest: Digest(*blake3::hash(payload).as_bytes()),
            previous_origin: tip.hash,
            file: Some(FromFile {
                path: path_hash(&self.wanted.file.path),
                begin_ns: self.wanted.begin_ns,
                size_bytes: self.wanted.file.size_bytes,
                at_bytes: piece.at_bytes,
            }),
        };
        header::encode_origin(sector, &origin, self.scanner.init());
        let hash = header::origin_hash(sector);
        let accepted = Accepted {
            span: piece.span,
            track: self.track,
            origin,
            hash,
            lease: Lease::default(),
            fill: false,
            owner: Owner::Card(self.card),
        };
        archive.append(accepted, context)
    }
}

/// The track of a camera of a card.
pub fn track_key(origin: hal::Uuid, wanted: &Wanted, kind: Kind) -> TrackKey {
    TrackKey {
        origin,
        camera: wanted.camera.clone(),
        kind,
    }
}
