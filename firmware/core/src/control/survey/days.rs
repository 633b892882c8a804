//! How much of each track there is of each day, UTC. Counted from the headers, so nothing has to be kept and nothing can be wrong
//! after a crash.

use alloc::collections::BTreeMap;

use crate::archive::{Archive, TrackId};
use crate::control::types::DayStatistics;
use crate::format::Origin;
use crate::limits::DAY_ROWS_MAX;

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// Counters by day and track.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Days {
    from_utc_ns: i64,
    to_utc_ns: i64,
    rows: BTreeMap<(i64, TrackId), Counters>,
    next: BTreeMap<TrackId, u64>,
    /// Rows that found no place.
    pub left_out: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Counters {
    recorded: (u64, u64),
    hauled: (u64, u64),
    verified: (u64, u64),
    lost: u64,
}

impl Days {
    /// Of blocks that end after the one time and begin before the other.
    pub fn new(from_utc_ns: Option<i64>, to_utc_ns: Option<i64>) -> Days {
        Days {
            from_utc_ns: from_utc_ns.unwrap_or(i64::MIN),
            to_utc_ns: to_utc_ns.unwrap_or(i64::MAX),
            rows: BTreeMap::new(),
            next: BTreeMap::new(),
            left_out: 0,
        }
    }

    pub(super) fn on_block(&mut self, track: TrackId, log_sequence: u64, fill: bool, origin: &Origin, archive: &Archive) {
        let day = origin.begin_utc_ns.div_euclid(DAY_NS);
        // A fill lies behind its place: between two others it is not missing.
        let next = if fill {
            None
        } else {
            self.next.insert(track, origin.track_sequence + 1)
        };
        if origin.end_utc_ns <= self.from_utc_ns || origin.begin_utc_ns >= self.to_utc_ns {
            return;
        }
        if self.rows.len() >= DAY_ROWS_MAX && !self.rows.contains_key(&(day, track)) {
            self.left_out += 1;
            return;
        }
        let row = self.rows.entry((day, track)).or_default();
        let add = |counter: &mut (u64, u64)| {
            counter.0 += 1;
            counter.1 += u64::from(origin.payload_bytes);
        };
        if origin.key.origin == archive.uuid {
            add(&mut row.recorded);
        } else {
            add(&mut row.hauled);
        }
        if archive.was_verified(log_sequence) {
            add(&mut row.verified);
        }
        // What an older part of a ring held has gone in good order; what is missing between two blocks was lost.
        let lost = next.filter(|next| *next < origin.track_sequence).map_or(0, |next| {
            let filled = archive.catalog.filled_within(track, next..origin.track_sequence);
            origin.track_sequence - next - filled
        });
        row.lost = row.lost.saturating_add(lost);
    }

    /// As rows, by day and track.
    pub fn rows<'a>(&'a self, archive: &'a Archive) -> impl Iterator<Item = DayStatistics> + 'a {
        self.rows.iter().map(|((day, track), counters)| {
            let key = &archive.catalog.track(*track).tip.key;
            DayStatistics {
                day_utc_ns: day.saturating_mul(DAY_NS),
                origin: key.origin,
                camera: key.camera.clone(),
                kind: key.kind,
                recorded_blocks: counters.recorded.0,
                recorded_bytes: counters.recorded.1,
                hauled_blocks: counters.hauled.0,
                hauled_bytes: counters.hauled.1,
                verified_blocks: counters.verified.0,
                verified_bytes: counters.verified.1,
                lost_blocks: counters.lost,
            }
        })
    }
}
