//! Reads that failed for a cause outside their device: no memory, no time, no permission. They say nothing of what lies there, so
//! nobody is told: the op stays in flight and is submitted again, for as long as it takes. If that is long, it is said like any
//! other silence of a device (`silence.rs`).
//!
//! Invariant: whoever reads the volume of an archive is told success, damage (`Media`, `Short`) or absence (`Gone`), nothing else, as
//! long as the volume is not let go of. A volume on which an archive is to be made is another matter: a person waits for that.

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

    /// Submits again what is due; of a volume that was let go of meanwhile it says that it is gone.
    pub(super) fn read_again(&mut self, context: &mut Context) {
        while let Some((tag, again)) = context.shared.tags.due(context.now.at) {
            if let Some(op) = again {
                context.submit(op);
            } else {
                let purpose = context.shared.tags.take(tag);
                self.on_done(purpose, Err(IoError::Gone), context);
            }
        }
        context.ask_at(Ready::Again, context.shared.tags.next_due());
    }
}
