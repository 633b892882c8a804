//! When a write or a flush fails: written again from memory, or the end of taking blocks (`reliability.md`, F5).
//!
//! Invariant: an owner hears of everything that was accepted, once: durable, or not.

use super::*;

impl Archive {
    /// After an error: once nothing is in flight, everything since the last good flush is written again from memory; after
    /// too many errors the volume is read-only.
    pub(super) fn settle_failure(&mut self, context: &mut Context) {
        if !self.takes() {
            self.drop_finished(context);
            return;
        }
        let Some(error) = self.log.failed else { return };
        if self.log.writing > 0 || self.log.flushing.is_some() {
            return;
        }
        if error == IoError::Gone {
            self.device_gone(context);
            return;
        }
        if self.log.rewrites >= REWRITES_MAX {
            let why = format!("writing failed again after the group was written anew ({error})");
            self.become_read_only(Code::ArchiveReadOnly, why, context);
            self.ask_device(0, context);
            return;
        }
        self.log.rewrites += 1;
        self.log.failed = None;
        self.log.written_since = None;
        for pending in &mut self.log.pending {
            if !has(Bug::FlushRetriedAlone) {
                pending.progress = Progress::Numbered;
            }
        }
        let sentence = format!(
            "A write or flush of archive {} failed ({error}); {} blocks are written again from memory.",
            self.name,
            self.log.pending.len()
        );
        context.say(Code::GroupRewritten, &self.name.clone(), sentence);
    }

    /// Nothing that is accepted or pending will become durable: the owners are told, memory that is not lent comes back.
    pub(in crate::archive) fn fail_all(&mut self, context: &mut Context) {
        self.log.building = None;
        self.log.written_since = None;
        for item in core::mem::take(&mut self.log.inbox) {
            match item {
                Item::Block(block) => {
                    context.give(block.span);
                    let what = SettledWhat::Block {
                        track: block.track,
                        track_sequence: block.origin.track_sequence,
                        fill: block.fill,
                        payload_bytes: block.origin.payload_bytes,
                    };
                    self.settled.push_back(Settled {
                        owner: block.owner,
                        what,
                        durable: false,
                    });
                }
                Item::Records(records) => self.fail_records(&records),
            }
        }
        self.log.inbox_blocks = 0;
        self.log.inbox_records = 0;
        for at in 0..self.log.pending.len() {
            let content = core::mem::replace(&mut self.log.pending[at].content, Content::CheckpointPart { last_of: None });
            match content {
                Content::Block {
                    track,
                    track_sequence,
                    fill,
                    payload_bytes,
                    owner,
                    ..
                } => {
                    let what = SettledWhat::Block {
                        track,
                        track_sequence,
                        fill,
                        payload_bytes,
                    };
                    self.settled.push_back(Settled {
                        owner,
                        what,
                        durable: false,
                    });
                }
                Content::Records(records) => self.fail_records(&records),
                Content::CheckpointPart { .. } => {}
            }
        }
        self.drop_finished(context);
    }

    pub(super) fn fail_records(&mut self, records: &[(Record, Owner)]) {
        for (record, owner) in records {
            let what = SettledWhat::Record(record.clone());
            self.settled.push_back(Settled {
                owner: *owner,
                what,
                durable: false,
            });
        }
    }

    /// Of an archive that takes nothing any more: memory comes back once no write is in flight.
    pub(super) fn drop_finished(&mut self, context: &mut Context) {
        if self.log.writing == 0 {
            while let Some(pending) = self.log.pending.pop_front() {
                self.release(pending.span, context);
            }
            self.log.next = self.log.durable;
        }
    }
}
