//! What lies where in the tables of an appliance, by name.

use super::*;

impl Parts {
    pub fn archive_place(&self, name: &crate::Name) -> Option<usize> {
        self.configured_archives()
            .find(|archive| archive.name == *name)
            .map(|archive| archive.index)
    }

    pub fn archive_named(&self, name: &crate::Name) -> Option<&Archive> {
        self.configured_archives().find(|archive| archive.name == *name)
    }

    /// Archives that have not been removed.
    pub fn configured_archives(&self) -> impl Iterator<Item = &Archive> {
        self.archives.iter().flatten().filter(|archive| !archive.removed)
    }

    /// Jobs that have not been deleted.
    pub fn live_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.iter().flatten().filter(|job| !job.deleted)
    }

    pub fn job_place(&self, name: &crate::Name) -> Option<usize> {
        self.live_jobs().find(|job| job.setting.name == *name).map(|job| job.index)
    }
}
