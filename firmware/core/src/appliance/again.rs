//! Reads that failed for a cause outside their device: no memory, no time, no permission. They say nothing of what lies there, so
//! nobody is told: the op stays in flight and is submitted again, for as long as it takes. If that is long, it is said like any
//! other silence of a device (`silence.rs`).
//!
//! Invariant: whoever reads a volume is told success, damage (`Media`, `Short`) or absence (`Gone`), nothing else. Not so while a
//! volume is looked at before an archive is made on it: a person waits for that.

use hal::{IoError, Tag};

use super::Parts;
use crate::context::{Context, Ready};
use crate::limits::READ_AGAIN_AFTER;

impl Parts {
    /// Whether an op that has finished will be submitted again instead.
    pub(super) fn puts_off(tag: Tag, result: Result<(), IoError>, context: &mut Context) -> bool {
        if matches!(result, Ok(()) | Err(IoError::Media | IoError::Short | IoError::Gone)) {
            return false;
        }
        let tags = &mut context.shared.tags;
        let minded = tags.purpose(tag).is_some_and(|purpose| purpose.patience().is_some());
        if !minded || !tags.put_off(tag, context.now.at + READ_AGAIN_AFTER) {
            return false;
        }
        context.ask_at(Ready::Again, context.shared.tags.next_due());
        true
    }

    /// Submits again what is due.
    pub(super) fn read_again(context: &mut Context) {
        while let Some(op) = context.shared.tags.due(context.now.at) {
            context.submit(op);
        }
        context.ask_at(Ready::Again, context.shared.tags.next_due());
    }
}
