//! The end of the log is known: a new epoch begins there; or none, where the archive is only read.

use super::*;

impl Archive {
    pub(super) fn begin_epoch(&mut self, head: u64, context: &mut Context) {
        let epoch = Epoch {
            counter: self.superblock.epoch.counter + 1,
            nonce: if has(Bug::EpochWithoutNonce) {
                0
            } else {
                context.shared.entropy.number()
            },
        };
        let mut target = self.next_superblock();
        target.epoch = epoch;
        target.epoch_start = head;
        // An epoch in which nothing was appended needs no memory of it.
        target.history.retain(|(_, start)| *start < head);
        target.history.push((epoch, head));
        let surplus = target.history.len().saturating_sub(HISTORY_MAX);
        target.history.drain(..surplus);
        let repair = (self.stale_copies && !has(Bug::NoSuperblockRepair)).then(|| self.superblock.clone());
        self.marked_at = context.now.at;
        self.phase = Phase::Opening(Opening::Epoch);
        self.super_writer = Some(SuperWriter::start(
            self.index,
            self.volume,
            self.sectors,
            repair,
            target,
            context,
        ));
    }

    /// The end of the log is known, and another appliance goes on from there one day: no new epoch begins.
    pub(super) fn only_read(&mut self, context: &mut Context) {
        let why = "its blocks are only read here".to_string();
        self.phase = Phase::ReadOnly { why };
        let sentence = format!(
            "Archive {} is ready to be read: blocks {} to {} on {}. Nothing is written to it.",
            self.name,
            self.oldest(),
            self.log.next,
            self.path
        );
        context.say(Code::ArchiveReady, &self.name.clone(), sentence);
        context.wake(Ready::Scrub(self.index));
        context.wake(Ready::Archive(self.index));
    }

    pub(in crate::archive) fn finish_opening(&mut self, context: &mut Context) {
        self.phase = Phase::Ready;
        let sentence = format!(
            "Archive {} is ready: blocks {} to {} on {}, epoch {}.",
            self.name,
            self.oldest(),
            self.log.next,
            self.path,
            self.superblock.epoch.counter
        );
        context.say(Code::ArchiveReady, &self.name.clone(), sentence);
        context.wake(Ready::Scrub(self.index));
        for (key, count) in core::mem::take(&mut self.lost_ends) {
            let Some(id) = self.catalog.find(&key) else { continue };
            let from = self.catalog.track(id).tip.next;
            let gap = GapRange {
                from,
                to: from + count,
                reason: GapReason::Damaged,
            };
            // Refused only by an archive that takes nothing: then nothing is numbered either.
            let record = Record::Gap {
                key,
                gap,
                hash_after: NO_HASH,
            };
            // A checkpoint that goes before the record must say it already: behind it nobody looks at the damage again.
            self.catalog.log_record(&record, self.log.next);
            let _ = self.append_record(record, Owner::Archive, context);
        }
    }
}
