//! Giving what was accepted its log sequence, header and place; a checkpoint that is due goes first.
//!
//! Invariant: what follows a checkpoint lies within the headers that recovery looks at.

use super::*;

impl Archive {
    /// Gives the next thing its place in the log. False if there is nothing, or it has to wait.
    pub(super) fn number_next(&mut self, context: &mut Context) -> bool {
        let segment = u64::from(self.superblock.segment_blocks);
        let log = &self.log;
        let checkpoint = if self.superblock.checkpoint_sequence == NO_CHECKPOINT {
            0
        } else {
            self.superblock.checkpoint_sequence
        };
        let window = segment + u64::from(limits::checkpoint_slack(segment as u32));
        if log.pending.len() as u32 >= limits::writes_max(segment as u32) || log.next >= self.end() {
            return false;
        }
        let regular = log.next.is_multiple_of(segment) && log.next > log.checkpoint_begun;
        if log.building.is_none() && (regular || (log.checkpoint_wanted && !log.inbox.is_empty())) {
            self.begin_checkpoint();
        }
        if self.log.building.is_some() {
            return self.number_checkpoint_part(context);
        }
        // What follows must lie within the headers that recovery looks at; the checkpoint that moves them on may always be written.
        if self.log.next >= checkpoint + window {
            return false;
        }
        match self.log.inbox.front() {
            None => false,
            Some(Item::Block(_)) => {
                let Some(Item::Block(block)) = self.log.inbox.pop_front() else {
                    return false;
                };
                self.log.inbox_blocks -= 1;
                self.number_block(block, context);
                true
            }
            Some(Item::Records(_)) => {
                let Some(span) = self.system_span(context) else { return false };
                let Some(Item::Records(records)) = self.log.inbox.pop_front() else {
                    return false;
                };
                self.log.inbox_blocks -= 1;
                self.log.inbox_records -= records.len();
                let payload = context
                    .memory
                    .bytes_mut(span.part(SECTOR_BYTES, span.length_bytes - SECTOR_BYTES));
                let length = encode_records(records.iter().map(|(record, _)| record), payload);
                for (record, _) in &records {
                    self.catalog.log_record(record, self.log.next);
                }
                self.number_system(BlockKind::System, span, length, Content::Records(records), context);
                true
            }
        }
    }

    /// Memory for a system block: from the pool, or the span that is kept back.
    pub(super) fn system_span(&mut self, context: &mut Context) -> Option<Span> {
        context.take(self.superblock.block_bytes).or_else(|| self.log.system.take())
    }

    pub(super) fn begin_checkpoint(&mut self) {
        let segment = u64::from(self.superblock.segment_blocks);
        let sequence = self.log.next;
        let from = (sequence - 1) / segment * segment;
        self.catalog.forget_fills(self.oldest());
        self.catalog.tagged.forget_below(self.oldest());
        let checkpoint = self.catalog.to_checkpoint(from);
        let content = checkpoint.content();
        let parts = Checkpoint::parts(content.len(), self.payload_capacity_bytes());
        self.log.checkpoint_begun = sequence;
        self.log.checkpoint_wanted = false;
        self.log.building = Some(Building {
            sequence,
            checkpoint,
            content,
            part: 0,
            parts,
        });
    }

    pub(super) fn number_checkpoint_part(&mut self, context: &mut Context) -> bool {
        let Some(span) = self.system_span(context) else { return false };
        let Some(mut building) = self.log.building.take() else {
            return false;
        };
        let payload = context
            .memory
            .bytes_mut(span.part(SECTOR_BYTES, span.length_bytes - SECTOR_BYTES));
        assert!(payload.len() > PART_HEAD_BYTES);
        let length = building
            .checkpoint
            .encode_part(building.sequence, building.part, &building.content, payload);
        building.part += 1;
        let last = building.part == building.parts;
        let content = Content::CheckpointPart {
            last_of: last.then_some(building.sequence),
        };
        if !last {
            self.log.building = Some(building);
        }
        self.number_system(BlockKind::Checkpoint, span, length, content, context);
        true
    }

    pub(super) fn number_system(&mut self, kind: BlockKind, span: Span, length: u32, content: Content, context: &mut Context) {
        let block = context.memory.bytes_mut(span);
        let (sector, payload) = block.split_at_mut(SECTOR_BYTES as usize);
        payload[length as usize..].fill(0);
        let payload = &payload[..length as usize];
        header::encode_no_origin(sector, Digest(*blake3::hash(payload).as_bytes()));
        let checksum = crc32c(payload);
        self.catalog.log_other(self.log.next);
        self.place((kind, false), span, (length, checksum), Lease::default(), content, context);
    }

    pub(super) fn number_block(&mut self, block: Accepted, context: &mut Context) {
        let length = block.origin.payload_bytes;
        let checksum = crc32c(context.memory.bytes(span_of_payload(block.span, length)));
        if block.fill {
            self.catalog.log_fill(self.log.next, block.track, &block.origin, &block.hash);
        } else {
            self.catalog.log_block(self.log.next, block.track, &block.origin, &block.hash);
        }
        let content = Content::Block {
            track: block.track,
            track_sequence: block.origin.track_sequence,
            fill: block.fill,
            payload_bytes: length,
            hash: block.hash,
            owner: block.owner,
        };
        let kind = (BlockKind::Data, block.fill);
        self.place(kind, block.span, (length, checksum), block.lease, content, context);
    }

    /// Builds the placement part and queues the block for its slot.
    pub(super) fn place(
        &mut self,
        (kind, fill): (BlockKind, bool),
        span: Span,
        payload: (u32, u32),
        lease: Lease,
        content: Content,
        context: &mut Context,
    ) {
        let log_sequence = self.log.next;
        let placement = Placement {
            kind,
            archive: self.uuid,
            log_sequence,
            slot: log_sequence % self.superblock.slots,
            epoch: self.superblock.epoch,
            epoch_start: self.superblock.epoch_start,
            durable_sequence: self.log.durable,
            previous_header: self.log.last_header,
            lease,
            fill,
            payload_bytes: payload.0,
            payload_crc: payload.1,
        };
        let sector = context.memory.bytes_mut(span.part(0, SECTOR_BYTES));
        header::encode_placement(sector, &placement);
        self.log.last_header = hash_of(sector);
        self.log.next += 1;
        self.log.pending.push_back(Pending {
            span,
            content,
            progress: Progress::Numbered,
        });
    }
}
