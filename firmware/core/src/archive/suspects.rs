//! Checkpoints that a reader could not use: who searches or walks goes on without them, and the archive itself reads them again and says
//! what is damaged.
//!
//! Invariant: at most one is read at a time, from memory that recording does not need.

use hal::{IoError, Op, Span};

use super::{Archive, BlockError, Task};
use crate::context::{Context, Ready};
use crate::limits::READ_TRIES_MAX;
use crate::purpose::Purpose;

/// One that is being read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Suspect {
    span: Span,
    tries: u32,
}

impl Archive {
    /// Begins with the next one, if there is one.
    pub fn look_at_suspects(&mut self, context: &mut Context) {
        while self.suspect.is_none()
            && let Some(sequence) = context.next_suspect(self.index)
        {
            // One that a ring has given up, that is not there yet, or of which it was said.
            let is_in_log = (self.oldest()..self.log.durable).contains(&sequence);
            if !self.gives() || !is_in_log || self.quarantine.contains(&sequence) {
                context.clear_suspect(self.index, sequence);
                continue;
            }
            let Some(span) = context.take_spare(self.superblock.block_bytes) else {
                context.ask_when_freed(Ready::Archive(self.index));
                return;
            };
            context.clear_suspect(self.index, sequence);
            self.suspect = Some(Suspect { span, tries: 1 });
            self.read_suspect(sequence, span, context);
        }
    }

    fn read_suspect(&self, sequence: u64, into: Span, context: &mut Context) {
        let tag = context.tag(Purpose::Archive(self.index, Task::Suspect(sequence)));
        context.submit(Op::Read {
            tag,
            volume: self.volume,
            at_bytes: self.slot_offset_bytes(sequence),
            into,
        });
    }

    pub(super) fn on_suspect(&mut self, sequence: u64, result: Result<(), IoError>, context: &mut Context) {
        let Some(mut suspect) = self.suspect.take() else { return };
        let is_there = self.gives() && sequence >= self.oldest();
        let checked = result.map_err(BlockError::Io).and_then(|()| {
            let block = context.memory.bytes(suspect.span);
            // Whole is enough: that it is no checkpoint was the reader's mistake.
            self.check_block(sequence, block, true).map_err(BlockError::Format)
        });
        match checked {
            Err(_) if is_there && suspect.tries < READ_TRIES_MAX => {
                suspect.tries += 1;
                self.read_suspect(sequence, suspect.span, context);
                self.suspect = Some(suspect);
                return;
            }
            Err(BlockError::Io(IoError::Gone)) => self.device_gone(context),
            Err(error) if is_there => self.quarantine(sequence, error, context),
            Err(_) | Ok(_) => {}
        }
        context.give(suspect.span);
    }
}
