//! Which times are covered here: questions of a source that fills holes, and their answers.
//!
//! Not how it is found out (`haul/cover.rs`).

use super::*;

impl Incoming {
    /// `Cover`: which times do other origins cover?
    pub fn on_cover(&mut self, number: u32, (from_utc_ns, to_utc_ns): (i64, i64), archive: &Archive, context: &mut Context) {
        let Some(track) = self.tracks.get(number as usize).filter(|_| from_utc_ns < to_utc_ns) else {
            return self.malformed(context);
        };
        match track.state {
            // What was under way when the track was stopped.
            State::Stopped => {}
            State::Settling | State::Leasing => self.malformed(context),
            State::Open if !archive.takes() => self.reject(number, WhyRejected::Closed, context),
            State::Open => {
                if !self
                    .compares
                    .ask_cover(Cover::new(number, track.id, (from_utc_ns, to_utc_ns)))
                {
                    self.malformed(context);
                }
            }
        }
    }

    pub(super) fn answer_times(&mut self, cover: Cover, archive: &Archive, context: &mut Context) {
        let track = &self.tracks[cover.number as usize];
        if track.state != State::Open {
            return;
        }
        let (id, number) = (track.id, cover.number);
        let next = archive.catalog.track(id).durable_next;
        let is_there = |before| archive.catalog.gap_at(id, before).is_none() || archive.catalog.fills_at(id, before).is_some();
        let (cover, stretches) = cover.into_stretches();
        let message = Message::Covered {
            track: number,
            from_utc_ns: cover.from_utc_ns,
            to_utc_ns: cover.to_utc_ns,
            newest_utc_ns: cover.newest_utc_ns,
            follows: next.checked_sub(1).is_some_and(is_there),
            stretches,
        };
        self.send(&message, context);
    }
}
