//! The checks of cards under way: who may be checked, and which event is whose.
//!
//! Not here: what a check does (`card/check.rs`). Invariant: what this appliance reads or writes otherwise is not checked by writing.

use super::cards::Cards;
use super::*;
use crate::archive::creation::refusal;
use crate::card::check::{CHECKS_MAX, Check, Task};
use crate::control::types::{Refusal, RefusalCode};

impl Cards {
    /// Ends all of them as soon as everything is as it was.
    pub fn stop_checks(&mut self) {
        self.checks.values_mut().for_each(Check::stop);
    }

    /// A client is gone.
    pub fn stop_checks_of(&mut self, client: ClientId) {
        self.checks.values_mut().for_each(|check| check.stop_for(client));
    }
}

impl Parts {
    /// Refuses what is just being checked by writing: it holds patterns.
    pub(super) fn not_checked(&self, path: &str) -> Result<(), Refusal> {
        if self.cards.checks.values().any(|check| check.writes && check.path == path) {
            let sentence = format!("{path} is being checked.");
            return Err(refusal(RefusalCode::Busy, sentence, "Wait until that has ended."));
        }
        Ok(())
    }

    /// Who of this appliance has the thing at a path, as far as the path says.
    fn user_of(&self, path: &str) -> Option<String> {
        let archive = self.settings.archives.iter().find(|archive| archive.volume == path);
        let archive = archive.map(|archive| format!("{path} holds archive {}.", archive.name));
        let card = || {
            let card = self.cards.live().find(|card| card.uses(path))?;
            Some(format!("{path} is card {}, whose files are taken here.", card.setting.name))
        };
        archive.or_else(card)
    }

    /// Begins a check.
    pub fn begin_check(
        &mut self,
        (client, more): (ClientId, bool),
        path: String,
        writes: bool,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        if !path.starts_with('/') {
            let sentence = format!("The path {path} is not absolute.");
            return Err(refusal(RefusalCode::Usage, sentence, "Begin it with a slash."));
        }
        self.not_checked(&path)?;
        if writes && let Some(sentence) = self.user_of(&path) {
            let next = "Check it without writing, or take the card out of the settings first (blockhaul card remove).";
            return Err(refusal(RefusalCode::Busy, sentence, next));
        }
        if self.cards.checks.len() >= CHECKS_MAX || self.stopping.is_some() {
            let sentence = "Too many cards are being checked.";
            return Err(refusal(RefusalCode::Busy, sentence, "Try again when one has ended."));
        }
        let number = self.cards.next_check;
        self.cards.next_check += 1;
        let volume = self.new_volume();
        let check = Check::start(number, (client, more), path, writes, volume, context);
        self.cards.checks.insert(number, check);
        Ok(())
    }

    /// What is to be checked is open, or not.
    pub(super) fn on_check_opened(&mut self, number: u64, result: Result<hal::VolumeFacts, IoError>, context: &mut Context) {
        let Some(mut check) = self.cards.checks.remove(&number) else {
            return;
        };
        // The same thing under another name.
        let same = result.as_ref().ok().filter(|_| check.writes).map(|facts| facts.same_as);
        let card = same.and_then(|same| {
            let mut live = self.cards.live();
            live.find(|card| card.facts().is_some_and(|facts| facts.same_as == same))
        });
        let in_use = card.map(|card| format!("{} is card {}, whose files are taken here.", check.path, card.setting.name));
        if !check.on_opened(result, in_use, context) {
            self.cards.checks.insert(number, check);
        }
    }

    /// An op of a check has finished.
    pub(super) fn on_check_done(&mut self, number: u64, task: Task, result: Result<(), IoError>, context: &mut Context) {
        if let Some(check) = self.cards.checks.get_mut(&number)
            && check.on_done(task, result, context)
        {
            self.cards.checks.remove(&number);
        }
    }
}
