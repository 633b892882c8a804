//! What of a card is missing for good: stated in the archive as gaps, with the reason.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::ToString;

use super::super::import::track_key;
use super::super::profile::Wanted;
use super::super::survey;
use super::Card;
use super::files::Due;
use crate::archive::{Archive, Owner, TrackId};
use crate::context::Context;
use crate::control::types::GapReason;
use crate::format::record::GapRange;
use crate::format::{NO_HASH, Record};
use crate::journal::Code;
use crate::recorder::capacity_bytes;

impl Card {
    /// Files that were to be taken and are not there any more: their blocks are missing for good.
    pub(super) fn miss(&mut self, wanted: &[Wanted], archive: &mut Archive, context: &mut Context) {
        let there: BTreeMap<&str, &Wanted> = wanted.iter().map(|one| (one.file.path.as_str(), one)).collect();
        let gone = |due: &&Due| there.get(due.one.file.path.as_str()).is_none_or(|now| !due.is_still(now));
        let vanished: alloc::vec::Vec<Wanted> = self.due.values().filter(gone).map(|due| due.one.clone()).collect();
        for one in vanished {
            // One of which a part is here is counted below.
            let is_begun = self.known.values().any(|known| known.is_partial(&one));
            if !is_begun {
                let what = format!("file {} was overwritten before it was taken", one.file.path);
                self.lose(&one, 0, GapReason::Overwritten, &what, archive, context);
            }
        }
        let begins: BTreeSet<i64> = wanted.iter().map(|one| one.begin_ns).collect();
        let cut: alloc::vec::Vec<(TrackId, survey::Partial)> = self
            .known
            .iter()
            .filter_map(|(track, known)| known.partial.map(|partial| (*track, partial)))
            .filter(|(_, partial)| !begins.contains(&partial.file.begin_ns))
            .collect();
        for (track, partial) in cut {
            let key = archive.catalog.track(track).tip.key.clone();
            let left = partial.file.size_bytes - partial.at_bytes;
            let what = "the rest of the file that was taken last was overwritten first".to_string();
            self.state_gap(track, key, left, GapReason::Overwritten, &what, archive, context);
            if let Some(known) = self.known.get_mut(&track) {
                known.partial = None;
            }
        }
    }

    /// A file is lost from a byte on.
    pub(super) fn lose(
        &mut self,
        one: &Wanted,
        from: u64,
        reason: GapReason,
        what: &str,
        archive: &mut Archive,
        context: &mut Context,
    ) {
        let key = track_key(self.setting.origin, one, self.setting.kind);
        let Some(track) = archive.catalog.place(&key) else { return };
        self.known.entry(track).or_default().partial = None;
        self.state_gap(track, key, one.file.size_bytes - from, reason, what, archive, context);
    }

    #[expect(clippy::too_many_arguments, reason = "what is missing, where, and why")]
    fn state_gap(
        &mut self,
        track: TrackId,
        key: crate::format::TrackKey,
        bytes: u64,
        reason: GapReason,
        what: &str,
        archive: &mut Archive,
        context: &mut Context,
    ) {
        self.lost += 1;
        let from = archive.catalog.track(track).tip.next;
        let blocks = bytes.div_ceil(u64::from(capacity_bytes(archive.superblock.block_bytes)));
        let gap = GapRange {
            from,
            to: from + blocks,
            reason,
        };
        let sentence = format!(
            "Blocks {from} to {} of camera {} of card {} are missing: {what}.",
            gap.to - 1,
            key.camera,
            self.setting.name
        );
        let record = Record::Gap {
            key,
            gap,
            hash_after: NO_HASH,
        };
        if archive.append_record(record, Owner::Card(self.index), context).is_ok() {
            self.under_way += 1;
            self.say(Code::Gap, sentence, context);
        }
    }
}
