//! The files of a card: which are to be taken, which may not be closed yet, which are here.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use hal::{CardListing, ClockQuality, IoError, Moment};

use super::super::import::track_key;
use super::super::profile::{Sidecar, SidecarForm, Wanted};
use super::super::{LOOK_EVERY, NEWEST_TIMES};
use super::{Card, Seen, State};
use crate::archive::Archive;
use crate::context::{Context, Ready};
use crate::journal::Code;

/// A file that is to be taken, now or when it is closed.
#[derive(Clone, Debug, Hash)]
pub(super) struct Due {
    pub(super) one: Wanted,
    /// It may not be closed yet.
    waits: bool,
}

impl Due {
    /// Whether what lies at its path now is the same file: one that was being written may have grown.
    pub(super) fn is_still(&self, now: &Wanted) -> bool {
        let grew = self.waits && now.file.size_bytes >= self.one.file.size_bytes;
        now.begin_ns == self.one.begin_ns || now.file == self.one.file || grew
    }
}

impl Card {
    /// Its files are known.
    pub fn on_listed(&mut self, result: Result<CardListing, IoError>, archive: &mut Archive, context: &mut Context) {
        self.state = State::Taking;
        self.list_at = context.now.at + LOOK_EVERY;
        context.ask_at(Ready::Card(self.index), Some(self.list_at));
        context.wake(Ready::Card(self.index));
        let listing = match result {
            Ok(listing) => listing,
            Err(_) => return self.leave(context),
        };
        if listing.damaged > 0 && !self.told {
            self.told = true;
            let first = listing.damage.first().map(String::as_str).unwrap_or_default();
            let sentence = format!(
                "The file system of card {} is damaged in {} places: {first}. What can be read is taken.",
                self.setting.name, listing.damaged
            );
            self.say(Code::CardDamaged, sentence, context);
        }
        let wanted: alloc::vec::Vec<Wanted> = listing.files.iter().filter_map(|file| self.setting.wants(file)).collect();
        let there: BTreeSet<&str> = listing.files.iter().map(|file| file.path.as_str()).collect();
        self.seen.retain(|path, _| there.contains(path.as_str()));
        match self.setting.sidecars {
            Some(SidecarForm::Axis) => self.begin_sidecars(&listing, wanted),
            None => self.take_up(wanted, archive, context),
        }
    }

    /// All is known of its files that can be.
    pub(super) fn take_up(&mut self, mut wanted: alloc::vec::Vec<Wanted>, archive: &mut Archive, context: &mut Context) {
        self.state = State::Taking;
        self.listed = true;
        wanted.sort();
        self.miss(&wanted, archive, context);
        self.sort_out(wanted, archive, context.now);
        self.tell_lacking(context);
    }

    /// Which of the files are to be taken now, which later.
    fn sort_out(&mut self, wanted: alloc::vec::Vec<Wanted>, archive: &Archive, now: Moment) {
        let mut newest: BTreeMap<&str, i64> = BTreeMap::new();
        for one in &wanted {
            let newest = newest.entry(folder(&one.file.path)).or_insert(one.begin_ns);
            *newest = one.begin_ns.max(*newest);
        }
        let newest: BTreeSet<i64> = newest.into_values().collect();
        self.queue.clear();
        self.due.clear();
        self.waiting = 0;
        for one in wanted {
            let track = archive.catalog.find(&track_key(self.setting.origin, &one, self.setting.kind));
            let known = track.and_then(|track| self.known.get(&track));
            let is_here = known.is_some_and(|known| known.has(&one) && !known.is_partial(&one));
            if is_here || self.bad.contains(&(one.file.path.clone(), one.file.size_bytes)) {
                continue;
            }
            let is_closed = self.is_closed(&one, newest.contains(&one.begin_ns), now);
            let due = Due {
                one: one.clone(),
                waits: !is_closed,
            };
            self.due.insert(one.file.path.clone(), due);
            if is_closed {
                self.queue.push_back(one);
            } else {
                self.waiting += 1;
            }
        }
        // What has begun comes first: its track goes on where it ended.
        let is_begun = |one: &Wanted| self.known.values().any(|known| known.is_partial(one));
        if let Some(at) = self.queue.iter().position(is_begun)
            && let Some(first) = self.queue.remove(at)
        {
            self.queue.push_front(first);
        }
    }

    /// Whether nobody writes into a file any more, as far as that can be seen.
    fn is_closed(&mut self, one: &Wanted, is_newest: bool, now: Moment) -> bool {
        let seen = self.seen.entry(one.file.path.clone()).or_insert_with(|| Seen {
            file: one.file.clone(),
            since: now.at,
        });
        if seen.file != one.file {
            *seen = Seen {
                file: one.file.clone(),
                since: now.at,
            };
        }
        let is_unsure = match one.sidecar {
            Sidecar::Unasked => is_newest,
            Sidecar::Closed => false,
            Sidecar::Open | Sidecar::Lacking => true,
        };
        let settle = self.setting.settle() * if is_unsure { NEWEST_TIMES } else { 1 };
        if now.at.since(seen.since) >= settle {
            return true;
        }
        // Of one that was never closed, the time on the card says only when it was written down last.
        if one.sidecar == Sidecar::Open {
            return false;
        }
        // By the wall clocks of both, if there are any.
        let age_ns = now.utc_ns.saturating_sub(one.end_ns);
        now.quality != ClockQuality::Unset && one.timed && u128::from(age_ns.max(0).unsigned_abs()) >= settle.as_nanos()
    }
}

/// The folder of a path.
fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}
