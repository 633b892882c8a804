//! What steps ask of the newest blocks of a camera, and the tags that they put on them.
//!
//! Only blocks are known whose index is in memory: a macro is about what has just happened, and reads nothing from the medium.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Range;
use core::time::Duration;

use super::Presence;
use crate::Name;
use crate::archive::{Archive, Owner, TrackId};
use crate::context::Context;
use crate::format::Record;
use crate::limits::{TAG_NAMES_MAX, tags_max};

/// Numbers of the blocks of a camera that began in the time before, by track, in the order of the log.
fn numbers(archive: &Archive, camera: &Name, until_utc_ns: i64, last: Duration) -> BTreeMap<TrackId, Vec<u64>> {
    let last_ns = i64::try_from(last.as_nanos()).unwrap_or(i64::MAX);
    let times = until_utc_ns.saturating_sub(last_ns)..=until_utc_ns;
    let catalog = &archive.catalog;
    let mut found: BTreeMap<TrackId, Vec<u64>> = BTreeMap::new();
    for (_, entry) in catalog.recent_all() {
        if times.contains(&entry.begin_utc_ns)
            && let Some(track) = catalog.track_of(entry)
            && catalog.track(track).tip.key.camera == *camera
        {
            found.entry(track).or_default().push(entry.track_sequence);
        }
    }
    found
}

/// Whether blocks of a camera are there.
pub(super) fn presence(archive: &Archive, camera: &Name, until_utc_ns: i64, last: Duration) -> Presence {
    let found = numbers(archive, camera, until_utc_ns, last);
    let whole = |numbers: &Vec<u64>| numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]);
    match (found.is_empty(), found.values().all(whole)) {
        (true, _) => Presence::Missing,
        (false, true) => Presence::There,
        (false, false) => Presence::Partly,
    }
}

/// The ranges that these blocks span, as far as they are durable.
pub(super) fn newest(archive: &Archive, camera: &Name, until_utc_ns: i64, last: Duration) -> BTreeMap<TrackId, Range<u64>> {
    let found = numbers(archive, camera, until_utc_ns, last).into_iter();
    let spans = found.filter_map(|(track, numbers)| {
        let durable = archive.catalog.track(track).durable_next;
        let (first, last) = (numbers.iter().min()?, numbers.iter().max()?);
        Some((track, *first..(last + 1).min(durable)))
    });
    spans.filter(|(_, range)| !range.is_empty()).collect()
}

/// Puts a tag on ranges of tracks, or takes it away. The error is why not.
pub(super) fn change(
    archive: &mut Archive,
    tag: &Name,
    ranges: &BTreeMap<TrackId, Range<u64>>,
    set: bool,
    context: &mut Context,
) -> Result<(), String> {
    let tagged = &archive.catalog.tagged;
    let concerned = ranges.iter().filter(|(track, range)| {
        let with = tagged.covered(**track, tag, (*range).clone());
        if set { with < range.end - range.start } else { with > 0 }
    });
    let records: Vec<Record> = concerned
        .map(|(track, range)| Record::Tag {
            key: archive.catalog.track(*track).tip.key.clone(),
            from: range.start,
            to: range.end,
            name: tag.clone(),
            set,
        })
        .collect();
    if records.is_empty() {
        return Ok(());
    }
    let room = tags_max(archive.superblock.block_bytes, archive.superblock.segment_blocks);
    let names = tagged.names();
    if tagged.len() + records.len() > room || (set && !names.contains(tag) && names.len() >= TAG_NAMES_MAX) {
        return Err("the archive has no room for more tags".to_string());
    }
    let accepted = archive.append_records(records, Owner::Archive, context);
    accepted.map_err(|_| "the archive takes no tags now".to_string())
}
