//! Calls that read archives, as they go on: headers looked through, archives compared, marks restored.
//!
//! Not here: verify and export (`waiting.rs`), and what each of them does (files of their own).

use alloc::boxed::Box;
use alloc::vec::Vec;
use hal::ClientId;

use super::compare::Compare;
use super::restore::Restore;
use super::survey::{Progress, Quest, Survey};
use super::types::{Exists, Extant, Gaps, Missing, MissingTime, Statistics, TagChange, TagChanged};
use super::{Reading, refuse, reply};
use crate::appliance::Parts;
use crate::archive::Archive;
use crate::context::{Context, Ready};

/// What becomes of what a look through headers found.
#[derive(Clone, Debug, Hash)]
pub enum Ask {
    /// Everything that is missing.
    Gaps,
    /// Whether a time is there.
    Exists,
    /// Counters of days.
    Statistics,
    /// A tag on what was found: set, or unset.
    Tag(Box<TagChange>, bool),
}

impl Parts {
    /// A look through headers goes on. True once it is answered.
    pub(super) fn go_on_surveying(&mut self, client: ClientId, survey: &mut Survey, ask: &Ask, context: &mut Context) -> bool {
        let Some(archive) = self.archives[survey.archive].as_mut() else {
            return true;
        };
        if survey.poll(archive, context) != Progress::Done {
            return false;
        }
        match (&survey.quest, ask) {
            (Quest::Cover(cover), Ask::Gaps) => {
                let mut gaps: Vec<Missing> = cover.missing.iter().map(|(_, missing)| missing.clone()).collect();
                gaps.sort_by_key(|gap| (gap.origin, gap.kind, gap.from, gap.to));
                let left_out = cover.left_out;
                reply(client, &Gaps { gaps, left_out }, false, context);
            }
            (Quest::Cover(cover), _) => {
                let missing: Vec<MissingTime> = cover
                    .holes()
                    .into_iter()
                    .map(|(from_utc_ns, to_utc_ns, what)| MissingTime {
                        from_utc_ns,
                        to_utc_ns,
                        what,
                    })
                    .collect();
                let answer = match (missing.is_empty(), cover.has_any()) {
                    (true, _) => Extant::Yes,
                    (false, true) => Extant::Partly,
                    (false, false) => Extant::No,
                };
                reply(client, &Exists { answer, missing }, false, context);
            }
            (Quest::Days(days), _) => {
                let statistics = Statistics {
                    days: days.rows(archive).collect(),
                    left_out: days.left_out,
                };
                reply(client, &statistics, false, context);
            }
            (Quest::Extent(extent), Ask::Tag(call, set)) => {
                let ranges = extent.ranges.clone();
                let place = survey.archive;
                if let Err(refusal) = self.tag_ranges(client, place, call, ranges, *set, context) {
                    refuse(client, &refusal, context);
                }
            }
            (Quest::Extent(_), _) => reply(client, &TagChanged::default(), false, context),
        }
        true
    }

    /// A comparison goes on. True once it is answered.
    pub(super) fn go_on_comparing(&mut self, client: ClientId, compare: &mut Compare, more: bool, context: &mut Context) -> bool {
        loop {
            let before = compare.archive();
            let Some(archive) = self.archives[before].as_mut() else {
                return true;
            };
            match compare.poll(archive, context) {
                Progress::On => return false,
                Progress::Report => {
                    if more {
                        reply(client, &compare.compared, true, context);
                    }
                    // The other archive is read now.
                    if compare.archive() == before {
                        context.wake(Ready::Reading(client));
                        return false;
                    }
                }
                Progress::Done => {
                    reply(client, &compare.compared, false, context);
                    return true;
                }
            }
        }
    }

    /// A restoration goes on. True once it is answered.
    pub(super) fn go_on_restoring(&mut self, client: ClientId, restore: &mut Restore, more: bool, context: &mut Context) -> bool {
        let Some(mut into) = self.archives[restore.into].take() else {
            return true;
        };
        let done = match self.archives[restore.archive].as_mut() {
            None => true,
            Some(archive) => match restore.poll(archive, &mut into, context) {
                Ok(Progress::On) => false,
                Ok(Progress::Report) => {
                    if more {
                        reply(client, &restore.restored, true, context);
                    }
                    false
                }
                Ok(Progress::Done) => {
                    restore.restored.free_slots = into.free_slots();
                    reply(client, &restore.restored, false, context);
                    true
                }
                Err(refusal) => {
                    refuse(client, &refusal, context);
                    true
                }
            },
        };
        self.archives[restore.into] = Some(into);
        done
    }

    /// A note, or a block of a restoration, has settled.
    pub(crate) fn on_noted(&mut self, client: ClientId, archive: &Archive, durable: bool, context: &mut Context) {
        if let Some(Reading::Restore { restore, .. }) = self.control.readings.get_mut(&client) {
            restore.on_settled(durable);
            context.wake(Ready::Reading(client));
        } else {
            self.answer_noting(client, archive, durable, context);
        }
    }
}
