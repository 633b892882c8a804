//! A job as a guard: what of its archive it still needs.
//!
//! From its creation on, switched on or off, reachable or not, until it is deleted or released. What counts is what the target has
//! told: an acknowledgement on a link, or a tip whose hash is the one here. A tip alone does not count, for the track may have
//! another history there; the first acknowledgement behind it shows that it does not.
//!
//! Invariant: nothing counts as held by the target that it has not told since this start.

use alloc::collections::BTreeMap;

use super::Job;
use crate::archive::Archive;
use crate::format::TrackKey;

/// What a target has told of a track.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Told {
    /// It has everything below that number, as it is here.
    Holds(TrackKey, u64),
    /// It has not more than everything below that number.
    NoMore(TrackKey, u64),
    /// It may have something else under these numbers.
    Doubt(TrackKey),
}

/// What the target of a job is known to have.
#[derive(Clone, Debug, Default, Hash)]
pub struct Guard {
    told: BTreeMap<TrackKey, u64>,
    /// Goes up when something is told.
    pub version: u64,
    /// The target has less than it said before.
    pub went_back: bool,
    moved: bool,
}

impl Guard {
    /// All blocks of a track below that number are held by the target; none if nothing was told.
    pub fn told(&self, key: &TrackKey) -> Option<u64> {
        self.told.get(key).copied()
    }

    /// The target has told something.
    pub(super) fn note(&mut self, told: Told) {
        match told {
            Told::Holds(key, next) => self.set(key, next),
            Told::NoMore(key, next) if self.told(&key).is_some_and(|before| next < before) => self.set(key, next),
            Told::NoMore(..) => {}
            Told::Doubt(key) => {
                self.told.remove(&key);
                self.went_back = true;
                self.version += 1;
                self.moved = true;
            }
        }
    }

    fn set(&mut self, key: TrackKey, next: u64) {
        let before = self.told.insert(key, next);
        self.went_back |= before.is_some_and(|before| next < before);
        if before != Some(next) {
            self.version += 1;
            self.moved = true;
        }
    }

    /// Whether something was told since the last call.
    pub fn take_moved(&mut self) -> bool {
        core::mem::take(&mut self.moved)
    }
}

impl Job {
    /// Whether it guards its archive.
    pub fn is_guard(&self) -> bool {
        !self.deleted && !self.setting.released
    }

    /// Whether it hauls a track.
    pub fn wants(&self, key: &TrackKey) -> bool {
        self.setting.wants(key) && Some(key.origin) != self.setting.target
    }

    /// Whether a track is at its target, or to come there.
    pub fn takes(&self, key: &TrackKey) -> bool {
        self.setting.wants(key) || Some(key.origin) == self.setting.target
    }

    /// Blocks that are not known to be durable at the target.
    pub fn guarded_blocks(&self, archive: &Archive) -> u64 {
        let tracks = archive.catalog.tracks().iter().filter(|track| self.wants(&track.tip.key));
        let left = tracks.map(|track| {
            let held = self.guard.told(&track.tip.key).unwrap_or(0).max(track.first);
            track.durable_next.saturating_sub(held)
        });
        left.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tip_alone_holds_nothing_and_a_lower_one_takes_back() {
        let key = TrackKey {
            origin: hal::Uuid([1; 16]),
            camera: "yard".parse().unwrap(),
            kind: crate::Kind::Video,
        };
        let mut guard = Guard::default();
        guard.note(Told::NoMore(key.clone(), 9));
        assert_eq!(guard.told(&key), None);
        guard.note(Told::Holds(key.clone(), 5));
        assert!(guard.take_moved() && !guard.went_back);
        guard.note(Told::NoMore(key.clone(), 7));
        assert_eq!((guard.told(&key), guard.went_back), (Some(5), false));
        guard.note(Told::NoMore(key.clone(), 3));
        assert_eq!((guard.told(&key), guard.went_back), (Some(3), true));
        guard.note(Told::Doubt(key.clone()));
        assert_eq!(guard.told(&key), None);
    }
}
