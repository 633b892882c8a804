//! Stopping in good order: doors and links first, then what was accepted becomes durable, then the machine.

use super::*;

impl Parts {
    /// Closes every door and link; what was accepted still becomes durable.
    pub fn begin_stop(&mut self, context: &mut Context) {
        if self.stopping.is_some() {
            return;
        }
        self.stopping = Some(context.now.at + STOP_WITHIN);
        context.ask_at(Ready::Waiting, Some(context.now.at + STOP_WITHIN));
        for recorder in self.recorders.values_mut() {
            if let Some(archive) = &mut self.archives[recorder.archive] {
                recorder.close(archive, context);
            }
        }
        for job in self.jobs.iter_mut().flatten() {
            job.enable(false, context);
        }
        for incoming in self.incoming.values_mut() {
            incoming.hang_up(context);
        }
        context.say(Code::Stopped, "appliance", "The appliance stops in good order.".to_string());
    }

    pub(super) fn go_on_stopping(&mut self, context: &mut Context) {
        let Some(until) = self.stopping else { return };
        if self.stopped {
            return;
        }
        let busy = self.recorders.values().any(|recorder| !recorder.is_finished())
            || self.archives.iter().flatten().any(|archive| !archive.is_at_rest())
            || !self.incoming.is_empty()
            || self.changes.is_saving();
        if busy && context.now.at < until {
            return;
        }
        if !busy
            && self
                .archives
                .iter_mut()
                .flatten()
                .any(|archive| archive.mark_before_stop(context))
        {
            return;
        }
        self.stopped = true;
        context.submit(Op::Stop);
    }
}
