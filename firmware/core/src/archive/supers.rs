//! Writing a generation of the superblock: pair A, flush, pair B, flush. Stale copies of the generation before are repaired
//! first, in the same way (`reliability.md`, 3.2 b and c).
//!
//! Invariant: at every instant at least two copies on the volume are the same, whole, and of the newest or the one before.

use hal::{IoError, Op, Span, VolumeId};

use super::{Archive, Task};
use crate::context::Context;
use crate::format::SECTOR_BYTES;
use crate::format::superblock::{Superblock, copy_offsets};
use crate::purpose::Purpose;
use crate::seeded::{Bug, has};

/// One generation on its way to the volume.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SuperWriter {
    /// To be made whole first, if copies are stale.
    repair: Option<Superblock>,
    /// To be written.
    target: Superblock,
    pair: usize,
    waiting_for: u8,
    failed: Option<IoError>,
}

/// How a superblock's way to the volume ended.
pub type Written = Result<Superblock, IoError>;

impl SuperWriter {
    /// Begins. `sectors` is 8 KiB of block memory that nobody else uses.
    pub fn start(
        archive: usize,
        volume: VolumeId,
        sectors: Span,
        repair: Option<Superblock>,
        target: Superblock,
        context: &mut Context,
    ) -> SuperWriter {
        let mut writer = SuperWriter {
            repair,
            target,
            pair: 0,
            waiting_for: 0,
            failed: None,
        };
        writer.write_pair(archive, volume, sectors, context);
        writer
    }

    fn write_pair(&mut self, archive: usize, volume: VolumeId, sectors: Span, context: &mut Context) {
        let superblock = self.repair.as_ref().unwrap_or(&self.target);
        let offsets = copy_offsets(superblock.volume_bytes);
        for half in 0..2 {
            let copy = self.pair * 2 + half;
            let from = sectors.part(half as u32 * SECTOR_BYTES, SECTOR_BYTES);
            superblock.encode(copy, context.memory.bytes_mut(from));
            let tag = context.tag(Purpose::Archive(archive, Task::SuperWrite));
            context.submit(Op::Write {
                tag,
                volume,
                at_bytes: offsets[copy],
                from,
            });
        }
        self.waiting_for = 2;
    }

    /// A write of a copy has finished.
    pub fn on_write(
        &mut self,
        archive: usize,
        volume: VolumeId,
        result: Result<(), IoError>,
        context: &mut Context,
    ) -> Option<Written> {
        self.failed = self.failed.or(result.err());
        self.waiting_for -= 1;
        if self.waiting_for > 0 {
            return None;
        }
        if let Some(error) = self.failed {
            return Some(Err(error));
        }
        let tag = context.tag(Purpose::Archive(archive, Task::SuperFlush));
        context.submit(Op::Flush { tag, volume });
        None
    }

    /// The flush behind a pair has finished.
    pub fn on_flush(
        &mut self,
        archive: usize,
        volume: VolumeId,
        sectors: Span,
        result: Result<(), IoError>,
        context: &mut Context,
    ) -> Option<Written> {
        if let Err(error) = result {
            return Some(Err(error));
        }
        if self.pair == 0 && !has(Bug::OneSuperblockPair) {
            self.pair = 1;
        } else if self.repair.take().is_some() {
            self.pair = 0;
        } else {
            return Some(Ok(self.target.clone()));
        }
        self.write_pair(archive, volume, sectors, context);
        None
    }
}

impl Archive {
    /// The next generation of the superblock, with the fields that change while an archive is open.
    pub(super) fn next_superblock(&self) -> Superblock {
        let mut next = self.superblock.clone();
        next.parent = self.superblock.content_hash();
        next.generation += 1;
        next.durable_sequence = self.log.durable;
        next.checkpoint_sequence = self.log.checkpoint_durable;
        next.freed_sequence = self.freeing.below();
        (next.released_sequence, next.guard_set) = self.freeing.released();
        next.closed = self.closing;
        if has(Bug::SuperblockBeforeFlush) {
            next.durable_sequence = self.log.next;
        }
        next
    }

    /// Starts writing the next generation, unless one is on its way.
    pub(super) fn write_superblock(&mut self, repair: bool, context: &mut Context) {
        if self.super_writer.is_some() {
            return;
        }
        let target = self.next_superblock();
        let repair = repair.then(|| self.superblock.clone());
        self.marked_at = context.now.at;
        self.super_writer = Some(SuperWriter::start(
            self.index,
            self.volume,
            self.sectors,
            repair,
            target,
            context,
        ));
    }
}
