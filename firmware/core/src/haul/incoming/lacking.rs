//! What is missing or damaged here and comes later: questions about it, and the blocks that fill it.
//!
//! Invariant: a fill is taken only for a number that a gap states, or that was found not to be whole here on this link; so nothing is
//! there twice but a block that was damaged when it was looked at.

use super::*;
use crate::archive::catalog::hash_prefix;
use crate::haul::wire::{COMPARE_SPAN, Numbers};
use crate::limits::COMPARED_BLOCKS_MAX;

impl Incoming {
    /// `Compare`: which of these are whole here?
    pub fn on_compare(&mut self, number: u32, from: u64, has: Numbers, archive: &Archive, context: &mut Context) {
        let Some(track) = self.tracks.get(number as usize).filter(|_| from <= COUNT_MAX - COMPARE_SPAN) else {
            return self.malformed(context);
        };
        match track.state {
            // What was under way when the track was stopped.
            State::Stopped => {}
            State::Settling | State::Leasing => self.malformed(context),
            State::Open if !archive.takes() => self.reject(number, WhyRejected::Closed, context),
            State::Open => {
                if !self.compares.ask(number, track.id, from, has) {
                    self.malformed(context);
                }
            }
        }
    }

    /// Goes on comparing, and answers what is compared.
    pub(super) fn compare(&mut self, archive: &mut Archive, context: &mut Context) {
        if !archive.takes() {
            for number in self.compares.abandon() {
                if self.tracks[number as usize].state != State::Stopped {
                    self.reject(number, WhyRejected::Closed, context);
                }
            }
        }
        for answer in self.compares.poll(archive, context) {
            match answer {
                Answered::Blocks(answer) => self.answer(answer, archive, context),
                Answered::Times(cover) => self.answer_times(cover, archive, context),
            }
        }
    }

    fn answer(&mut self, answer: Answer, archive: &Archive, context: &mut Context) {
        let track = &self.tracks[answer.number as usize];
        if track.state != State::Open {
            return;
        }
        for at in answer.wanted.iter() {
            let number = answer.from + at;
            let fills = archive.catalog.fills_at(track.id, number);
            if archive.catalog.is_filling(track.id, number) || fills.is_some_and(|run| run.log_to > answer.durable) {
                continue;
            }
            if self.lacking.len() >= COMPARED_BLOCKS_MAX {
                self.lacking.pop_first();
            }
            let content = answer.indexed.get(&at).copied();
            self.lacking.insert((answer.number, number), content);
        }
        let message = Message::Compared {
            track: answer.number,
            from: answer.from,
            there: answer.there,
            wanted: answer.wanted,
            hash: answer.hash,
        };
        self.send(&message, context);
    }

    /// Takes a fill, or not. Digest, lease and place of it are right.
    pub(super) fn judge_fill(
        &mut self,
        number: u32,
        accepted: Accepted,
        archive: &mut Archive,
        context: &mut Context,
    ) -> Verdict {
        let (id, sequence) = (accepted.track, accepted.origin.track_sequence);
        let catalog = &archive.catalog;
        let next = catalog.track(id).tip.next;
        if sequence >= next {
            return Verdict::Rejected(WhyRejected::Expected(next));
        }
        let place = (number, sequence);
        let lacking = self.lacking.get(&place).copied();
        let is_not_durable = |run: crate::format::checkpoint::Fills| run.log_to > archive.log.durable;
        if catalog.is_filling(id, sequence) || (lacking.is_none() && catalog.fills_at(id, sequence).is_some_and(is_not_durable)) {
            self.under_way.insert(place);
            return Verdict::Ignored;
        }
        let known = match lacking {
            Some(content) => content,
            None => known_hash(archive, id, sequence),
        };
        if known.is_some_and(|prefix| prefix != hash_prefix(&accepted.hash)) {
            return Verdict::Rejected(WhyRejected::Diverged);
        }
        // A number may have been filled in and stated as missing later, when the tip had lost its last block.
        let is_missing = catalog.gap_at(id, sequence).is_some() && catalog.fills_at(id, sequence).is_none();
        if lacking.is_none() && !is_missing {
            return Verdict::NotLacking { number: sequence };
        }
        match archive.append(accepted, context) {
            Ok(()) => {
                self.lacking.remove(&place);
                Verdict::Taken
            }
            Err(error) => Verdict::Rejected(why_not(error)),
        }
    }

    /// A fill of this link is durable.
    pub(super) fn on_filled(&mut self, id: TrackId, sequence: u64, context: &mut Context) {
        let Some(number) = self.numbers.get(&id).copied() else {
            return;
        };
        self.filled += 1;
        self.filled_at = context.now.at;
        self.under_way.remove(&(number, sequence));
        let filled = Message::Filled {
            track: number,
            number: sequence,
            taken: true,
        };
        self.send(&filled, context);
    }

    /// Tells people once for many fills.
    pub(super) fn tell_filled(&mut self, archive: &Name, context: &mut Context) {
        let new = self.filled - core::mem::replace(&mut self.filled_told, self.filled);
        if new > 0 {
            let sentence = format!(
                "Peer {} has sent {new} blocks that were missing or damaged in archive {archive}.",
                self.peer
            );
            context.say(Code::BackFilled, archive, sentence);
        }
    }

    /// Fills that came twice are acknowledged once the first of them is durable, whichever link it came on.
    pub(super) fn acknowledge_under_way(&mut self, archive: &Archive, context: &mut Context) {
        for (number, sequence) in core::mem::take(&mut self.under_way) {
            let id = self.tracks[number as usize].id;
            let run = archive.catalog.fills_at(id, sequence);
            let is_durable = run.is_none_or(|run| run.log_to <= archive.log.durable);
            if archive.catalog.is_filling(id, sequence) || !is_durable {
                self.under_way.insert((number, sequence));
                continue;
            }
            let filled = Message::Filled {
                track: number,
                number: sequence,
                taken: false,
            };
            self.send(&filled, context);
        }
    }
}
