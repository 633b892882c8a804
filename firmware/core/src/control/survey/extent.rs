//! Which track sequences lie in a range of time.

use alloc::collections::BTreeMap;
use core::ops::Range;

use crate::archive::TrackId;
use crate::format::Origin;

/// For each track, from its first to behind its last block in the range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    from_utc_ns: i64,
    to_utc_ns: i64,
    /// What was found.
    pub ranges: BTreeMap<TrackId, Range<u64>>,
}

impl Extent {
    /// Of blocks that end after the one time and begin before the other.
    pub fn new(from_utc_ns: Option<i64>, to_utc_ns: Option<i64>) -> Extent {
        Extent {
            from_utc_ns: from_utc_ns.unwrap_or(i64::MIN),
            to_utc_ns: to_utc_ns.unwrap_or(i64::MAX),
            ranges: BTreeMap::new(),
        }
    }

    pub(super) fn on_block(&mut self, track: TrackId, origin: &Origin) {
        if origin.end_utc_ns > self.from_utc_ns && origin.begin_utc_ns < self.to_utc_ns {
            let here = origin.track_sequence;
            let range = self.ranges.entry(track).or_insert(here..here + 1);
            *range = range.start.min(here)..range.end.max(here + 1);
        }
    }
}
