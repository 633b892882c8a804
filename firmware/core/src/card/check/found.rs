//! What a check has found, and what that means. Pure.

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use hal::{IoError, VolumeFacts};

use super::places::{PAGE_BYTES, WINDOW_BYTES, common, is_blank, is_power};
use crate::control::types::{CardChecked, CheckPhase, CheckPlace, CheckTimes, CheckVerdict, PlaceFound};

/// A card must have answered by then. Source: SD Physical Layer Specification, timeouts of SDXC writes.
const SLOW_AFTER: Duration = Duration::from_millis(500);
/// Places of one kind that are named.
const NAMED_MAX: usize = 64;

/// What was at a place that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Seen {
    /// Not looked at yet.
    Unknown,
    /// What it held could not be read: it is left alone.
    Unsaved,
    /// What was written there.
    Kept,
    /// What it held before.
    Old,
    /// What was written to another place.
    Of(u64),
    /// Something else.
    Other,
    /// It could not be read.
    Unreadable,
}

/// How long operations took.
#[derive(Clone, Debug, Default, Hash)]
struct Times {
    us: Vec<u32>,
    failed: u64,
    slow: u64,
}

impl Times {
    fn note(&mut self, took: Duration, well: bool) {
        self.us.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.failed += u64::from(!well);
        self.slow += u64::from(took > SLOW_AFTER);
    }

    fn told(&self, place_bytes: u32) -> CheckTimes {
        let mut us = self.us.clone();
        us.sort_unstable();
        let part = |hundredths: usize| us.get((us.len() * hundredths).div_ceil(100).saturating_sub(1)).copied();
        let part = |hundredths: usize| u64::from(part(hundredths).unwrap_or(0));
        CheckTimes {
            places: us.len() as u64,
            place_bytes: u64::from(place_bytes),
            failed: self.failed,
            p50_us: part(50),
            p95_us: part(95),
            p99_us: part(99),
            longest_us: part(100),
            slow: self.slow,
        }
    }
}

/// Everything found so far.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Found {
    pub(super) size_bytes: u64,
    serial: String,
    reads: Times,
    writes: Option<Times>,
    /// Of each place that was read, in order: whether that went well.
    readable: Vec<(u64, bool)>,
    blank: u64,
    /// Hash of what the card begins with; none if that is blank or cannot be read.
    first: Option<[u8; 32]>,
    /// Powers of two at which it begins again.
    repeats: Vec<u64>,
    /// Of each place that is written.
    pub(super) seen: Vec<Seen>,
    /// Of each: it holds what it held before.
    pub(super) as_it_was: Vec<bool>,
    written_at: Vec<u64>,
    refused: BTreeMap<usize, IoError>,
    flush_failed: Option<IoError>,
    not_put_back: u64,
    named: BTreeMap<PlaceFound, Vec<CheckPlace>>,
}

impl Found {
    pub(super) fn new(facts: &VolumeFacts, written: usize) -> Found {
        Found {
            size_bytes: facts.size_bytes,
            serial: facts.serial.clone(),
            writes: (written > 0).then(Times::default),
            seen: alloc::vec![Seen::Unknown; written],
            as_it_was: alloc::vec![false; written],
            written_at: alloc::vec![0; written],
            ..Found::default()
        }
    }

    fn name(&mut self, at_bytes: u64, found: PlaceFound, detail: String) {
        let named = self.named.entry(found).or_default();
        if named.len() < NAMED_MAX {
            named.push(CheckPlace { at_bytes, found, detail });
        }
    }

    fn name_slow(&mut self, at_bytes: u64, verb: &str, took: Duration) {
        if took > SLOW_AFTER {
            self.name(at_bytes, PlaceFound::Slow, format!("{verb} in {} ms", took.as_millis()));
        }
    }

    pub(super) fn on_read(&mut self, at_bytes: u64, took: Duration, result: Result<(), IoError>, bytes: &[u8]) {
        self.reads.note(took, result.is_ok());
        self.readable.push((at_bytes, result.is_ok()));
        self.name_slow(at_bytes, "read", took);
        if let Err(error) = result {
            self.name(at_bytes, PlaceFound::Unreadable, error.to_string());
            return;
        }
        if is_blank(bytes) {
            self.blank += 1;
            return;
        }
        let hash = Some(*blake3::hash(bytes).as_bytes());
        if at_bytes == 0 {
            self.first = hash;
        } else if is_power(at_bytes) && hash == self.first {
            self.repeats.push(at_bytes);
            self.name(at_bytes, PlaceFound::Repeats, String::new());
        }
    }

    pub(super) fn on_saved(&mut self, place: usize, at_bytes: u64, result: Result<(), IoError>) {
        self.written_at[place] = at_bytes;
        if let Err(error) = result {
            self.seen[place] = Seen::Unsaved;
            self.name(at_bytes, PlaceFound::Unreadable, error.to_string());
        }
    }

    pub(super) fn on_written(&mut self, place: usize, at_bytes: u64, took: Duration, result: Result<(), IoError>) {
        if let Some(writes) = &mut self.writes {
            writes.note(took, result.is_ok());
        }
        self.name_slow(at_bytes, "written", took);
        if let Err(error) = result {
            self.refused.insert(place, error);
            self.name(at_bytes, PlaceFound::Unwritable, error.to_string());
        }
    }

    /// A flush has ended: the one behind the patterns, or the one behind what was put back.
    pub(super) fn on_flushed(&mut self, result: Result<(), IoError>, of_patterns: bool) {
        if of_patterns {
            self.flush_failed = result.err();
        }
    }

    pub(super) fn on_read_back(&mut self, place: usize, at_bytes: u64, seen: Seen) {
        self.seen[place] = seen;
        self.as_it_was[place] = seen == Seen::Old;
        match seen {
            Seen::Unknown | Seen::Unsaved | Seen::Kept => {}
            Seen::Old if self.refused.contains_key(&place) => {}
            Seen::Old => self.name(at_bytes, PlaceFound::NotWritten, String::new()),
            Seen::Of(other) => self.name(at_bytes, PlaceFound::Wraps, format!("what was written to {other}")),
            Seen::Other => self.name(at_bytes, PlaceFound::Altered, String::new()),
            Seen::Unreadable => self.name(at_bytes, PlaceFound::Unreadable, "after it was written".to_string()),
        }
    }

    /// Names the places, of those that were written, that do not hold what they held before.
    pub(super) fn name_left(&mut self, places: &[u64], touched: usize) {
        for (place, at_bytes) in places.iter().enumerate().take(touched) {
            if !self.as_it_was[place] && self.seen[place] != Seen::Unsaved {
                self.not_put_back += 1;
                self.name(*at_bytes, PlaceFound::NotPutBack, String::new());
            }
        }
    }

    /// What there is to tell at any time.
    pub(super) fn told(&self) -> CardChecked {
        CardChecked {
            phase: CheckPhase::Ended,
            verdict: None,
            sentence: String::new(),
            next: String::new(),
            size_bytes: self.size_bytes,
            real_bytes: None,
            serial: self.serial.clone(),
            done: 0,
            total: 0,
            taken_ms: 0,
            left_ms: 0,
            blank: self.blank,
            reads: self.reads.told(WINDOW_BYTES),
            writes: self.writes.as_ref().map(|writes| writes.told(PAGE_BYTES)),
            places: self.named.values().flatten().cloned().collect(),
        }
    }

    /// Says what it means. `cut` is why the check did not come to its end.
    pub(super) fn judge(&self, cut: Option<CheckVerdict>, checked: &mut CardChecked) {
        let (verdict, sentence, real_bytes) = self.verdict(cut);
        checked.verdict = Some(verdict);
        checked.sentence = sentence;
        checked.real_bytes = real_bytes;
        checked.next = next(verdict).to_string();
        if verdict == CheckVerdict::Gone && self.not_put_back > 0 {
            checked.sentence += &format!(
                " Up to {} pages of 4 KiB hold patterns of the test instead of what was there.",
                self.not_put_back
            );
            checked.next = "What was on it may be damaged: check or make its file system anew.".to_string();
        } else if self.not_put_back > 0 {
            checked.sentence += &format!(" At {} places what was there could not be put back.", self.not_put_back);
        }
    }

    fn verdict(&self, cut: Option<CheckVerdict>) -> (CheckVerdict, String, Option<u64>) {
        match cut {
            Some(CheckVerdict::Gone) => return (CheckVerdict::Gone, "It went away while it was checked.".to_string(), None),
            Some(other) => return (other, "The check was stopped before its end.".to_string(), None),
            None => {}
        }
        let size = self.size_bytes;
        if let Some(judged) = self.by_writing() {
            return judged;
        }
        if let Some(real) = self.repeats.first().copied() {
            let sentence = format!(
                "Counterfeit: it says that it has {}, and begins again after {}.",
                human(size),
                human(real)
            );
            return (CheckVerdict::Counterfeit, sentence, Some(real));
        }
        if self.reads.failed > 0 {
            return self.unreadable();
        }
        let slow = self.reads.slow + self.writes.as_ref().map_or(0, |writes| writes.slow);
        if slow > 0 {
            let sentence = format!("Slow: {slow} operations took longer than {} ms.", SLOW_AFTER.as_millis());
            return (CheckVerdict::Slow, sentence, None);
        }
        let sentence = match (&self.writes, self.first) {
            (Some(_), _) => "Good: what was written is kept at every place, and everything is as it was before.",
            (None, Some(_)) => {
                "Nothing was found by reading. Whether writes are kept everywhere only a check by writing can tell."
            }
            (None, None) => {
                "Nothing was found by reading; it begins with nothing, so that a beginning that comes again could not be seen."
            }
        };
        (CheckVerdict::Good, sentence.to_string(), None)
    }

    /// Reads failed: here and there, or from some place on.
    fn unreadable(&self) -> (CheckVerdict, String, Option<u64>) {
        let good_until = self.readable.iter().rposition(|(_, well)| *well).map_or(0, |last| last + 1);
        let behind = self.readable.len() - good_until;
        let before = self.readable[..good_until].iter().all(|(_, well)| *well);
        if good_until > 0 && before && behind > 1 {
            let real = self.readable[good_until].0;
            let sentence = format!(
                "Counterfeit, or broken: it says that it has {}, and nothing can be read from {} on.",
                human(self.size_bytes),
                human(real)
            );
            return (CheckVerdict::Counterfeit, sentence, Some(real));
        }
        let sentence = format!("{} of {} places cannot be read.", self.reads.failed, self.readable.len());
        (CheckVerdict::Unreadable, sentence, None)
    }

    /// What the places that were written say, if that is not good.
    fn by_writing(&self) -> Option<(CheckVerdict, String, Option<u64>)> {
        let tested: Vec<(u64, Seen)> = (self.written_at.iter().copied().zip(self.seen.iter().copied()))
            .filter(|(_, seen)| !matches!(seen, Seen::Unknown | Seen::Unsaved))
            .collect();
        if tested.is_empty() {
            return None;
        }
        let size = self.size_bytes;
        let apart = tested.iter().filter_map(|(at, seen)| match seen {
            Seen::Of(other) => Some(at.abs_diff(*other)),
            _ => None,
        });
        let wraps = apart.fold(0, common);
        if wraps > 0 {
            let sentence = format!(
                "Counterfeit: it says that it has {}, and begins again after {}: what is written behind that destroys what lies before it.",
                human(size),
                human(wraps)
            );
            return Some((CheckVerdict::Counterfeit, sentence, Some(wraps)));
        }
        let kept = tested.iter().filter(|(_, seen)| *seen == Seen::Kept).count();
        if kept == tested.len() && self.flush_failed.is_none() && self.refused.is_empty() {
            return None;
        }
        let first_lost = tested.iter().position(|(_, seen)| *seen != Seen::Kept);
        if let Some(end) = first_lost
            && end > 0
            && kept == end
            && tested.len() - end > 1
        {
            let real = tested[end].0;
            let sentence = format!(
                "Counterfeit: it says that it has {}, and nothing that is written is kept from {} on.",
                human(size),
                human(real)
            );
            return Some((CheckVerdict::Counterfeit, sentence, Some(real)));
        }
        let lost = tested.len() - kept;
        if kept == 0 && tested.iter().all(|(_, seen)| *seen == Seen::Old) {
            let sentence = match self.refused.values().next() {
                Some(error) => format!("Read-only: it refuses every write ({error})."),
                None => "Read-only: it acknowledges every write and keeps none. A worn-out card does this.".to_string(),
            };
            return Some((CheckVerdict::ReadOnly, sentence, None));
        }
        let sentence = match self.flush_failed {
            Some(error) if lost == 0 => format!("It cannot say that what was written is durable ({error})."),
            _ => format!("Writes are not kept at {lost} of {} places.", tested.len()),
        };
        Some((CheckVerdict::NotKept, sentence, None))
    }
}

fn next(verdict: CheckVerdict) -> &'static str {
    match verdict {
        CheckVerdict::Good => "",
        CheckVerdict::Slow => {
            "A recorder on it may drop what comes while it waits: use a card made for cameras (high endurance)."
        }
        CheckVerdict::Unreadable => "Take what is on it, and do not record on it again.",
        CheckVerdict::NotKept | CheckVerdict::ReadOnly => "Take what is on it, and throw it away.",
        CheckVerdict::Counterfeit => "Take what is on it, and throw it away: what a camera wrote behind its real end is lost.",
        CheckVerdict::Gone => "Put it in again and check it anew.",
        CheckVerdict::Stopped => "Begin anew when there is time.",
    }
}

/// A size as people say it, exact where that is short.
fn human(bytes: u64) -> String {
    for (unit, name) in [(30, "GiB"), (20, "MiB"), (10, "KiB")] {
        let whole = bytes >> unit;
        if whole > 0 && bytes == whole << unit {
            return format!("{whole} {name}");
        }
        if whole > 0 {
            let tenths = (u128::from(bytes) * 10) >> unit;
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_by_hundredths() {
        let mut times = Times::default();
        for ms in 1..=200u64 {
            times.note(Duration::from_millis(ms * 3), ms % 50 != 0);
        }
        let told = times.told(4096);
        assert_eq!((told.places, told.failed, told.slow), (200, 4, 34));
        assert_eq!(
            (told.p50_us, told.p95_us, told.p99_us, told.longest_us),
            (300_000, 570_000, 594_000, 600_000)
        );
        assert_eq!(Times::default().told(4096).longest_us, 0);
    }

    #[test]
    fn sizes_in_words() {
        assert_eq!(human(32 << 30), "32 GiB");
        assert_eq!(human(31_914_983_424), "29.7 GiB");
        assert_eq!(human((7 << 20) + 4096), "7.0 MiB");
        assert_eq!(human(512), "512 bytes");
    }
}
