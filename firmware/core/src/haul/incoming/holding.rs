//! Which cameras and tracks a link brings: nobody else may meanwhile.
//!
//! Who that keeps out: `appliance/holders.rs`.

use super::*;

impl Incoming {
    /// Whether it brings a camera into an archive: nobody else may meanwhile.
    pub fn holds(&self, archive: usize, camera: &Name) -> bool {
        let first = (camera.clone(), 0);
        !self.hung_up
            && self.grant.as_ref().is_some_and(|grant| grant.archive == archive)
            && self
                .open_cameras
                .range(first..)
                .next()
                .is_some_and(|(open, _)| open == camera)
    }

    /// Whether it brings a track.
    pub fn holds_track(&self, key: &TrackKey, archive: &Archive) -> bool {
        let number = archive.catalog.find(key).and_then(|id| self.numbers.get(&id));
        number.is_some_and(|number| self.open_cameras.contains(&(key.camera.clone(), *number)))
    }
}
