//! What the settings name comes to life: archives, recorders and jobs, at the start and when one is added.
//!
//! Not here: how the settings change (`control/changes.rs`).

use super::*;

impl Parts {
    /// Opens everything the settings name.
    pub(super) fn begin(&mut self, settings: Settings, context: &mut Context) {
        for archive in &settings.archives {
            let index = self.archives.len();
            self.archives.push(None);
            self.open_archive(index, archive, context);
        }
        self.settings = settings;
        context.shared.nics.set(&self.settings.nics);
        for recorder in self.settings.recorders.clone() {
            self.open_recorder(&recorder, context);
        }
        for job in self.settings.jobs.clone() {
            self.add_job(job, context);
        }
        for index in 0..self.archives.len() {
            self.keep(index, context);
        }
        self.trust_keys(context);
        self.begin_cards(context);
    }

    pub fn open_archive(&mut self, index: usize, setting: &ArchiveSetting, context: &mut Context) {
        let volume = self.new_volume();
        let (name, path) = (setting.name.clone(), setting.volume.clone());
        let access = if setting.read_only {
            Access::ExclusiveToRead
        } else {
            Access::Exclusive
        };
        match Archive::open(index, name.clone(), setting.uuid, path, volume, access, context) {
            Ok(archive) => self.archives[index] = Some(archive),
            Err(why) => context.say(
                Code::ArchiveOffline,
                &name.clone(),
                format!("Archive {name} cannot be opened: {why}."),
            ),
        }
    }

    pub fn open_recorder(&mut self, setting: &crate::control::types::RecorderCreate, context: &mut Context) {
        let Some(archive) = self.archive_place(&setting.archive) else {
            return;
        };
        let door = Door::Socket(setting.listen.clone());
        // Its name or its socket is still in use by one that is coming to its end.
        if self
            .recorders
            .values()
            .any(|one| one.door == door || one.name == setting.name)
        {
            return;
        }
        let flush_after = core::time::Duration::from_millis(setting.flush_after_ms);
        self.new_recorder(
            setting.name.clone(),
            archive,
            (setting.camera.clone(), setting.kind),
            door,
            flush_after,
            context,
        );
    }

    pub fn new_recorder(
        &mut self,
        name: crate::Name,
        archive: usize,
        (camera, kind): (crate::Name, crate::Kind),
        door: Door,
        flush_after: core::time::Duration,
        context: &mut Context,
    ) -> usize {
        let (index, feed) = (self.next_recorder, FeedId(self.next_feed));
        self.next_recorder += 1;
        self.next_feed += 1;
        let recorder = Recorder::open(index, name, archive, camera, kind, door, feed, flush_after, context);
        self.feeds.insert(feed, index);
        self.recorders.insert(index, recorder);
        index
    }

    pub fn add_job(&mut self, setting: JobSetting, context: &mut Context) {
        let peer = self.settings.peers.iter().find(|peer| peer.name == setting.peer).cloned();
        let (Some(archive), Some(peer)) = (self.archive_place(&setting.from), peer) else {
            return;
        };
        let index = self.jobs.len();
        let routes = if peer.key == self.fingerprint {
            self.own_routes()
        } else {
            peer.routes
        };
        let mut job = Job::new(index, setting, archive, routes, peer.key, context.now.at);
        job.held = !self.settings.hauling;
        self.jobs.push(Some(job));
        self.readers.entry(archive).or_default().insert(index);
        context.wake(Ready::Job(index));
        self.guards_changed(archive, context);
    }

    /// Only keys of known peers may come in.
    pub fn trust_keys(&mut self, context: &mut Context) {
        let keys = self.settings.peers.iter().map(|peer| peer.key).collect();
        context.submit(Op::TrustKeys { keys });
    }

    pub fn new_volume(&mut self) -> VolumeId {
        self.next_volume += 1;
        VolumeId(self.next_volume)
    }
}
