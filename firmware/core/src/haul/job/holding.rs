//! A job while the replication service is off.

use super::*;

impl Job {
    /// Holds the job while the replication service is off; its run goes on when it is on again.
    pub fn hold(&mut self, held: bool, context: &mut Context) {
        self.held = held;
        self.moved_at = context.now.at;
        if held {
            self.trouble = None;
            self.hang_up(context);
        } else {
            self.attempts = 0;
        }
        context.wake(Ready::Job(self.index));
    }
}
