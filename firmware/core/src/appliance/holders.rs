//! Who brings a camera into an archive: one source at a time.
//!
//! Not the leases (`haul/incoming.rs`), which keep one track safe whatever is asked here: this keeps people from choosing a camera
//! twice. What a camera was once, under another origin, holds nothing: only a recorder that is set up and a link that has the
//! camera open do.

use super::*;
use crate::Name;
use crate::archive::creation::refusal;
use crate::control::types::{GrantCreate, Refusal, RefusalCode};
use crate::haul::wire::Holder;

impl Parts {
    /// Who holds the camera of a track in the archive at a place against a link of that key that hauls from `source`, and whether
    /// he brings the very same track. Who comes `beside` others is kept out by that alone.
    ///
    /// Two archives of this appliance are an exception as long as only one of them is recorded into: so an old archive is hauled
    /// into the one that the recorders have moved to.
    pub(super) fn holder(
        &self,
        place: usize,
        track: &TrackKey,
        (key, source): (Fingerprint, hal::Uuid),
        beside: bool,
    ) -> (Option<Holder>, bool) {
        let camera = &track.camera;
        let recorder = |place: usize| {
            let mut all = self.recorders.values();
            all.find(|one| one.archive == place && one.camera == *camera && !one.is_closing())
        };
        let is_past = key == self.fingerprint && {
            let mut archives = self.archives.iter().flatten();
            let from = archives.find(|archive| archive.uuid == source);
            from.is_some_and(|from| recorder(from.index).is_none())
        };
        if let Some(recorder) = recorder(place).filter(|_| !is_past && !beside) {
            return (Some(Holder::Recorder(recorder.name.clone())), false);
        }
        let mut others = self.incoming.values().filter(|other| other.key != key);
        let same = |other: &&Incoming| {
            self.archives[place]
                .as_ref()
                .is_some_and(|archive| other.holds_track(track, archive))
        };
        match others.clone().find(same) {
            Some(other) => (Some(Holder::Peer(other.peer.clone())), true),
            None if beside => (None, false),
            None => {
                let holder = others.find(|other| other.holds(place, camera));
                (holder.map(|other| Holder::Peer(other.peer.clone())), false)
            }
        }
    }

    /// Takes a track from another link that brings nothing of it, for one of that key that has more than is here.
    pub(super) fn pass_on(&mut self, place: usize, track: &TrackKey, (key, has): (Fingerprint, u64), context: &mut Context) {
        let Some(archive) = self.archives[place].as_ref() else {
            return;
        };
        let here = archive.catalog.find(track).map_or(0, |id| archive.catalog.track(id).tip.next);
        let others = self.incoming.values_mut().filter(|other| other.key != key);
        for other in others.filter(|_| has > here) {
            if other.holds_track(track, archive) {
                other.yield_track(track, archive, context);
            }
        }
    }

    /// Why a camera cannot be recorded into an archive: a peer is bringing it there.
    pub(crate) fn check_not_hauled(&self, place: usize, camera: &Name) -> Result<(), Refusal> {
        let mut links = self.incoming.values().filter(|link| link.key != self.fingerprint);
        let Some(link) = links.find(|link| link.holds(place, camera)) else {
            return Ok(());
        };
        let sentence = format!("Peer {} hauls camera {camera} into that archive.", link.peer);
        let next = "Choose another camera or archive, or take the camera out of the peer's job.";
        Err(refusal(RefusalCode::Busy, sentence, next))
    }

    /// Why a grant cannot be made: a camera that it names is recorded into its archive here.
    pub(crate) fn check_not_recorded(&self, grant: &GrantCreate) -> Result<(), Refusal> {
        let is_own = |peer: &&crate::control::types::Peer| peer.name == grant.peer && peer.key == self.fingerprint;
        if self.settings.peers.iter().any(|peer| is_own(&peer)) {
            return Ok(());
        }
        let reach = self.settings.reach(&grant.cameras, &grant.tenants);
        let mut recorders = self.settings.recorders.iter().filter(|one| one.archive == grant.archive);
        let Some(recorder) = recorders.find(|one| reach.cameras().is_some_and(|cameras| cameras.contains(&one.camera))) else {
            return Ok(());
        };
        let sentence = format!(
            "Camera {} is recorded into {} by recorder {}.",
            recorder.camera, grant.archive, recorder.name
        );
        let next = "Leave the camera out, or grant another archive: a camera comes into an archive from one source.";
        Err(refusal(RefusalCode::Busy, sentence, next))
    }
}
