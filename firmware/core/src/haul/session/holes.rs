//! A run that fills holes: of each block that is offered it is asked whether what the target holds of the camera from other origins
//! covers its time.
//!
//! The target is asked ahead, for some hours at a time; what it says of a time stays true, since what is durable there covers it. A hole
//! counts only when the others were recorded past it, or when its block ended long enough ago: until then it waits. A file of a card
//! comes whole or not at all, as half of one is of no use to a player.
//!
//! Invariants: a block is left out only if its time, and the margin on both sides of it, lies in one stretch that the target named on
//! this link; a file of which the target has the beginning is brought to its end.

use super::*;
use crate::format::header::FromFile;
use crate::haul::sieve::Holes;
use crate::times::Stretches;
use hal::ClockQuality;

/// Asked ahead of the block that is looked at: six hours. Looking through what is covered shall not seem to be a standstill.
const AHEAD_NS: i64 = 6 * 3_600_000_000_000;

/// What a track knows of the times that others cover at the target.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Known {
    /// Asked for, and not answered.
    asked: Option<(i64, i64)>,
    told: Option<ToldTimes>,
    /// The file that blocks come from, and whether it is brought.
    file: Option<(FileId, bool)>,
}

/// Which file of a card: path, beginning, size.
type FileId = (u64, i64, u64);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ToldTimes {
    from_utc_ns: i64,
    to_utc_ns: i64,
    newest_utc_ns: Option<i64>,
    follows: bool,
    covered: Stretches,
    at: Instant,
}

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// It belongs into a hole.
    Open,
    /// Others cover its time.
    Covered,
    /// The target is being asked.
    Asked,
    /// Others may still come: until the wall clock shows this.
    TooYoung(i64),
}

impl ToldTimes {
    /// Whether a time lies in one stretch; none if nothing is known of it.
    fn covers(&self, begin: i64, end: i64) -> Option<bool> {
        if !(self.from_utc_ns..self.to_utc_ns).contains(&begin) {
            return None;
        }
        match self.covered.at(begin) {
            Some((_, to)) if end <= to => Some(true),
            // A hole lies before the end of the answer, and so within the time.
            Some((_, to)) if to < self.to_utc_ns => Some(false),
            None => Some(false),
            Some(_) => None,
        }
    }
}

fn id_of(file: &FromFile) -> FileId {
    (file.path, file.begin_ns, file.size_bytes)
}

impl Session {
    /// Whether a block that is offered belongs into a hole; asks the target if it is not known.
    pub(super) fn judge_hole(&mut self, number: u32, origin: &Origin, holes: Holes, context: &mut Context) -> Hole {
        if origin.clock == ClockQuality::Unset {
            // Nobody knows its time: better twice than lost.
            return Hole::Open;
        }
        let known = &mut self.tracks[number as usize].covered;
        if let (Some(file), Some((begun, brought))) = (&origin.file, known.file)
            && id_of(file) == begun
        {
            return if brought { Hole::Open } else { Hole::Covered };
        }
        let (begin, end) = origin.whole_utc_ns();
        let (from, to) = (begin.saturating_sub(holes.margin_ns), end.saturating_add(holes.margin_ns));
        let begun = origin.file.as_ref().is_some_and(|file| file.at_bytes > 0);
        let judged = known.told.as_ref().and_then(|told| match told.covers(from, to) {
            // Its beginning went there before this link.
            Some(_) if begun && known.file.is_none() && told.follows => Some(Hole::Open),
            Some(true) => Some(Hole::Covered),
            Some(false) => {
                let is_past = told.newest_utc_ns.is_some_and(|newest| newest >= to);
                let until = end.saturating_add(holes.wait_ns);
                Some(match is_past || until <= context.now.utc_ns {
                    true => Hole::Open,
                    false => Hole::TooYoung(until),
                })
            }
            None => None,
        });
        let again = known.told.as_ref().map(|told| told.at + ASK_AGAIN);
        match (judged, again) {
            (Some(Hole::TooYoung(_)), Some(again)) if again <= context.now.at => {}
            (Some(judged), again) => {
                match (judged, again) {
                    (Hole::TooYoung(_), Some(again)) => self.ask_at = Some(self.ask_at.map_or(again, |at| at.min(again))),
                    (_, _) => known.file = origin.file.as_ref().map(|file| (id_of(file), judged == Hole::Open)),
                }
                return judged;
            }
            (None, _) => {}
        }
        if known.asked.is_none() {
            let asked = (from, to.saturating_add(1).max(from.saturating_add(AHEAD_NS)));
            known.asked = Some(asked);
            let message = Message::Cover {
                track: number,
                from_utc_ns: asked.0,
                to_utc_ns: asked.1,
            };
            self.send(&message, None, context);
        }
        Hole::Asked
    }

    /// The target has said what is covered. An answer to what is not asked any more says nothing.
    pub(super) fn on_covered(
        &mut self,
        number: u32,
        (from_utc_ns, to_utc_ns): (i64, i64),
        (newest_utc_ns, follows): (Option<i64>, bool),
        stretches: &[(i64, i64)],
        now: Instant,
    ) -> Result<(), ()> {
        let track = self.tracks.get_mut(number as usize).ok_or(())?;
        let Some(asked) = track.covered.asked.filter(|asked| asked.0 == from_utc_ns) else {
            return Ok(());
        };
        if to_utc_ns <= from_utc_ns || to_utc_ns > asked.1 {
            return Err(());
        }
        track.covered.asked = None;
        let mut covered = Stretches::default();
        for (begin, end) in stretches {
            covered.add((*begin).max(from_utc_ns), (*end).min(to_utc_ns));
        }
        track.covered.told = Some(ToldTimes {
            from_utc_ns,
            to_utc_ns,
            newest_utc_ns,
            follows,
            covered,
            at: now,
        });
        Ok(())
    }
}
