//! Reading back what a card was given: the header of each block of a group, after its flush and before anybody is told (D-08, S-02).
//!
//! Cards that are worn out or counterfeit say that all went well and keep nothing. Other devices are believed until the next lap or opening.
//! Invariant: on a card nothing counts as durable whose header was not read back, after the flush, as it was written.

use super::*;
use crate::limits::READ_TRIES_MAX;

/// Which sector of the memory for superblocks is read into: only opening uses it otherwise.
const SECTOR: u32 = 3;

impl Archive {
    /// Reads the next header of the group that was flushed.
    pub(super) fn read_back(&mut self, sequence: u64, context: &mut Context) {
        let tag = context.tag(Purpose::Archive(self.index, Task::ReadBack(sequence)));
        context.submit(Op::Read {
            tag,
            volume: self.volume,
            at_bytes: self.slot_offset_bytes(sequence),
            into: self.sectors.part(SECTOR * SECTOR_BYTES, SECTOR_BYTES),
        });
    }

    pub(in crate::archive) fn on_read_back(&mut self, sequence: u64, result: Result<(), IoError>, context: &mut Context) {
        let Some(covered) = self.log.flushing else { return };
        if !self.takes() {
            self.log.flushing = None;
            return self.settle_failure(context);
        }
        let written = self.log.pending_at(sequence).span.part(0, SECTOR_BYTES);
        let read = self.sectors.part(SECTOR * SECTOR_BYTES, SECTOR_BYTES);
        let is_kept = result.is_ok() && context.memory.bytes(read) == context.memory.bytes(written);
        if is_kept && sequence + 1 < covered {
            self.log.read_backs = 0;
            return self.read_back(sequence + 1, context);
        }
        // As with every read, one that goes wrong once is none that always does.
        self.log.read_backs += 1;
        if !is_kept && self.log.read_backs < READ_TRIES_MAX && result != Err(IoError::Gone) {
            return self.read_back(sequence, context);
        }
        self.log.read_backs = 0;
        self.log.flushing = None;
        if is_kept {
            return self.on_group_durable(covered, context);
        }
        let found = match result {
            Ok(()) => "something else is read there".into(),
            Err(error) => format!("it cannot be read ({error})"),
        };
        let sentence = format!(
            "Block {sequence} of archive {} was written and flushed, and {found}: the card does not keep what it is given.",
            self.name
        );
        if result != Err(IoError::Gone) {
            context.say(Code::WriteNotKept, &self.name.clone(), sentence);
        }
        self.log.failed.get_or_insert(result.err().unwrap_or(IoError::Media));
        self.settle_failure(context);
    }
}
