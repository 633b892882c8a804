//! Devices that do not answer (D-16): an op that takes far too long is said, and said again when it is over. Nothing is given up:
//! memory stays lent until the op is finished, a late completion counts like any other, and nobody else waits for it.
//!
//! A look that comes late says nothing: then this process stood still, and what its devices did meanwhile has not been taken yet.

use alloc::collections::BTreeMap;
use hal::Instant;

use super::Parts;
use crate::context::{Context, Ready};
use crate::limits::SILENCE_LOOK;

impl Parts {
    /// Sees to it that ops in flight are looked at, as long as there are any.
    pub(super) fn mind_silence(&mut self, context: &mut Context) {
        if self.silence_due.is_none() && context.shared.tags.in_flight() > 0 {
            self.silence_due = Some(context.now.at + SILENCE_LOOK);
            context.ask_at(Ready::Silence, self.silence_due);
        }
    }

    /// Looks at every op in flight; tells each archive since when its device has been silent too long.
    pub(super) fn look_for_silence(&mut self, context: &mut Context) {
        let now = context.now.at;
        let due = self.silence_due.take();
        if due.is_some_and(|due| now.since(due) >= SILENCE_LOOK) {
            return;
        }
        let mut silent: BTreeMap<usize, Instant> = BTreeMap::new();
        for (since, purpose) in context.shared.tags.iter() {
            if let Some((archive, patience)) = purpose.patience()
                && now.since(since) >= patience
            {
                let first = silent.entry(archive).or_insert(since);
                *first = since.min(*first);
            }
        }
        for archive in self.archives.iter_mut().flatten() {
            archive.note_silence(silent.get(&archive.index).copied(), context);
        }
    }
}
