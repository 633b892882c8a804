//! Keepers and what they look at: an archive, its policy, the jobs that guard it.

use alloc::vec::Vec;

use super::*;
use crate::control::types::Retention;
use crate::retention::keeper::{Keeper, Question};

impl Parts {
    /// What an archive's settings say of its retention.
    pub fn retention_of(&self, name: &crate::Name) -> Retention {
        let setting = self.settings.archives.iter().find(|archive| archive.name == *name);
        setting.map(|archive| archive.retention.clone()).unwrap_or_default()
    }

    /// Begins to look after an archive that is being opened.
    pub fn keep(&mut self, index: usize, context: &mut Context) {
        if let Some(archive) = &mut self.archives[index] {
            let name = archive.name.clone();
            self.keepers.insert(index, Keeper::new(index, index));
            if self.retention_of(&name).protect
                && let Some(archive) = &mut self.archives[index]
            {
                archive.hold_everything();
            }
        }
        context.wake(Ready::Keeper(index));
    }

    /// Begins to find out what a policy would free. The client is answered when it is known.
    pub fn ask_keeper(&mut self, archive: usize, question: Question, context: &mut Context) {
        let id = self.next_keeper;
        self.next_keeper += 1;
        if let Some(known) = self.keepers.get(&archive) {
            let keeper = Keeper::asked(id, question, known);
            self.keepers.insert(id, keeper);
            context.wake(Ready::Keeper(id));
        }
    }

    /// Whether a client waits for an answer already.
    pub fn has_asked(&self, client: ClientId) -> bool {
        let mut questions = self.keepers.values().filter_map(|keeper| keeper.question.as_ref());
        questions.any(|question| question.client == Some(client))
    }

    /// A client has left.
    pub fn drop_questions(&mut self, client: ClientId) {
        let questions = self.keepers.values_mut().filter_map(|keeper| keeper.question.as_mut());
        for question in questions.filter(|question| question.client == Some(client)) {
            question.client = None;
        }
    }

    pub(super) fn decide_keeper(&mut self, id: usize, context: &mut Context) {
        let Some(mut keeper) = self.keepers.remove(&id) else {
            return;
        };
        let index = keeper.archive;
        let Some(mut archive) = self.archives[index].take() else {
            return;
        };
        let policy = match &keeper.question {
            Some(question) => question.policy.clone(),
            None => self.retention_of(&archive.name),
        };
        let guards = self
            .jobs
            .iter_mut()
            .flatten()
            .filter(|job| job.archive == index && job.is_guard());
        let mut guards: Vec<&mut Job> = guards.collect();
        let is_known = keeper.poll(&mut archive, &mut guards, &policy, context);
        let gives = archive.gives();
        self.archives[index] = Some(archive);
        match keeper.question.clone() {
            None => {
                self.keepers.insert(id, keeper);
            }
            Some(question) if is_known || (!gives && keeper.is_quiet()) => {
                context.ask_at(Ready::Keeper(id), None);
                self.answer_question(&question, &keeper, context);
            }
            Some(_) => {
                self.keepers.insert(id, keeper);
            }
        }
    }

    /// The keeper of an archive.
    pub fn keeper(&self, archive: usize) -> Option<&Keeper> {
        self.keepers.get(&archive)
    }

    /// A job came or went, or needs more than it did: a ring that protects holds still until that has been looked at.
    pub fn guards_changed(&mut self, archive: usize, context: &mut Context) {
        if let Some(archive) = self.archives.get_mut(archive).and_then(|archive| archive.as_mut())
            && archive.is_protecting()
        {
            archive.hold_everything();
        }
        context.wake(Ready::Keeper(archive));
    }

    /// The policy of an archive is another.
    pub fn retention_changed(&mut self, name: &crate::Name, context: &mut Context) {
        let Some(index) = self.archive_place(name) else { return };
        if let Some(keeper) = self.keepers.get_mut(&index) {
            keeper.policy_changed();
        }
        if self.retention_of(name).protect
            && let Some(archive) = &mut self.archives[index]
        {
            archive.hold_everything();
        }
        context.wake(Ready::Keeper(index));
    }
}
