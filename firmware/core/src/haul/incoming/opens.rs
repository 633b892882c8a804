//! Tracks that a source opens: judged, leased, and told where they stand here.
//!
//! Invariant: a tip is told once the lease is durable and everything accepted before has settled.

use super::*;

impl Incoming {
    /// `Open`: scope, place in the table, lease. It may come `beside` another source; `holder` is who else brings the camera into the archive, and whether the same track.
    pub fn on_open(
        &mut self,
        number: u32,
        key: TrackKey,
        beside: bool,
        (holder, is_same): (Option<Holder>, bool),
        archive: &mut Archive,
        context: &mut Context,
    ) {
        let Some(grant) = &self.grant else {
            return self.malformed(context);
        };
        let known = self.tracks.get(number as usize).is_some_and(|track| track.key == key);
        if number as usize > self.tracks.len()
            || ((number as usize) < self.tracks.len() && !known)
            || number as usize >= TRACKS_MAX
        {
            return self.malformed(context);
        }
        let in_scope = grant.reach.has(&key.camera);
        let place = if in_scope && holder.is_none() && key.origin != archive.uuid {
            archive.catalog.place(&key)
        } else {
            None
        };
        let why = if !in_scope {
            Some(WhyRejected::Scope)
        } else if key.origin == archive.uuid {
            Some(WhyRejected::OwnOrigin)
        } else if holder.is_some() {
            Some(match is_same {
                true => WhyRejected::Held(
                    archive
                        .catalog
                        .find(&key)
                        .map_or(0, |id| archive.catalog.track(id).durable_next),
                ),
                false => WhyRejected::Taken,
            })
        } else if place.is_none() {
            Some(WhyRejected::TooMany)
        } else {
            None
        };
        if why == Some(WhyRejected::Scope) {
            let sentence = format!(
                "Peer {} offered camera {}, which its grant does not reach.",
                self.peer, key.camera
            );
            context.say(Code::ScopeViolation, &self.peer.clone(), sentence);
        }
        if number as usize == self.tracks.len() {
            let id = place.unwrap_or(TrackId(u32::MAX));
            self.tracks.push(Track {
                id,
                key,
                state: State::Settling,
                beside,
                brought_at: context.now.at,
            });
        }
        let entry = &mut self.tracks[number as usize];
        match (why, place) {
            (None, Some(id)) => {
                entry.id = id;
                entry.beside = beside;
                entry.brought_at = context.now.at;
                self.numbers.insert(id, number);
                entry.state = State::Settling;
                self.open_cameras.insert((entry.key.camera.clone(), number));
                self.open_settled(number, archive, context);
            }
            (why, _) => {
                let holder = holder.filter(|_| matches!(why, Some(WhyRejected::Held(_) | WhyRejected::Taken)));
                self.reject_for(number, why.unwrap_or(WhyRejected::TooMany), holder, context);
            }
        }
    }

    /// Goes on with opening a track once what was accepted before has settled.
    pub(super) fn open_settled(&mut self, number: u32, archive: &mut Archive, context: &mut Context) {
        let Some(track) = self.tracks.get_mut(number as usize) else {
            return;
        };
        let entry = archive.catalog.track(track.id);
        if !archive.takes() {
            return self.reject(number, WhyRejected::Closed, context);
        }
        if entry.tip.next != entry.durable_next {
            self.settling.insert(number);
            return;
        }
        if entry.tip.lease.counter > 0 && entry.tip.holder == self.key {
            track.state = State::Open;
            self.tell_tip(number, archive, context);
            return;
        }
        track.state = State::Leasing;
        let lease = Lease {
            counter: entry.tip.lease.counter + 1,
            nonce: context.shared.entropy.number(),
        };
        if has(Bug::LeaseNotPersisted) {
            track.state = State::Open;
            archive.catalog.track_mut(track.id).tip.lease = lease;
            return self.tell_tip(number, archive, context);
        }
        let record = Record::Lease {
            key: track.key.clone(),
            lease,
            holder: self.key,
        };
        match archive.append_record(record, Owner::Link(self.link), context) {
            Ok(()) => {}
            Err(error) => self.reject(number, why_not(error), context),
        }
    }

    pub(super) fn tell_tip(&mut self, number: u32, archive: &Archive, context: &mut Context) {
        let entry = archive.catalog.track(self.tracks[number as usize].id);
        let message = Message::Tip {
            track: number,
            next: entry.durable_next,
            hash: entry.durable_hash,
            lease: entry.tip.lease,
        };
        self.send(&message, context);
    }
}
