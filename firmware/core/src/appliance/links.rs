//! Links: who is at the other end, and which job or incoming link a frame belongs to.
//!
//! Not here: what a frame leads to (`haul/`).

use super::*;
use crate::archive::marks::Point;
use crate::format::notes::MarkHead;

impl Parts {
    pub(super) fn on_link_up(&mut self, link: LinkId, key: Fingerprint, address: String, context: &mut Context) {
        if let Some(index) = self.links.get(&link) {
            if let Some(job) = &mut self.jobs[*index]
                && let Some(archive) = &self.archives[job.archive]
            {
                job.on_up(archive, context);
            }
            return;
        }
        let peer = self
            .settings
            .peers
            .iter()
            .find(|peer| peer.key == key)
            .map(|peer| peer.name.clone());
        match peer {
            Some(peer) => {
                let mut incoming = Incoming::new(link, peer, key, address, context);
                if self.incoming.len() >= limits::INCOMING_MAX || self.stopping.is_some() {
                    incoming.refuse(WhyRefused::TooMany, context);
                }
                self.incoming.insert(link, incoming);
            }
            None => context.submit(Op::HangUp { link }),
        }
    }

    pub(super) fn on_link_down(&mut self, link: LinkId, why: LinkError, context: &mut Context) {
        if let Some(index) = self.links.remove(&link) {
            if let Some(job) = &mut self.jobs[index]
                && job.link_id() == Some(link)
            {
                job.on_down(why, context);
            }
            context.wake(Ready::Job(index));
        }
        if let Some(incoming) = self.incoming.remove(&link) {
            let archive = incoming
                .grant
                .as_ref()
                .and_then(|grant| self.archives[grant.archive].as_ref());
            if let Some(compares) = incoming.finish(archive.map(|archive| &archive.name), context) {
                self.abandoned.insert(link, compares);
            }
        }
    }

    /// A comparison that nobody wants any more gives its memory back as soon as it can.
    pub(super) fn rest_compares(&mut self, link: LinkId, context: &mut Context) {
        if self.abandoned.get(&link).is_some_and(Compares::is_quiet)
            && let Some(mut compares) = self.abandoned.remove(&link)
        {
            compares.finish(context);
        }
    }

    pub(super) fn on_frame(&mut self, link: LinkId, message: &[u8], body: Option<hal::Span>, context: &mut Context) {
        let message = Message::decode(message);
        if let Some(index) = self.links.get(&link) {
            if let Some(job) = &mut self.jobs[*index]
                && job.link_id() == Some(link)
                && let Some(archive) = &mut self.archives[job.archive]
            {
                match message {
                    Some(message) => job.on_message(message, archive, context),
                    None => job.hang_up(context),
                }
            }
            return;
        }
        let Some(mut incoming) = self.incoming.remove(&link) else {
            return;
        };
        if incoming.listens() {
            incoming.heard(context);
            match (message, body) {
                (
                    Some(Message::Block {
                        track,
                        lease,
                        hash,
                        fill,
                    }),
                    Some(body),
                ) => match self.target_of(&incoming) {
                    Some(archive) => incoming.on_block(track, lease, (hash, fill), body, archive, context),
                    None => incoming.malformed(context),
                },
                (Some(message), None) => self.on_incoming_message(&mut incoming, message, context),
                (_, _) => incoming.malformed(context),
            }
            context.wake(Ready::Incoming(link));
        }
        self.incoming.insert(link, incoming);
    }

    pub(super) fn target_of(&mut self, incoming: &Incoming) -> Option<&mut Archive> {
        let index = incoming.grant.as_ref()?.archive;
        self.archives[index].as_mut()
    }

    pub(super) fn on_incoming_message(&mut self, incoming: &mut Incoming, message: Message, context: &mut Context) {
        match message {
            Message::Hello {
                protocol,
                token,
                source,
                target,
                block_bytes,
                run,
                ..
            } => {
                if incoming.grant.is_some() {
                    return incoming.malformed(context);
                }
                match self.judge_hello(incoming, protocol, token, source, &target, block_bytes) {
                    Ok(grant) => {
                        // A peer that comes again has lost its old link, whether we have noticed or not.
                        for other in self.incoming.values_mut() {
                            let same = other.key == incoming.key && other.grant.as_ref().is_some_and(|old| old.id == grant.id);
                            if same {
                                other.hang_up(context);
                            }
                        }
                        if !self.has_memory_for(block_bytes, context) {
                            return incoming.refuse(WhyRefused::TooMany, context);
                        }
                        if let Some(archive) = &self.archives[grant.archive] {
                            incoming.begin_run(run, &archive.name, context);
                            incoming.welcome(grant, archive, context);
                        }
                    }
                    Err(why) => incoming.refuse(why, context),
                }
            }
            Message::Open {
                track,
                origin,
                camera,
                kind,
                has,
                beside,
            } => {
                let key = TrackKey { origin, camera, kind };
                let Some((place, source)) = incoming.grant.as_ref().map(|grant| (grant.archive, grant.source)) else {
                    return incoming.malformed(context);
                };
                self.pass_on(place, &key, (incoming.key, has), context);
                let holder = self.holder(place, &key, (incoming.key, source), beside);
                if let Some(archive) = &mut self.archives[place] {
                    incoming.on_open(track, key, beside, holder, archive, context);
                }
            }
            Message::Gap {
                track,
                lease,
                from,
                to,
                reason,
                hash_after,
            } => match self.target_of(incoming) {
                Some(archive) => incoming.on_gap(track, lease, (from, to, reason), hash_after, archive, context),
                None => incoming.malformed(context),
            },
            Message::Mark {
                mark,
                name,
                made_in,
                utc_ns,
                points,
            } => {
                let head = MarkHead {
                    mark,
                    name,
                    made_in,
                    utc_ns,
                    points,
                };
                match self.target_of(incoming) {
                    Some(archive) => incoming.on_mark(head, archive, context),
                    None => incoming.malformed(context),
                }
            }
            Message::Point {
                mark,
                origin,
                camera,
                kind,
                next,
                hash,
            } => {
                let key = TrackKey { origin, camera, kind };
                match self.target_of(incoming) {
                    Some(archive) => incoming.on_point(mark, &key, Point { next, hash }, archive, context),
                    None => incoming.malformed(context),
                }
            }
            Message::Ended { result } => incoming.end_run(result, context),
            Message::Compare { track, from, has } => match self.target_of(incoming) {
                Some(archive) => incoming.on_compare(track, from, has, archive, context),
                None => incoming.malformed(context),
            },
            Message::Cover {
                track,
                from_utc_ns,
                to_utc_ns,
            } => match self.target_of(incoming) {
                Some(archive) => incoming.on_cover(track, (from_utc_ns, to_utc_ns), archive, context),
                None => incoming.malformed(context),
            },
            Message::Heartbeat => {}
            Message::Covered { .. }
            | Message::Marked { .. }
            | Message::Welcome { .. }
            | Message::Refused { .. }
            | Message::Tip { .. }
            | Message::Block { .. }
            | Message::Ack { .. }
            | Message::Compared { .. }
            | Message::Filled { .. }
            | Message::Credit { .. }
            | Message::Rejected { .. } => incoming.malformed(context),
        }
    }

    /// Whether one more link may come: each has a block lent to it for as long as it is up, and all of these fit half of the
    /// memory that recorders leave.
    fn has_memory_for(&self, block_bytes: u32, context: &Context) -> bool {
        let up = self.incoming.values().filter(|incoming| !incoming.has_hung_up());
        let archives = up.filter_map(|incoming| self.archives[incoming.grant.as_ref()?.archive].as_ref());
        let lent_bytes: u64 = archives.map(|archive| u64::from(archive.superblock.block_bytes)).sum();
        lent_bytes + u64::from(block_bytes) <= u64::from(context.unrecorded_bytes()) / 2
    }

    /// Whether this key with this token may append to that archive, now.
    pub(super) fn judge_hello(
        &self,
        incoming: &Incoming,
        protocol: u8,
        token: [u8; 32],
        source: hal::Uuid,
        target: &crate::Name,
        block_bytes: u32,
    ) -> Result<Grant, WhyRefused> {
        if protocol != PROTOCOL {
            return Err(WhyRefused::Protocol);
        }
        if !self.settings.hauling {
            return Err(WhyRefused::Off);
        }
        // blake3::Hash compares in constant time. Every grant is looked at, whichever fits.
        let shown = blake3::hash(&token);
        let mut found = None;
        for grant in &self.settings.grants {
            let right = shown == blake3::Hash::from_bytes(grant.token_hash.0);
            if right && grant.peer == incoming.peer && grant.archive == *target {
                found = Some(grant);
            }
        }
        let grant = found.ok_or(WhyRefused::Token)?;
        let archive = self.archive_named(&grant.archive).ok_or(WhyRefused::NotReady)?;
        if archive.uuid == source {
            return Err(WhyRefused::SameArchive);
        }
        if !archive.takes() {
            return Err(WhyRefused::NotReady);
        }
        if archive.superblock.block_bytes != block_bytes {
            return Err(WhyRefused::BlockSize);
        }
        Ok(Grant {
            id: grant.id.clone(),
            archive: archive.index,
            source,
            reach: self.settings.reach(&grant.cameras, &grant.tenants),
        })
    }
}
