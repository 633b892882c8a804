//! Where to begin to read: the newest checkpoint of which something still holds, by binary search over the regular ones.
//!
//! Checkpoints lie at multiples of the segment size, so nothing has to be found. One that cannot be read counts as "does not
//! hold": that only begins earlier. O(log n) reads whatever the size of the volume.

use alloc::vec::Vec;
use hal::{IoError, Op, Span};

use super::opening::checkpoint_part;
use super::walk::Reader;
use super::{Archive, BlockError};
use crate::context::Context;
use crate::format::checkpoint::{Checkpoint, PartHead};
use crate::format::{FormatError, Tip};
use crate::purpose::Purpose;

/// A search that is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seek {
    reader: Reader,
    /// Segments: the condition holds at the beginning of `low`, or nothing is older.
    low: u64,
    high: u64,
    span: Span,
    part: u32,
    head: Option<PartHead>,
    content: Vec<u8>,
}

impl Seek {
    /// Begins. None if block memory is short: try again later.
    pub fn start(reader: Reader, archive: &Archive, context: &mut Context) -> Option<Seek> {
        let segment = u64::from(archive.superblock.segment_blocks);
        let span = context.take_spare(archive.superblock.block_bytes)?;
        let low = archive.oldest().div_ceil(segment);
        let high = (archive.log.durable / segment).max(low);
        let mut seek = Seek {
            reader,
            low,
            high,
            span,
            part: 0,
            head: None,
            content: Vec::new(),
        };
        seek.probe(archive, context);
        Some(seek)
    }

    fn middle(&self) -> u64 {
        (self.low + self.high).div_ceil(2)
    }

    fn probe(&mut self, archive: &Archive, context: &mut Context) {
        if self.low < self.high {
            let segment = u64::from(archive.superblock.segment_blocks);
            let sequence = self.middle() * segment + u64::from(self.part);
            let tag = context.tag(Purpose::Seek(self.reader, archive.index, sequence));
            let at_bytes = archive.slot_offset_bytes(sequence);
            context.submit(Op::Read {
                tag,
                volume: archive.volume(),
                at_bytes,
                into: self.span,
            });
        }
    }

    /// The log sequence to begin at, once it is found.
    pub fn found(&self, archive: &Archive) -> Option<u64> {
        let segment = u64::from(archive.superblock.segment_blocks);
        (self.low == self.high).then(|| (self.low * segment).min(archive.log.durable).max(archive.oldest()))
    }

    /// A read has finished. `holds` says whether reading may begin where the tips are these.
    pub fn on_read(
        &mut self,
        sequence: u64,
        result: Result<(), IoError>,
        archive: &Archive,
        holds: &mut dyn FnMut(&[Tip]) -> bool,
        context: &mut Context,
    ) {
        let segment = u64::from(archive.superblock.segment_blocks);
        let part = result
            .map_err(BlockError::Io)
            .and_then(|()| checkpoint_part(archive, sequence, context.memory.bytes(self.span)).map_err(BlockError::Format));
        let tips = part.and_then(|(head, content)| {
            let first = *self.head.get_or_insert(head);
            if head.part != self.part || head.parts != first.parts || head.sequence != self.middle() * segment {
                return Err(BlockError::Format(FormatError::Field));
            }
            self.content.extend_from_slice(&content);
            self.part += 1;
            if self.part < first.parts {
                return Ok(None);
            }
            Checkpoint::decode(&first, &self.content)
                .map(Some)
                .map_err(BlockError::Format)
        });
        match tips {
            Ok(None) => {}
            Ok(Some(checkpoint)) if holds(&checkpoint.tips) => self.conclude(true),
            Ok(Some(_)) | Err(_) => self.conclude(false),
        }
        self.probe(archive, context);
    }

    fn conclude(&mut self, holds: bool) {
        let middle = self.middle();
        if holds {
            self.low = middle;
        } else {
            self.high = middle - 1;
        }
        self.part = 0;
        self.head = None;
        self.content.clear();
    }

    /// Whether no read is in flight.
    pub fn is_quiet(&self) -> bool {
        self.low == self.high
    }

    /// Gives the memory back. No read may be in flight.
    pub fn finish(self, context: &mut Context) {
        context.give(self.span);
    }
}
