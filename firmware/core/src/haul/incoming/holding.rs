//! Which cameras and tracks a link brings: nobody else may meanwhile.
//!
//! Who that keeps out: `appliance/holders.rs`.

use super::*;
use crate::limits::LEASE_TIME;

impl Incoming {
    /// Whether it brings a camera into an archive: nobody else may meanwhile. Who only fills holes keeps nobody out.
    pub fn holds(&self, archive: usize, camera: &Name) -> bool {
        let first = (camera.clone(), 0);
        let mut open = self.open_cameras.range(first..).take_while(|(open, _)| open == camera);
        self.is_for(archive) && open.any(|(_, number)| !self.tracks[*number as usize].beside)
    }

    /// Whether it brings a track.
    pub fn holds_track(&self, key: &TrackKey, archive: &Archive) -> bool {
        let number = archive.catalog.find(key).and_then(|id| self.numbers.get(&id));
        self.is_for(archive.index) && number.is_some_and(|number| self.open_cameras.contains(&(key.camera.clone(), *number)))
    }

    fn is_for(&self, archive: usize) -> bool {
        !self.hung_up && self.grant.as_ref().is_some_and(|grant| grant.archive == archive)
    }

    /// Lets go of a track that another link wants, if it has brought nothing of it for a while: whoever has more may go on with it.
    pub fn yield_track(&mut self, key: &TrackKey, archive: &Archive, context: &mut Context) -> bool {
        let Some(id) = archive.catalog.find(key) else { return false };
        let Some(number) = self.numbers.get(&id).copied() else {
            return false;
        };
        if context.now.at.since(self.tracks[number as usize].brought_at) < LEASE_TIME {
            return false;
        }
        let next = archive.catalog.track(id).durable_next;
        self.reject(number, WhyRejected::Held(next), context);
        true
    }
}
