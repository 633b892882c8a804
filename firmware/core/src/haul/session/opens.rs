//! Tracks of a link: opened as they appear, and again after they were rejected.
//!
//! Invariant: `again` is the number of tracks that are to be opened again, and `tips_awaited` that of those that are being opened.

use super::*;

impl Session {
    /// Asks for the tips of tracks that the archive has and this link does not.
    pub(super) fn open_new_tracks(&mut self, archive: &Archive, lasting: &Lasting<'_>, context: &mut Context) {
        let setting = lasting.setting;
        self.beside = lasting.run.sieve.holes().is_some();
        while let Some(track) = archive
            .catalog
            .tracks()
            .get(self.looked_at)
            .filter(|_| self.tips_awaited < OPENS_MAX)
        {
            let id = TrackId(self.looked_at as u32);
            let key = track.tip.key.clone();
            self.looked_at += 1;
            if !setting.wants(&key) || key.origin == self.target {
                continue;
            }
            let number = self.tracks.len() as u32;
            self.numbers.insert(id, number);
            self.tracks.push(Track {
                id,
                key,
                state: State::Stopped,
                lease: Lease::default(),
                next: 0,
                passed: Vec::new(),
                covered: holes::Known::default(),
                damaged: false,
                gaps_told: 0,
            });
            self.open(number, archive, context);
        }
    }

    /// A track comes into another state.
    pub(super) fn turn(&mut self, number: u32, state: State) {
        let track = &mut self.tracks[number as usize];
        self.again -= usize::from(track.state == State::Again);
        self.again += usize::from(state == State::Again);
        track.state = state;
    }

    fn open(&mut self, number: u32, archive: &Archive, context: &mut Context) {
        self.turn(number, State::Opening);
        self.tips_awaited += 1;
        let track = &self.tracks[number as usize];
        let (key, has) = (track.key.clone(), archive.catalog.track(track.id).durable_next);
        self.send(
            &Message::Open {
                track: number,
                origin: key.origin,
                camera: key.camera,
                kind: key.kind,
                has,
                beside: self.beside,
            },
            None,
            context,
        );
    }

    pub(super) fn open_again(&mut self, trouble: &mut Option<Trouble>, archive: &Archive, context: &mut Context) {
        if self.retry_at.is_none_or(|at| at > context.now.at) {
            return;
        }
        self.retry_at = None;
        if trouble
            .as_ref()
            .is_some_and(|trouble| matches!(trouble.state, JobState::TargetFull | JobState::Waiting))
        {
            *trouble = None;
        }
        for number in 0..self.tracks.len() {
            if matches!(self.tracks[number].state, State::Again | State::Elsewhere) {
                if self.tips_awaited >= OPENS_MAX {
                    self.retry_at = Some(context.now.at);
                    return;
                }
                self.open(number as u32, archive, context);
            }
        }
    }
}
