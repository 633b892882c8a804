//! Reading archives for damage in the background: over and over, at a set rate, with a pause between; and the newest blocks once, where
//! an archive was not closed in order.
//!
//! How far it has come is in every checkpoint of the archive, and now and then in a record of its own; after a restart it goes on
//! there. Recording goes first: a block is read only from memory that recording does not need, and after what is being written.
//!
//! Invariant: at most one block at a time of each archive.

use super::*;
use crate::archive::walk::Reader;
use crate::control::verify::{One, Verify};
use crate::format::ScrubState;
use crate::limits::{LOOK_OVER_AFTER, LOOK_OVER_RATE, SCRUB_KEPT_EVERY, SCRUB_YIELD, SCRUB_YIELDS_MAX};
use crate::settings::ScrubSetting;
use core::time::Duration;

/// The reading of one archive.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Scrub {
    verify: Option<alloc::boxed::Box<Verify>>,
    next_at: Instant,
    kept_at: Instant,
    yields: u32,
    /// What is read now are the newest blocks of an archive that was not closed in order.
    looks_over: bool,
}

/// How the newest blocks are read.
const LOOK_OVER: ScrubSetting = ScrubSetting {
    rate_bytes: LOOK_OVER_RATE,
    pause_ms: 0,
};

impl Parts {
    /// A block or checkpoint for the reading of an archive has been read.
    pub(super) fn on_scrub_read(&mut self, index: usize, sequence: u64, result: Result<(), IoError>, context: &mut Context) {
        let verify = self.scrubs.get_mut(&index).and_then(|scrub| scrub.verify.as_mut());
        if let (Some(verify), Some(archive)) = (verify, &self.archives[index]) {
            verify.walk.on_read(sequence, result, archive, context);
        }
        context.wake(Ready::Scrub(index));
    }

    /// Reads the next block of an archive, if it is time.
    pub(super) fn decide_scrub(&mut self, index: usize, context: &mut Context) {
        let Some(archive) = self.archives[index].as_mut() else {
            return;
        };
        let named = self.settings.archives.iter().find(|setting| setting.name == archive.name);
        let look_over = archive.look_over.map(|_| LOOK_OVER);
        let setting = look_over.or(named.and_then(|setting| setting.scrub));
        let scrub = self.scrubs.entry(index).or_default();
        let Some(setting) = setting.filter(|_| self.stopping.is_none() && archive.gives()) else {
            return scrub.rest(context);
        };
        if scrub.verify.is_none() && !scrub.begin(index, archive, setting, context) {
            return;
        }
        if scrub.next_at > context.now.at {
            return context.ask_at(Ready::Scrub(index), Some(scrub.next_at));
        }
        if !archive.log.is_idle() && scrub.yields < SCRUB_YIELDS_MAX {
            scrub.yields += 1;
            return context.ask_at(Ready::Scrub(index), Some(context.now.at + SCRUB_YIELD));
        }
        let Some(verify) = &mut scrub.verify else { return };
        match verify.one(archive, context) {
            One::Wait => return,
            One::Block => {
                let bytes = u64::from(archive.superblock.block_bytes);
                scrub.next_at = context.now.at + Duration::from_nanos(bytes * 1_000_000_000 / setting.rate_bytes.max(1));
                scrub.yields = 0;
                if scrub.looks_over {
                    return context.ask_at(Ready::Scrub(index), Some(scrub.next_at));
                }
                let state = &mut archive.catalog.scrub;
                state.position = verify.position();
                state.damaged = scrub_damage(state.damaged, verify);
            }
            One::End if scrub.looks_over => {
                archive.looked_over(verify.verified.total, verify.verified.damaged_count, context);
                *scrub = Scrub::default();
                return context.wake(Ready::Scrub(index));
            }
            One::End => {
                let damaged = archive.catalog.scrub.damaged;
                scrub.verify = None;
                let began = archive.catalog.scrub.began_utc_ns;
                let end = archive.log.durable;
                archive.verify_ended(began, end, end.saturating_sub(archive.oldest()), damaged, context);
                scrub.kept_at = context.now.at;
                scrub.next_at = context.now.at + Duration::from_millis(setting.pause_ms);
            }
        }
        if context.now.at.since(scrub.kept_at) >= SCRUB_KEPT_EVERY {
            scrub.kept_at = context.now.at;
            archive.keep_scrub(context);
        }
        context.ask_at(Ready::Scrub(index), Some(scrub.next_at));
    }
}

/// Damaged blocks of the pass: what earlier readings counted, and those of this one.
fn scrub_damage(counted: u64, verify: &mut Verify) -> u64 {
    counted + core::mem::take(&mut verify.verified.damaged_count)
}

impl Scrub {
    /// Lets go of what was being read, once it is there.
    fn rest(&mut self, context: &mut Context) {
        if let Some(verify) = self.verify.take() {
            if verify.walk.is_quiet() {
                verify.walk.finish(context);
            } else {
                self.verify = Some(verify);
            }
        }
    }

    /// Begins a pass, or goes on with the one that is on. False if it is not time.
    fn begin(&mut self, index: usize, archive: &mut Archive, setting: ScrubSetting, context: &mut Context) -> bool {
        if let Some(from) = archive.look_over {
            self.looks_over = true;
            self.next_at = context.now.at + LOOK_OVER_AFTER;
            self.read(index, archive, from, context);
            return true;
        }
        let state = &mut archive.catalog.scrub;
        if state.began_utc_ns == 0 {
            let pause_ns = i64::try_from(setting.pause_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
            let due = state.ended_utc_ns.saturating_add(pause_ns);
            if state.ended_utc_ns != 0 && context.now.utc_ns < due {
                let left = Duration::from_nanos(due.saturating_sub(context.now.utc_ns).unsigned_abs());
                // The wall clock may be set meanwhile: it is looked at again from time to time.
                let at = context.now.at + left.min(SCRUB_KEPT_EVERY);
                context.ask_at(Ready::Scrub(index), Some(at));
                return false;
            }
            *state = ScrubState {
                position: 0,
                began_utc_ns: context.now.utc_ns.max(1),
                damaged: 0,
                ..*state
            };
        }
        let from = state.position;
        self.kept_at = context.now.at;
        self.read(index, archive, from, context);
        true
    }

    fn read(&mut self, index: usize, archive: &Archive, from: u64, context: &Context) {
        self.verify = Some(alloc::boxed::Box::new(Verify::start(
            Reader::Scrub(index),
            archive,
            from,
            1,
            context.now.at,
        )));
    }
}
