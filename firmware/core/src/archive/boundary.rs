//! Reading the checkpoint between two segments, part by part.
//!
//! Not here: which one (`seek.rs`, `retention/keeper.rs`).

use alloc::vec::Vec;
use hal::{IoError, Op, Span};

use super::opening::checkpoint_part;
use super::walk::Reader;
use super::{Archive, BlockError};
use crate::context::Context;
use crate::format::FormatError;
use crate::format::checkpoint::{Checkpoint, PartHead};
use crate::purpose::Purpose;

/// A checkpoint that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Boundary {
    reader: Reader,
    /// Log sequence of part 0.
    pub sequence: u64,
    span: Span,
    part: u32,
    head: Option<PartHead>,
    content: Vec<u8>,
}

impl Boundary {
    /// Begins to read into `span`, a whole block of memory that stays the caller's.
    pub fn start(reader: Reader, sequence: u64, span: Span, archive: &Archive, context: &mut Context) -> Boundary {
        let boundary = Boundary {
            reader,
            sequence,
            span,
            part: 0,
            head: None,
            content: Vec::new(),
        };
        boundary.submit(archive, context);
        boundary
    }

    fn submit(&self, archive: &Archive, context: &mut Context) {
        let sequence = self.sequence + u64::from(self.part);
        let tag = context.tag(Purpose::Seek(self.reader, archive.index, sequence));
        context.submit(Op::Read {
            tag,
            volume: archive.volume(),
            at_bytes: archive.slot_offset_bytes(sequence),
            into: self.span,
        });
    }

    /// A part has been read. None: the next one is on its way.
    pub fn on_read(
        &mut self,
        result: Result<(), IoError>,
        archive: &Archive,
        context: &mut Context,
    ) -> Option<Result<Checkpoint, BlockError>> {
        if !archive.gives() {
            // Its device is gone: nothing more is asked of it.
            return Some(Err(BlockError::Io(IoError::Gone)));
        }
        let sequence = self.sequence + u64::from(self.part);
        let part = result
            .map_err(BlockError::Io)
            .and_then(|()| checkpoint_part(archive, sequence, context.memory.bytes(self.span)).map_err(BlockError::Format));
        let (head, content) = match part {
            Ok(part) => part,
            Err(error) => {
                context.suspect(archive.index, sequence);
                return Some(Err(error));
            }
        };
        let first = *self.head.get_or_insert(head);
        if head.part != self.part || head.parts != first.parts || head.sequence != self.sequence {
            return Some(Err(BlockError::Format(FormatError::Field)));
        }
        self.content.extend_from_slice(&content);
        self.part += 1;
        if self.part < first.parts {
            self.submit(archive, context);
            return None;
        }
        Some(Checkpoint::decode(&first, &self.content).map_err(BlockError::Format))
    }
}
