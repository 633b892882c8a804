//! Marks that come in: collected point by point, kept when they are whole.
//!
//! Invariants: a mark is kept with all its points or not at all; points of cameras that the grant does not name are left out; no
//! more memory than a point for each track.

use alloc::collections::BTreeMap;

use super::*;
use crate::archive::marks::{Mark, Point};
use crate::format::notes::MarkHead;
use crate::haul::wire::MarkAnswer;
use crate::limits::{MARKS_MAX, points_max};

/// A mark whose points are coming.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Collected {
    head: MarkHead,
    left: u32,
    points: BTreeMap<TrackId, Point>,
}

impl Incoming {
    fn answer_mark(&mut self, mark: hal::Uuid, answer: MarkAnswer, context: &mut Context) {
        self.send(&Message::Marked { mark, answer }, context);
    }

    /// `Mark`: known, wanted, or no room for it.
    pub fn on_mark(&mut self, head: MarkHead, archive: &mut Archive, context: &mut Context) {
        if self.grant.is_none() || self.collected.is_some() {
            return self.malformed(context);
        }
        let marks = &archive.catalog.marks;
        let room = points_max(archive.superblock.block_bytes, archive.superblock.segment_blocks);
        if marks.find(&head.mark).is_some() {
            return self.answer_mark(head.mark, MarkAnswer::Kept, context);
        }
        let fits = marks.len() < MARKS_MAX && marks.points() + head.points as usize <= room && head.points > 0;
        if !fits || marks.named(&head.name).is_some() || !archive.takes() {
            return self.answer_mark(head.mark, MarkAnswer::NotKept, context);
        }
        self.answer_mark(head.mark, MarkAnswer::Send, context);
        self.collected = Some(Collected {
            left: head.points,
            head,
            points: BTreeMap::new(),
        });
    }

    /// `Point`: the last one makes the mark whole.
    pub fn on_point(&mut self, mark: hal::Uuid, key: &TrackKey, point: Point, archive: &mut Archive, context: &mut Context) {
        let expected = self.collected.as_mut().filter(|collected| collected.head.mark == mark);
        let (Some(collected), Some(grant)) = (expected, &self.grant) else {
            return self.malformed(context);
        };
        if point.next > COUNT_MAX {
            return self.malformed(context);
        }
        collected.left -= 1;
        let in_scope = grant.reach.has(&key.camera);
        if let Some(track) = archive.catalog.find(key).filter(|_| in_scope) {
            collected.points.insert(track, point);
        }
        if collected.left > 0 {
            return;
        }
        let Some(mut collected) = self.collected.take() else { return };
        collected.head.points = collected.points.len() as u32;
        let mark = Mark {
            head: collected.head,
            points: collected.points,
            logged_at: 0,
        };
        let kept = if mark.points.is_empty() {
            Err(NotAccepted::TooMany)
        } else {
            archive.append_records(mark.to_records(&archive.catalog), Owner::Link(self.link), context)
        };
        if kept.is_err() {
            self.answer_mark(mark.head.mark, MarkAnswer::NotKept, context);
        }
    }

    /// The last record of a mark is durable, or never will be.
    pub(super) fn on_noted(&mut self, record: &Record, durable: bool, context: &mut Context) {
        if let Record::Point { mark, .. } = record {
            let answer = if durable { MarkAnswer::Kept } else { MarkAnswer::NotKept };
            self.answer_mark(*mark, answer, context);
        }
    }
}
