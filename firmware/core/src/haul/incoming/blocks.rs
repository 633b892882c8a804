//! Blocks and gaps that come in: taken, acknowledged again, or rejected (`reliability.md`, 3.6).
//!
//! Invariant: what does not fit lease, digest and tip does not reach the archive.

use super::*;
use crate::haul::session::is_on_purpose;

impl Incoming {
    /// A block has come. `body` is cut to what arrived; the memory is the oldest lent.
    pub fn on_block(
        &mut self,
        number: u32,
        lease: Lease,
        (hash, fill): (hal::Digest, bool),
        body: Span,
        archive: &mut Archive,
        context: &mut Context,
    ) {
        let Some(span) = self.lent.pop_front() else {
            return self.malformed(context);
        };
        assert!(
            body.offset_bytes == span.offset_bytes + ORIGIN_AT as u32,
            "bodies fill the lent spans in order"
        );
        match self.judge(number, (lease, hash, fill), span, body.length_bytes, archive, context) {
            Verdict::Taken => {}
            Verdict::Again { next } => {
                self.duplicates += 1;
                self.send(
                    &Message::Ack {
                        track: number,
                        next,
                        duplicate: true,
                    },
                    context,
                );
                self.lend_span(span, context);
            }
            Verdict::NotLacking { number: sequence } => {
                self.send(
                    &Message::Filled {
                        track: number,
                        number: sequence,
                        taken: false,
                    },
                    context,
                );
                self.lend_span(span, context);
            }
            Verdict::Ignored => self.lend_span(span, context),
            Verdict::Rejected(why) => {
                self.reject(number, why, context);
                self.lend_span(span, context);
            }
            Verdict::Nonsense => {
                context.give(span);
                self.malformed(context);
            }
        }
    }

    pub(super) fn judge(
        &mut self,
        number: u32,
        (lease, hash, fill): (Lease, hal::Digest, bool),
        span: Span,
        body_bytes: u32,
        archive: &mut Archive,
        context: &mut Context,
    ) -> Verdict {
        let Some(track) = self.tracks.get_mut(number as usize) else {
            return Verdict::Nonsense;
        };
        track.brought_at = context.now.at;
        if track.state == State::Stopped {
            // What was under way when the track was stopped.
            return Verdict::Ignored;
        }
        let block = context.memory.bytes_mut(span);
        let (sector, room) = block.split_at_mut(SECTOR_BYTES as usize);
        // Before anything in it is believed: what was altered on the way is not the peer's word.
        if origin_hash(sector) != hash {
            let camera = track.key.camera.clone();
            let what = format!("A block of camera {camera} came from peer {} with header bytes", self.peer);
            return self.altered(what, context);
        }
        let Ok(mut origin) = decode_origin(sector) else {
            return Verdict::Nonsense;
        };
        let expected = u64::from(SECTOR_BYTES) - ORIGIN_AT as u64 + u64::from(origin.payload_bytes);
        if origin.key != track.key || expected != u64::from(body_bytes) || origin.payload_bytes == 0 {
            return Verdict::Nonsense;
        }
        let entry = archive.catalog.track(track.id);
        let old = has(Bug::OldLeaseAccepted) && lease.counter <= entry.tip.lease.counter;
        if (lease != entry.tip.lease && !old) || track.state != State::Open {
            return Verdict::Rejected(WhyRejected::Fenced);
        }
        let (payload, rest) = room.split_at_mut(origin.payload_bytes as usize);
        if has(Bug::DigestMadeAnew) {
            origin.payload_digest = hal::Digest(*blake3::hash(payload).as_bytes());
            let init = crate::format::header::init_of(sector).to_vec();
            crate::format::header::encode_origin(sector, &origin, &init);
        }
        if blake3::hash(payload) != origin.payload_digest.0 {
            let (number, camera) = (origin.track_sequence, &origin.key.camera);
            let what = format!("Block {number} of camera {camera} came from peer {} with bytes", self.peer);
            return self.altered(what, context);
        }
        let hash = origin_hash(sector);
        let next = entry.tip.next;
        if fill {
            rest.fill(0);
            let accepted = Accepted {
                span,
                track: track.id,
                origin,
                hash,
                lease,
                fill,
                owner: Owner::Link(self.link),
            };
            let (id, sequence) = (accepted.track, accepted.origin.track_sequence);
            let verdict = self.judge_fill(number, accepted, archive, context);
            if has(Bug::FillBeforeFlush) && matches!(verdict, Verdict::Taken) {
                self.on_filled(id, sequence, context);
            }
            return verdict;
        }
        if origin.track_sequence > next && !has(Bug::AheadAccepted) {
            return Verdict::Rejected(WhyRejected::Expected(next));
        }
        if origin.track_sequence < next {
            let known = known_hash(archive, track.id, origin.track_sequence);
            return match known {
                Some(prefix) if prefix != crate::archive::catalog::hash_prefix(&hash) && !has(Bug::DuplicateByNumber) => {
                    Verdict::Rejected(WhyRejected::Diverged)
                }
                Some(_) if origin.track_sequence < entry.durable_next => Verdict::Again {
                    next: entry.durable_next,
                },
                // It is under way here; its acknowledgement comes when it is durable.
                Some(_) => Verdict::Ignored,
                None => Verdict::Rejected(WhyRejected::Expected(next)),
            };
        }
        // Behind a loss nobody may know the block before: the target for want of it, or the origin, which has lost it since.
        let unknown_before = (entry.tip.hash == NO_HASH || origin.previous_origin == NO_HASH) && next > 0;
        if !unknown_before && origin.previous_origin != entry.tip.hash && !has(Bug::AheadAccepted) {
            return Verdict::Rejected(WhyRejected::Diverged);
        }
        rest.fill(0);
        let accepted = Accepted {
            span,
            track: track.id,
            origin,
            hash,
            lease,
            fill,
            owner: Owner::Link(self.link),
        };
        match archive.append(accepted, context) {
            Ok(()) => Verdict::Taken,
            Err(error) => Verdict::Rejected(why_not(error)),
        }
    }

    fn altered(&mut self, what: alloc::string::String, context: &mut Context) -> Verdict {
        let sentence = format!("{what} that do not fit its digest; it was not taken.");
        context.say(Code::DigestMismatch, &self.peer.clone(), sentence);
        Verdict::Rejected(WhyRejected::Digest)
    }

    /// `Gap`: only by the holder of the lease, only at the tip.
    pub fn on_gap(
        &mut self,
        number: u32,
        lease: Lease,
        gap: (u64, u64, GapReason),
        hash_after: hal::Digest,
        archive: &mut Archive,
        context: &mut Context,
    ) {
        let Some(track) = self.tracks.get(number as usize) else {
            return self.malformed(context);
        };
        if track.state == State::Stopped {
            return;
        }
        let tip = &archive.catalog.track(track.id).tip;
        let (from, to, reason) = gap;
        if lease != tip.lease || track.state != State::Open {
            return self.reject(number, WhyRejected::Fenced, context);
        }
        if from != tip.next && !has(Bug::GapAnywhere) {
            let next = tip.next;
            return self.reject(number, WhyRejected::Expected(next), context);
        }
        if to <= from || to > COUNT_MAX {
            return self.malformed(context);
        }
        let key = track.key.clone();
        let sentence = format!(
            "Blocks {from} to {} of camera {} are missing in archive {}: {}.",
            to - 1,
            key.camera,
            archive.name,
            gap_words(reason)
        );
        let record = Record::Gap {
            key,
            gap: GapRange { from, to, reason },
            hash_after,
        };
        match archive.append_record(record, Owner::Link(self.link), context) {
            Ok(()) if is_on_purpose(reason) => {}
            Ok(()) => context.say(Code::Gap, &archive.name.clone(), sentence),
            Err(error) => self.reject(number, why_not(error), context),
        }
    }
}
