//! Whether a device that fails writes is there at all: read-only is for one that still gives blocks, offline for one that gives nothing.
//!
//! Many devices that die do not say so: every operation fails as on a bad sector. A superblock copy is asked for, then the others; a
//! device that gives none of them is gone. Reading asks the same way (`walk.rs`).

use hal::{IoError, Op};

use super::{Archive, Task};
use crate::context::Context;
use crate::format::SECTOR_BYTES;
use crate::format::superblock::{COPIES, copy_offsets};
use crate::purpose::Purpose;

impl Archive {
    /// Asks for a superblock copy, unless the memory for it is in use.
    pub(super) fn ask_device(&mut self, copy: usize, context: &mut Context) {
        let Some(span) = self.log.lend_system() else { return };
        let tag = context.tag(Purpose::Archive(self.index, Task::Presence(copy)));
        context.submit(Op::Read {
            tag,
            volume: self.volume,
            at_bytes: copy_offsets(self.superblock.volume_bytes)[copy],
            into: span.part(0, SECTOR_BYTES),
        });
    }

    pub(super) fn on_presence(&mut self, copy: usize, result: Result<(), IoError>, context: &mut Context) {
        self.log.return_system();
        match result {
            Ok(()) => {}
            Err(error) if copy + 1 < COPIES && error != IoError::Gone && self.gives() => self.ask_device(copy + 1, context),
            Err(_) => self.device_gone(context),
        }
    }
}
