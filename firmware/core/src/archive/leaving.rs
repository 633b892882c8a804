//! An archive that is taken out of the configuration: its volume is let go of, and nothing on it is touched.
//!
//! Invariant: its place in the appliance's table stays, empty for everybody, as reads may still be on their way back to it. The block
//! memory that it keeps for itself comes back with the next start.

use super::*;

impl Archive {
    /// Lets go of the volume, after what is in flight on it.
    pub fn leave(&mut self, context: &mut Context) {
        self.removed = true;
        if matches!(self.phase, Phase::Offline { .. }) {
            return;
        }
        self.phase = Phase::Offline {
            state: VolumeState::Offline,
            why: "it was removed from the configuration".to_string(),
            action: String::new(),
        };
        self.fail_all(context);
        if self.facts.is_some() {
            self.close(context);
        }
        context.wake(Ready::Archive(self.index));
    }
}
