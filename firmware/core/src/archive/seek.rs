//! Where to begin to read: the newest checkpoint of which something still holds, by binary search over the regular ones.
//!
//! Checkpoints lie at multiples of the segment size, so nothing has to be found. One that cannot be read counts as "does not
//! hold": that only begins earlier. O(log n) reads whatever the size of the volume.

use hal::{IoError, Span};

use super::Archive;
use super::boundary::Boundary;
use super::walk::Reader;
use crate::context::Context;
use crate::format::Tip;

/// A search that is on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Seek {
    reader: Reader,
    /// Segments: the condition holds at the beginning of `low`, or nothing is older.
    low: u64,
    high: u64,
    span: Span,
    boundary: Option<Boundary>,
}

impl Seek {
    /// Begins. None if block memory is short: try again later.
    pub fn start(reader: Reader, archive: &Archive, context: &mut Context) -> Option<Seek> {
        if !archive.gives() {
            return None;
        }
        let segment = u64::from(archive.superblock.segment_blocks);
        let span = context.take_spare(archive.superblock.block_bytes)?;
        let low = archive.oldest().div_ceil(segment);
        let high = (archive.log.durable / segment).max(low);
        let mut seek = Seek {
            reader,
            low,
            high,
            span,
            boundary: None,
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
            let sequence = self.middle() * segment;
            self.boundary = Some(Boundary::start(self.reader, sequence, self.span, archive, context));
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
        result: Result<(), IoError>,
        archive: &Archive,
        holds: &mut dyn FnMut(&[Tip]) -> bool,
        context: &mut Context,
    ) {
        let Some(boundary) = &mut self.boundary else { return };
        if !archive.gives() {
            // Where to begin does not matter any more, and nothing more is asked of a device that is gone.
            self.high = self.low;
            self.boundary = None;
            return;
        }
        match boundary.on_read(result, archive, context) {
            None => return,
            Some(Ok(checkpoint)) if holds(&checkpoint.tips) => self.conclude(true),
            Some(Ok(_) | Err(_)) => self.conclude(false),
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
        self.boundary = None;
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
