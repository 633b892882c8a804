//! The headers behind the checkpoint: read in batches, looked at in order, until the end of the log is found.
//!
//! Not here: which checkpoint that is, and the new epoch (`opening.rs`).

use super::*;

impl Archive {
    pub(super) fn read_headers(&mut self, from: u64, context: &mut Context) {
        let superblock = &self.superblock;
        let base = if superblock.checkpoint_sequence == NO_CHECKPOINT {
            0
        } else {
            superblock.checkpoint_sequence
        };
        let window = base + u64::from(limits::recovery_window(superblock.segment_blocks));
        let end = match superblock.mode {
            Mode::Append => window.min(superblock.freed_sequence + superblock.slots),
            Mode::Ring => window.min(from + superblock.slots),
        };
        let scan = Box::new(Scan {
            from,
            end,
            read_end: window.min(from + superblock.slots).max(end),
            headers: Vec::with_capacity((end - from) as usize),
            left: 0,
            unreadable: BTreeSet::new(),
            parts: None,
            complete: None,
            damaged: Vec::new(),
            committed: base.max(superblock.epoch_start).max(superblock.durable_sequence),
            at: from,
            again: 0,
            last: None,
            last_epoch: 0,
        });
        self.read_header_batch(scan, context);
    }

    pub(super) fn read_header_batch(&mut self, mut scan: Box<Scan>, context: &mut Context) {
        let first = scan.from + scan.headers.len() as u64;
        let count = (scan.read_end - first).min(u64::from(LOOKAHEAD)) as u32;
        if count == 0 {
            self.look_at_blocks(scan, context);
            return;
        }
        scan.left = count;
        scan.headers.resize(scan.headers.len() + count as usize, None);
        for place in 0..count {
            let into = self.scan_sector(place);
            let tag = context.tag(Purpose::Archive(self.index, Task::Scan(place)));
            let at_bytes = self.slot_offset_bytes(first + u64::from(place));
            context.submit(Op::Read {
                tag,
                volume: self.volume,
                at_bytes,
                into,
            });
        }
        self.phase = Phase::Opening(Opening::Headers(scan));
    }

    pub(super) fn scan_sector(&self, place: u32) -> Span {
        self.log.interlock.sectors().part(place * SECTOR_BYTES, SECTOR_BYTES)
    }

    pub(super) fn on_header(&mut self, mut scan: Box<Scan>, place: u32, result: Result<(), IoError>, context: &mut Context) {
        let sequence = scan.batch_start() + u64::from(place);
        let at = sequence - scan.from;
        if result.is_err() {
            scan.unreadable.insert(sequence);
        }
        let sector = context.memory.bytes(self.scan_sector(place));
        if result.is_ok()
            && let Ok(header) = header::decode(sector)
            && header.placement.archive == self.uuid
            && header.placement.log_sequence == sequence
        {
            if header.placement.epoch.counter > self.superblock.epoch.counter {
                let why = format!("block {sequence} was written in a later epoch than its superblock knows");
                return self.superblock_regressed(why, context);
            }
            if sequence >= scan.end {
                let why = format!("block {sequence} is there, and its superblock does not know that its slot was freed");
                return self.superblock_regressed(why, context);
            }
            let hash = hash_of(sector);
            if self.check_header(sequence, sector).is_ok() {
                scan.committed = scan.committed.max(header.placement.durable_sequence);
            }
            scan.headers[at as usize] = Some((header, hash));
        }
        scan.left -= 1;
        if scan.left == 0 {
            self.read_header_batch(scan, context);
        } else {
            self.phase = Phase::Opening(Opening::Headers(scan));
        }
    }

    fn superblock_regressed(&mut self, why: String, context: &mut Context) {
        const NEXT: &str = "The volume or a part of it was put back to an earlier state. Keep it as it is and ask for help.";
        self.become_offline(VolumeState::Offline, Code::SuperblockRegressed, why, NEXT, context);
    }

    /// Goes on from header to header until one needs its whole block, or the end of the log is found.
    pub(super) fn look_at_blocks(&mut self, mut scan: Box<Scan>, context: &mut Context) {
        while scan.at < scan.end {
            let Some(header) = self.header_in_log(&scan) else {
                if scan.again + 1 < READ_TRIES_MAX {
                    return self.look_again(scan, context);
                }
                let goes_on = has(Bug::TrustsHighestHeader) && scan.has_more();
                if (scan.at >= scan.committed && !goes_on) || has(Bug::StopsAtFirstBadBlock) {
                    break;
                }
                let error = match scan.unreadable.contains(&scan.at) {
                    true => BlockError::Io(IoError::Media),
                    false => BlockError::Format(FormatError::NotOurs),
                };
                self.pass_damaged(&mut scan, error, context);
                continue;
            };
            let needs_payload = scan.at >= scan.committed || header.placement.kind != BlockKind::Data;
            if needs_payload {
                self.read_block(scan.at, context);
                self.phase = Phase::Opening(Opening::Blocks(scan));
                return;
            }
            self.pass_good(&mut scan, None);
        }
        self.found_head(&scan, context);
    }

    /// The header at the present place, if it belongs to the log there.
    pub(super) fn header_in_log(&self, scan: &Scan) -> Option<Header> {
        let (header, _) = scan.headers[(scan.at - scan.from) as usize].as_ref()?;
        let placement = &header.placement;
        let linked = scan
            .last
            .is_none_or(|last| placement.previous_header == last || placement.previous_header == NO_HASH);
        let in_epoch = match self.epoch_of(scan.at) {
            _ if has(Bug::NoEpochRule) => true,
            Some(epoch) => placement.epoch == epoch,
            None => placement.epoch.counter < self.superblock.epoch.counter,
        };
        let sound = placement.slot == scan.at % self.superblock.slots
            && placement.epoch_start <= scan.at
            && placement.payload_bytes <= self.payload_capacity_bytes();
        let rises = placement.epoch.counter >= scan.last_epoch || has(Bug::NoEpochRule);
        (linked && in_epoch && sound && rises).then(|| header.clone())
    }

    /// A read that brought something else must not decide where the log ends, nor what is damaged (D-07).
    fn look_again(&mut self, mut scan: Box<Scan>, context: &mut Context) {
        scan.again += 1;
        self.read_block(scan.at, context);
        self.phase = Phase::Opening(Opening::Blocks(scan));
    }

    /// Takes the header of a block that was read again.
    fn take_header(&self, scan: &mut Scan, context: &Context) {
        let sector = context.memory.bytes(self.log.kept_back().part(0, SECTOR_BYTES));
        if let Ok(header) = self.check_header(scan.at, sector) {
            scan.committed = scan.committed.max(header.placement.durable_sequence);
            scan.headers[(scan.at - scan.from) as usize] = Some((header, hash_of(sector)));
        }
    }

    pub(super) fn on_scan_block(&mut self, mut scan: Box<Scan>, result: Result<(), IoError>, context: &mut Context) {
        if result.is_ok() && scan.again > 0 {
            self.take_header(&mut scan, context);
        }
        if self.header_in_log(&scan).is_none() {
            return self.look_at_blocks(scan, context);
        }
        let checked = result.map_err(BlockError::Io).and_then(|()| {
            let block = context.memory.bytes(self.log.kept_back());
            let header = self.check_block(scan.at, block, true).map_err(BlockError::Format)?;
            match header.placement.kind {
                BlockKind::System => {
                    let payload = &block[SECTOR_BYTES as usize..][..header.placement.payload_bytes as usize];
                    decode_records(payload)
                        .map(|records| (Some(records), None))
                        .map_err(BlockError::Format)
                }
                BlockKind::Checkpoint => {
                    let part = checkpoint_part(self, scan.at, block).map_err(BlockError::Format)?;
                    Ok((None, Some(part.0)))
                }
                BlockKind::Data => Ok((None, None)),
            }
        });
        match checked {
            Ok((records, part)) => {
                if let Some(head) = part {
                    scan.note_part(&head);
                }
                self.pass_good(&mut scan, records);
            }
            Err(_) if scan.again + 1 < READ_TRIES_MAX => return self.look_again(scan, context),
            Err(error) if scan.at < scan.committed && !has(Bug::StopsAtFirstBadBlock) => {
                self.pass_damaged(&mut scan, error, context);
            }
            Err(error) => {
                if matches!(error, BlockError::Io(_)) {
                    let at = scan.at;
                    scan.unreadable.insert(at);
                }
                self.found_head(&scan, context);
                return;
            }
        }
        self.look_at_blocks(scan, context);
    }

    pub(super) fn pass_good(&mut self, scan: &mut Scan, records: Option<Vec<crate::format::Record>>) {
        let Some((header, hash)) = scan.headers[(scan.at - scan.from) as usize].clone() else {
            return;
        };
        match &header.origin {
            Some(origin) => match self.catalog.place(&origin.key) {
                Some(id) if header.placement.fill => self.catalog.log_fill(scan.at, id, origin, &header.origin_hash),
                Some(id) => {
                    let origin_hash = header.origin_hash;
                    self.catalog.accept_block(id, origin, origin_hash);
                    self.catalog.log_block(scan.at, id, origin, &origin_hash);
                }
                None => self.catalog.log_other(scan.at),
            },
            None => self.catalog.log_other(scan.at),
        }
        for record in records.iter().flatten() {
            self.catalog.accept_record(record);
            self.catalog.log_record(record, scan.at);
        }
        scan.last = Some(hash);
        scan.last_epoch = header.placement.epoch.counter;
        scan.at += 1;
        scan.again = 0;
    }

    pub(super) fn pass_damaged(&mut self, scan: &mut Scan, error: BlockError, context: &mut Context) {
        self.quarantine(scan.at, error, context);
        self.catalog.log_damaged(scan.at);
        scan.damaged.push(scan.at);
        scan.last = None;
        scan.at += 1;
        scan.again = 0;
    }

    pub(super) fn found_head(&mut self, scan: &Scan, context: &mut Context) {
        let head = scan.at;
        let beyond = &scan.headers[(head - scan.from) as usize..];
        self.tail_discarded = beyond
            .iter()
            .flatten()
            .filter(|(header, _)| header.placement.epoch == self.superblock.epoch)
            .count() as u64;
        if self.tail_discarded > 0 {
            let sentence = format!(
                "{} blocks at the end of archive {} were never acknowledged and are not part of it.",
                self.tail_discarded, self.name
            );
            context.say(Code::TailDiscarded, &self.name.clone(), sentence);
        }
        self.note_lost_ends(scan);
        if !self.superblock.closed && head > self.oldest() {
            let blocks = LOOK_OVER_BYTES / u64::from(self.superblock.block_bytes);
            self.look_over = Some(head.saturating_sub(blocks).max(self.oldest()));
        }
        self.catalog.all_durable();
        self.catalog.bound(limits::tracks_max(
            self.superblock.block_bytes,
            self.superblock.segment_blocks,
        ));
        // A checkpoint may be whole in the log and the superblock not have heard of it.
        let checkpoint = scan.complete.unwrap_or(self.superblock.checkpoint_sequence);
        self.log.resume(head, scan.last.unwrap_or(NO_HASH), checkpoint);
        let base = if checkpoint == NO_CHECKPOINT { 0 } else { checkpoint };
        if scan.unreadable.contains(&head) {
            let why = format!("block {head}, where its log may end, cannot be read; nothing is written over it");
            self.become_read_only(Code::ArchiveReadOnly, why, context);
            return;
        }
        self.log.checkpoint_wanted =
            (scan.complete.is_none() && scan.from < base) || head > base + u64::from(self.superblock.segment_blocks);
        if self.single_copy {
            let why = "only one of its four superblock copies can be read".to_string();
            self.become_read_only(Code::SuperblockQuorumLost, why, context);
            return;
        }
        if self.is_only_read() {
            self.only_read(context);
        } else {
            self.begin_epoch(head, context);
        }
    }

    /// Damaged blocks behind the last whole block of a track that is recorded here may have been its own: their numbers must not
    /// be given out again.
    pub(super) fn note_lost_ends(&mut self, scan: &Scan) {
        if !scan.damaged.is_empty() {
            self.catalog.begin_new_tracks_at(scan.at);
        }
        let uuid = self.uuid;
        let own = self.catalog.tracks().iter().filter(|track| track.tip.key.origin == uuid);
        let behind = |last: u64| scan.damaged.iter().filter(|at| **at > last).count() as u64;
        let lost = own.map(|track| (track.tip.key.clone(), behind(track.tip.last_log_sequence)));
        self.lost_ends = lost.filter(|(_, count)| *count > 0).collect();
    }
}
