//! What a job says of itself without being asked: that it comes near to an overrun, that it stands still.

use super::*;

impl Job {
    /// Says at 80 and 90 % that the ring comes near to what was not hauled (F9).
    pub(super) fn look_for_overrun(&mut self, archive: &Archive, context: &mut Context) {
        if let Link::Live(session) = &self.link {
            self.position = Some(session.position(archive));
        }
        if archive.superblock.mode == Mode::Append || !archive.gives() {
            return;
        }
        // After a start nobody knows how far the target is; from then on it is counted.
        let position = *self.position.get_or_insert(archive.log.durable);
        let room = archive.superblock.slots;
        let tenths = archive.log.next.saturating_sub(position) * 10 / room;
        if tenths >= 8 && tenths > self.overrun_said && tenths < 10 {
            let left = archive
                .overrun(position, context.now)
                .map_or("soon".to_string(), |left| format!("in {} s", left.as_secs()));
            let sentence = format!(
                "Job {} is behind by {} % of the ring of archive {}: unhauled blocks are overwritten {left}.",
                self.setting.name,
                tenths * 10,
                archive.name
            );
            context.say(Code::Overrun, &self.setting.name.clone(), sentence);
        }
        self.overrun_said = tenths;
    }

    pub(super) fn look_for_stall(&mut self, context: &mut Context) {
        if !self.stalled && !self.was_caught_up && context.now.at.since(self.moved_at) >= STALLED_AFTER {
            self.stalled = true;
            let why = self
                .trouble
                .as_ref()
                .map_or("nothing has moved".to_string(), |trouble| trouble.why.clone());
            let sentence = format!(
                "Job {} has not moved for {} s: {why}.",
                self.setting.name,
                STALLED_AFTER.as_secs()
            );
            context.say(Code::Stalled, &self.setting.name.clone(), sentence);
        }
    }
}
