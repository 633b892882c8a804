//! Retention: what of an archive may be freed, and what should be.
//!
//! Everything is judged at the boundaries between segments, by the tips that the checkpoint there holds: it says of every track
//! which numbers lie below. Here are the rules; `keeper.rs` finds for each rule the boundary up to which it allows freeing, and
//! `archive/freeing.rs` frees.
//!
//! Invariants: nothing is freed that a counted guard is not known to have at its target, that a tag keeps, or that is within a
//! guaranteed minimum; a guard that was not told a position since the start needs everything, but for what the superblock says
//! that these guards had released.

pub mod keeper;
mod search;

use hal::{ClockQuality, Moment};

use crate::Name;
use crate::archive::Archive;
use crate::control::types::{CameraRetention, Retention};
use crate::format::Tip;
use crate::haul::job::Job;

/// Name of the tag that keeps blocks.
const KEEP_TAG: &str = "keep";

/// A moment at which a policy is judged.
pub struct Judge<'a> {
    /// Policy.
    pub policy: &'a Retention,
    /// Archive.
    pub archive: &'a Archive,
    /// Now.
    pub now: Moment,
    /// The tag that keeps blocks.
    pub keeps: Name,
}

/// The tag whose blocks are neither freed nor given up.
pub fn keep_tag() -> Name {
    KEEP_TAG.parse().expect("a name")
}

impl Retention {
    /// Whether there is anything to look after.
    pub fn is_active(&self) -> bool {
        self.remove_after_success || self.protect || self.has_maximum()
    }

    /// Whether some bound makes blocks go.
    pub fn has_maximum(&self) -> bool {
        let of_camera = |camera: &CameraRetention| camera.max_age_ms.is_some() || camera.max_bytes.is_some();
        self.max_age_ms.is_some() || self.max_bytes.is_some() || self.cameras.iter().any(of_camera)
    }

    /// Whether some bound keeps blocks.
    pub fn has_minimum(&self) -> bool {
        let of_camera = |camera: &CameraRetention| camera.min_age_ms.is_some() || camera.min_bytes.is_some();
        self.min_age_ms.is_some() || self.min_bytes.is_some() || self.cameras.iter().any(of_camera)
    }

    /// Whether what is allowed changes with time alone.
    pub fn has_age(&self) -> bool {
        let of_camera = |camera: &CameraRetention| camera.min_age_ms.is_some() || camera.max_age_ms.is_some();
        self.min_age_ms.is_some() || self.max_age_ms.is_some() || self.cameras.iter().any(of_camera)
    }

    fn camera(&self, tip: &Tip) -> Option<&CameraRetention> {
        self.cameras.iter().find(|camera| camera.camera == tip.key.camera)
    }

    fn max_age_ms(&self, tip: &Tip) -> Option<u64> {
        self.camera(tip).and_then(|camera| camera.max_age_ms).or(self.max_age_ms)
    }

    fn min_age_ms(&self, tip: &Tip) -> Option<u64> {
        self.camera(tip).and_then(|camera| camera.min_age_ms).or(self.min_age_ms)
    }

    fn min_bytes(&self, tip: &Tip) -> Option<u64> {
        self.camera(tip).and_then(|camera| camera.min_bytes).or(self.min_bytes)
    }
}

impl Judge<'_> {
    /// Blocks of a track that are not below a boundary.
    fn kept(&self, tip: &Tip) -> u64 {
        let id = self.archive.catalog.find(&tip.key);
        id.map_or(0, |id| self.archive.catalog.track(id).durable_next)
            .saturating_sub(tip.next)
    }

    /// Whether blocks of a track lie below a boundary and exist.
    fn is_concerned(&self, tip: &Tip) -> bool {
        let id = self.archive.catalog.find(&tip.key);
        tip.next > id.map_or(0, |id| self.archive.catalog.track(id).first)
    }

    fn blocks(&self, bytes: u64) -> u64 {
        bytes.div_ceil(u64::from(self.archive.superblock.block_bytes))
    }

    /// Whether the newest block of a track below a boundary is older than that. With a clock that was never set nothing is.
    fn is_older(&self, tip: &Tip, age_ms: u64) -> bool {
        let age_ns = i64::try_from(age_ms.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
        self.now.quality != ClockQuality::Unset && tip.last_utc_ns < self.now.utc_ns.saturating_sub(age_ns)
    }

    /// Whether everything below a boundary is outside every guaranteed minimum.
    pub fn is_beyond_minimum(&self, tips: &[Tip]) -> bool {
        tips.iter().filter(|tip| self.is_concerned(tip)).all(|tip| {
            let old = self.policy.min_age_ms(tip).is_none_or(|age| self.is_older(tip, age));
            let many = self
                .policy
                .min_bytes(tip)
                .is_none_or(|bytes| self.kept(tip) >= self.blocks(bytes));
            old && many
        })
    }

    /// Whether everything below a boundary is past a bound that makes it go.
    pub fn is_expired(&self, boundary: u64, tips: &[Tip]) -> bool {
        let kept = self.archive.log.durable.saturating_sub(boundary);
        if self.policy.max_bytes.is_some_and(|bytes| kept >= self.blocks(bytes)) {
            return true;
        }
        tips.iter().filter(|tip| self.is_concerned(tip)).all(|tip| {
            let max_bytes = self.policy.camera(tip).and_then(|camera| camera.max_bytes);
            self.policy.max_age_ms(tip).is_some_and(|age| self.is_older(tip, age))
                || max_bytes.is_some_and(|bytes| self.kept(tip) >= self.blocks(bytes))
        })
    }

    /// Whether no tag keeps a block below a boundary.
    pub fn is_untagged(&self, tips: &[Tip]) -> bool {
        tips.iter().all(|tip| {
            let Some(id) = self.archive.catalog.find(&tip.key) else {
                return true;
            };
            let there = self.archive.catalog.track(id).first..tip.next;
            !self.archive.catalog.tagged.touches(id, &self.keeps, there)
        })
    }

    /// Whether each track that has blocks below a boundary is hauled by some job.
    pub fn is_wanted(&self, jobs: &[&mut Job], tips: &[Tip]) -> bool {
        let mut concerned = tips.iter().filter(|tip| self.is_concerned(tip));
        concerned.all(|tip| jobs.iter().any(|job| job.takes(&tip.key)))
    }

    /// Whether a job needs nothing below a boundary.
    pub fn is_hauled(&self, job: &Job, tips: &[Tip]) -> bool {
        let wanted = tips.iter().filter(|tip| self.is_concerned(tip) && job.wants(&tip.key));
        let mut told = wanted.map(|tip| job.guard.told(&tip.key).is_some_and(|next| next >= tip.next));
        told.all(|held| held)
    }
}
