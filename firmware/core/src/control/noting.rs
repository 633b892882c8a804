//! Calls that put notes into an archive's log, tags and marks: accepted now, answered when they are durable.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::vec::Vec;
use core::ops::Range;
use hal::ClientId;

use super::types::{MarkInfo, MarkShown, Nothing, Refusal, RefusalCode, TagChange, TagChanged};
use super::{refuse, reply};
use crate::Name;
use crate::appliance::Parts;
use crate::archive::creation::refusal;
use crate::archive::marks::{Mark, Point};
use crate::archive::{Archive, NotAccepted, Owner, TrackId};
use crate::context::Context;
use crate::format::Record;
use crate::format::notes::MarkHead;
use crate::limits::{MARKS_MAX, TAG_NAMES_MAX, points_max, tags_max};
use crate::seeded::{Bug, has};

/// What is answered when a note is durable.
#[derive(Clone, Debug, Hash)]
pub(super) enum Noting {
    /// What a tag was put on.
    Tag(TagChanged),
    /// The mark of that name.
    Mark(Name),
    /// Nothing more.
    Nothing,
}

/// Why an archive does not take a note.
pub(super) fn not_noted(archive: &Archive, error: NotAccepted) -> Refusal {
    let name = &archive.name;
    let (why, next) = match error {
        NotAccepted::Full => ("has no free slot", "Create another archive, or haul into one with more room."),
        NotAccepted::Closed => ("takes nothing now", "See why: blockhaul archive list."),
        NotAccepted::TooMany => ("has too much waiting", "Try again."),
    };
    refusal(RefusalCode::Busy, format!("Archive {name} {why}."), next)
}

impl Parts {
    /// Puts a tag on ranges of tracks, or takes it away; answered when it is durable.
    pub(super) fn tag_ranges(
        &mut self,
        client: ClientId,
        place: usize,
        call: &TagChange,
        ranges: BTreeMap<TrackId, Range<u64>>,
        set: bool,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let Some(archive) = self.archives[place].as_mut() else {
            return Ok(());
        };
        let tagged = &archive.catalog.tagged;
        let mut changed = TagChanged::default();
        let mut records = Vec::new();
        for (track, range) in ranges {
            // Of what is durable: a tag lies behind the blocks that it names.
            let state = archive.catalog.track(track);
            let (from, to) = (range.start, range.end.min(state.durable_next));
            if from >= to {
                continue;
            }
            let with = tagged.covered(track, &call.tag, from..to);
            changed.tracks += 1;
            changed.blocks += to - from;
            changed.changed += if set { to - from - with } else { with };
            let (key, name) = (state.tip.key.clone(), call.tag.clone());
            records.push(Record::Tag {
                key,
                from,
                to,
                name,
                set,
            });
        }
        if changed.tracks == 0 {
            let sentence = format!(
                "Archive {} has no blocks of camera {} in that range.",
                call.archive, call.camera
            );
            let next = "See what there is: blockhaul archive info, blockhaul gaps.";
            return Err(refusal(RefusalCode::NotFound, sentence, next));
        }
        if changed.changed == 0 || call.dry_run {
            reply(client, &changed, false, context);
            return Ok(());
        }
        let room = tags_max(archive.superblock.block_bytes, archive.superblock.segment_blocks);
        let names = tagged.names();
        if tagged.len() + records.len() > room || (set && !names.contains(&call.tag) && names.len() >= TAG_NAMES_MAX) {
            let sentence = format!(
                "Archive {} has {} tagged ranges with {} tags; it has room for {room} and {TAG_NAMES_MAX}.",
                call.archive,
                tagged.len(),
                names.len()
            );
            let next = "Unset tags that are not needed, or tag longer ranges.";
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
        archive
            .append_records(records, Owner::Client(client), context)
            .map_err(|error| not_noted(archive, error))?;
        self.control.notings.insert(client, Noting::Tag(changed));
        Ok(())
    }

    /// Makes a mark of everything that is accepted now.
    pub(super) fn make_mark(
        &mut self,
        client: ClientId,
        place: usize,
        name: Name,
        dry_run: bool,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let Some(archive) = self.archives[place].as_mut() else {
            return Ok(());
        };
        let marks = &archive.catalog.marks;
        if marks.named(&name).is_some() {
            let sentence = format!("Archive {} has a mark {name} already.", archive.name);
            return Err(refusal(RefusalCode::Refused, sentence, "Choose another name."));
        }
        let tracks = archive.catalog.tracks().iter().enumerate();
        let points: BTreeMap<TrackId, Point> = tracks
            .filter(|(_, track)| track.tip.next > 0)
            .map(|(id, track)| {
                let point = Point {
                    next: track.tip.next,
                    hash: track.tip.hash,
                };
                (TrackId(id as u32), point)
            })
            .collect();
        if points.is_empty() {
            let sentence = format!("Archive {} has no blocks that a mark could name.", archive.name);
            return Err(refusal(
                RefusalCode::Refused,
                sentence,
                "Record or haul something into it first.",
            ));
        }
        let room = points_max(archive.superblock.block_bytes, archive.superblock.segment_blocks);
        if marks.len() >= MARKS_MAX || marks.points() + points.len() > room {
            let sentence = format!(
                "Archive {} has {} marks with {} points; it has room for {MARKS_MAX} and {room}.",
                archive.name,
                marks.len(),
                marks.points()
            );
            let next = format!("Remove one: blockhaul mark remove NAME --archive {}", archive.name);
            return Err(refusal(RefusalCode::Refused, sentence, next));
        }
        let head = MarkHead {
            mark: context.shared.entropy.uuid(),
            name: name.clone(),
            made_in: archive.uuid,
            utc_ns: context.now.utc_ns,
            points: points.len() as u32,
        };
        let mark = Mark {
            head,
            points,
            logged_at: 0,
        };
        if dry_run {
            let mark = mark_info(&mark, archive);
            reply(client, &MarkShown { mark }, false, context);
            return Ok(());
        }
        let records = mark.to_records(&archive.catalog);
        archive
            .append_records(records, Owner::Client(client), context)
            .map_err(|error| not_noted(archive, error))?;
        if has(Bug::MarkBeforeFlush) {
            let mark = mark_info(&mark, archive);
            reply(client, &MarkShown { mark }, false, context);
            return Ok(());
        }
        self.control.notings.insert(client, Noting::Mark(name));
        Ok(())
    }

    /// Forgets a mark in one archive.
    pub(super) fn remove_mark(
        &mut self,
        client: ClientId,
        place: usize,
        mark: hal::Uuid,
        context: &mut Context,
    ) -> Result<(), Refusal> {
        let Some(archive) = self.archives[place].as_mut() else {
            return Ok(());
        };
        archive
            .append_record(Record::Unmark(mark), Owner::Client(client), context)
            .map_err(|error| not_noted(archive, error))?;
        self.control.notings.insert(client, Noting::Nothing);
        Ok(())
    }

    /// A note is durable, or never will be.
    pub(super) fn answer_noting(&mut self, client: ClientId, archive: &Archive, durable: bool, context: &mut Context) {
        let Some(noting) = self.control.notings.remove(&client) else {
            return;
        };
        if !durable {
            return refuse(client, &not_noted(archive, NotAccepted::Closed), context);
        }
        match noting {
            Noting::Tag(changed) => reply(client, &changed, false, context),
            Noting::Mark(name) => match archive.catalog.marks.named(&name) {
                Some(mark) => {
                    let mark = mark_info(mark, archive);
                    reply(client, &MarkShown { mark }, false, context);
                }
                None => refuse(client, &not_noted(archive, NotAccepted::TooMany), context),
            },
            Noting::Nothing => reply(client, &Nothing {}, false, context),
        }
    }
}

/// A mark, as one archive has it.
pub(super) fn mark_info(mark: &Mark, archive: &Archive) -> MarkInfo {
    let progress = mark.progress(&archive.catalog);
    let missing = archive.catalog.gaps().map(|(track, gap)| {
        let end = mark.points.get(&track).map_or(0, |point| point.next);
        gap.to.min(end).saturating_sub(gap.from)
    });
    MarkInfo {
        name: mark.head.name.clone(),
        mark: mark.head.mark,
        made_in: mark.head.made_in,
        utc_ns: mark.head.utc_ns,
        tracks: mark.points.len() as u64,
        blocks: progress.blocks,
        awaited: progress.awaited,
        missing: missing.sum(),
        diverged: progress.diverged,
    }
}
