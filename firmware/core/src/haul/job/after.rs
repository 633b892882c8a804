//! After success: blocks that are durable at the target get tags and lose tags, so that jobs chain.
//!
//! Not which blocks (`haul/done.rs`).

use super::*;

impl Job {
    /// Tags what is over there, if it is time or nothing more comes.
    pub(super) fn tag_done(&mut self, archive: &mut Archive, context: &mut Context) {
        match self.done.due(context.now.at) {
            None => {}
            Some(due) if due > context.now.at && self.run.on => context.ask_at(Ready::Job(self.index), Some(due)),
            Some(_) => self.done_now(archive, context),
        }
    }

    /// Tags what is over there.
    pub(super) fn done_now(&mut self, archive: &mut Archive, context: &mut Context) {
        let Err(why) = self.done.tag(&self.setting.plan.after, archive, context) else {
            return;
        };
        if core::mem::replace(&mut self.done.said, true) {
            return;
        }
        let name = self.setting.name.clone();
        let sentence = format!(
            "Job {name} could not tag blocks of archive {} that are at its target: {why}.",
            archive.name
        );
        context.say(Code::Untagged, &name, sentence);
    }

    /// Tags of the archive have changed: what its filter left out may be wanted now.
    pub fn tags_changed(&mut self, context: &mut Context) {
        if !self.run.sieve.tags_changed() {
            return;
        }
        if let Link::Live(session) = &mut self.link {
            session.reconsider();
        }
        context.wake(Ready::Job(self.index));
    }
}
