//! Blocks that a job has made durable at its target and that have not got their tags yet.
//!
//! Kept in memory only: what a crash takes gets its tags with the next full run.
//!
//! Invariant: a block is in it only after the target has acknowledged it.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use hal::Instant;

use crate::archive::{Archive, NotAccepted, Owner};
use crate::context::Context;
use crate::control::types::After;
use crate::format::{Record, TrackKey};
use crate::limits::{DONE_RANGES_MAX, TAG_DONE_EVERY, TAG_NAMES_MAX, tags_max};

/// The blocks, by track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Done {
    /// First and first behind, in the order in which they came.
    ranges: BTreeMap<TrackKey, Vec<Range<u64>>>,
    count: usize,
    /// When they are to get their tags.
    due: Option<Instant>,
    /// They could not, and people were told.
    pub said: bool,
}

impl Done {
    /// One more. Too many stretches at once: the rest is left to a full run.
    pub fn add(&mut self, key: &TrackKey, number: u64) {
        if let Some(last) = self.ranges.get_mut(key).and_then(|ranges| ranges.last_mut()) {
            if last.contains(&number) {
                return;
            }
            if last.end == number {
                last.end += 1;
                return;
            }
        }
        if self.count < DONE_RANGES_MAX {
            self.ranges.entry(key.clone()).or_default().push(number..number + 1);
            self.count += 1;
        }
    }

    /// When somebody should look again, as a tag costs a block of the log however few blocks it names.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        if self.count == 0 {
            return None;
        }
        Some(*self.due.get_or_insert(now + TAG_DONE_EVERY))
    }

    /// Puts the tags on them and takes others away. The error is why not: then they stay.
    pub fn tag(&mut self, after: &After, archive: &mut Archive, context: &mut Context) -> Result<(), &'static str> {
        self.due = None;
        if after.tag.is_empty() && after.untag.is_empty() {
            self.ranges.clear();
            self.count = 0;
            return Ok(());
        }
        let tagged = &archive.catalog.tagged;
        let mut records = Vec::new();
        for (key, ranges) in &self.ranges {
            let Some(track) = archive.catalog.find(key) else { continue };
            for range in ranges {
                let all = range.end - range.start;
                let named = |name, set: bool| Record::Tag {
                    key: key.clone(),
                    from: range.start,
                    to: range.end,
                    name,
                    set,
                };
                let missing = after
                    .tag
                    .iter()
                    .filter(|name| tagged.covered(track, name, range.clone()) < all);
                records.extend(missing.map(|name| named(name.clone(), true)));
                let there = after.untag.iter().filter(|name| tagged.touches(track, name, range.clone()));
                records.extend(there.map(|name| named(name.clone(), false)));
            }
        }
        let room = tags_max(archive.superblock.block_bytes, archive.superblock.segment_blocks);
        let names = tagged.names();
        let new = after.tag.iter().filter(|name| !names.contains(name)).count();
        if tagged.len() + records.len() > room || names.len() + new > TAG_NAMES_MAX {
            return Err("it has no room for more tags");
        }
        if !records.is_empty() {
            archive
                .append_records(records, Owner::Archive, context)
                .map_err(|error| match error {
                    NotAccepted::Full => "it has no free slot",
                    NotAccepted::Closed => "it takes nothing now",
                    NotAccepted::TooMany => "it has too much waiting",
                })?;
        }
        self.ranges.clear();
        (self.count, self.said) = (0, false);
        Ok(())
    }
}
