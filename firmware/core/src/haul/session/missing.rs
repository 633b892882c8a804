//! What will not come, and why: stated at the target before a later block of the track is sent, or at the end of the log.

use alloc::format;
use hal::Digest;

use super::{Session, State, Unacked};
use crate::archive::Archive;
use crate::context::Context;
use crate::control::types::{GapReason, Mode};
use crate::format::NO_HASH;
use crate::haul::incoming::gap_words;
use crate::haul::job::Stats;
use crate::haul::wire::Message;
use crate::journal::Code;

/// Whether nothing was lost: a person wanted it so.
pub fn is_on_purpose(reason: GapReason) -> bool {
    match reason {
        GapReason::Filtered | GapReason::NotRetrieved => true,
        GapReason::Overwritten | GapReason::Damaged | GapReason::Expired | GapReason::Later => false,
    }
}

impl Session {
    pub(super) fn on_damaged(&mut self, sequence: u64, archive: &Archive) {
        let number = archive
            .catalog
            .recent(sequence)
            .and_then(|entry| archive.catalog.track_of(entry))
            .and_then(|id| self.numbers.get(&id))
            .copied();
        // Without an index entry nobody knows whose block it was: every track may miss one.
        let all = 0..self.tracks.len() as u32;
        let concerned = number.map_or(all, |number| number..number + 1);
        for number in concerned {
            self.tracks[number as usize].damaged = true;
            self.suspects.insert(number);
        }
    }

    /// States that the track's blocks from its next one up to `to` will not come.
    #[expect(clippy::too_many_arguments, reason = "a gap is all of this")]
    pub(super) fn state_gap(
        &mut self,
        number: u32,
        to: u64,
        hash_after: Digest,
        log_sequence: u64,
        archive: &Archive,
        stats: &mut Stats,
        context: &mut Context,
    ) {
        let track = &self.tracks[number as usize];
        let (id, lease, key, damaged) = (track.id, track.lease, track.key.clone(), track.damaged);
        let mut from = track.next;
        while from < to {
            let passed = &self.tracks[number as usize].passed;
            let left_out = passed.iter().find(|passed| (passed.from..passed.to).contains(&from));
            let next_left_out = passed.iter().map(|passed| passed.from).find(|begin| *begin > from);
            let (end, reason) = match (left_out, archive.catalog.gap_at(id, from)) {
                (Some(passed), _) => (passed.to.min(to), passed.reason),
                (None, Some(gap)) => (gap.to.min(to), gap.reason),
                (None, None) if let Some(run) = archive.catalog.fills_at(id, from) => (run.to.min(to), GapReason::Later),
                (None, None) if from < archive.catalog.track(id).first => {
                    let freed = archive.superblock.freed_sequence == archive.oldest();
                    let reason = if freed { GapReason::Expired } else { GapReason::Overwritten };
                    (archive.catalog.track(id).first.min(to), reason)
                }
                (None, None) => {
                    let known = archive
                        .catalog
                        .gaps()
                        .filter(|(track, gap)| *track == id && gap.from > from)
                        .map(|(_, gap)| gap.from)
                        .chain(archive.catalog.next_fills(id, from))
                        .min();
                    let reason = if damaged || archive.superblock.mode == Mode::Append {
                        GapReason::Damaged
                    } else {
                        GapReason::Overwritten
                    };
                    let end = known.unwrap_or(to).min(next_left_out.unwrap_or(to));
                    (end.min(to), reason)
                }
            };
            let hash_after = if end == to { hash_after } else { NO_HASH };
            self.send(
                &Message::Gap {
                    track: number,
                    lease,
                    from,
                    to: end,
                    reason,
                    hash_after,
                },
                None,
                context,
            );
            self.unacked.push_back(Unacked {
                track: number,
                next: end,
                bytes: 0,
                log_sequence,
                is_block: false,
                fill: false,
            });
            let track = &mut self.tracks[number as usize];
            let first = from.max(track.gaps_told);
            if is_on_purpose(reason) {
                stats.filtered += end - from;
            } else if first < end {
                track.gaps_told = end;
                stats.gaps += end - first;
                let sentence = format!(
                    "Blocks {first} to {} of camera {} will not reach the target: {}.",
                    end - 1,
                    key.camera,
                    gap_words(reason)
                );
                context.say(Code::Gap, &archive.name.clone(), sentence);
            }
            from = end;
        }
        self.tracks[number as usize].go_on(to);
    }

    /// At the end of the log: tracks whose last blocks are missing here.
    pub(super) fn state_missing_ends(&mut self, asks_tags: bool, archive: &Archive, stats: &mut Stats, context: &mut Context) {
        for number in core::mem::take(&mut self.suspects) {
            let track = &self.tracks[number as usize];
            let entry = archive.catalog.track(track.id);
            let to = track.end(entry.durable_next, asks_tags);
            if track.state == State::Open && track.next < to {
                let hash = if to == entry.durable_next {
                    entry.durable_hash
                } else {
                    NO_HASH
                };
                let sequence = archive.log.durable;
                self.state_gap(number, to, hash, sequence, archive, stats, context);
            }
        }
    }
}
