//! The key of a state: equal for states that go on in the same way, whatever way led to them.
//!
//! Left out: what was said to people, numbers of tags, client calls that were answered. Times count relative to now: the clocks
//! start at a number that nothing else comes near, and the hasher knows times by it. 64 bits: among ten million states, two that
//! differ have the same key with a chance of 3 in a million; such a state would be passed over.

use std::hash::{Hash, Hasher};

use super::links::End;
use super::site::{Flight, Site, Work};
use super::world::{BEGIN_NS, World};

/// Half the width of the band of numbers that are times: two virtual weeks.
const BAND_NS: u64 = 1 << 50;

/// Odd, with as many ones as zeros (the fractional digits of pi): what a word is multiplied by.
const FOLD: u64 = 0x243f_6a88_85a3_08d3;

/// A hasher to which times are relative. Both halves of a product of 128 bits are kept, word for word: a state is some
/// thousand words, and half of the time goes into its key.
struct Relative {
    sum: u64,
    now_ns: u64,
}

impl Relative {
    fn fold(&mut self, word: u64) {
        let product = u128::from(self.sum.rotate_left(23) ^ word ^ FOLD) * u128::from(self.sum ^ FOLD | 1);
        self.sum = (product as u64) ^ (product >> 64) as u64 ^ word.rotate_left(32);
    }
}

impl Hasher for Relative {
    fn finish(&self) -> u64 {
        let mut last = Relative { ..*self };
        last.fold(FOLD);
        last.sum
    }

    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        words.iter().for_each(|word| self.fold(u64::from_le_bytes(*word)));
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.fold(u64::from_le_bytes(last) ^ (rest.len() as u64) << 56);
    }

    fn write_u8(&mut self, value: u8) {
        self.fold(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.fold(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        let is_time = value.abs_diff(BEGIN_NS) < BAND_NS;
        self.fold(if is_time { value.wrapping_sub(self.now_ns) } else { value });
    }

    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }
}

impl World {
    /// The key.
    pub fn key(&self) -> u64 {
        self.key_without(None)
    }

    /// The key of what is left when a site loses its power: all but what runs there.
    pub fn key_without(&self, dead: Option<usize>) -> u64 {
        let mut state = Relative {
            sum: FOLD,
            now_ns: self.now_ns,
        };
        (self.faults_left, self.crashes_left, self.restarts_left, dead).hash(&mut state);
        self.kept.sum().hash(&mut state);
        for (at, site) in self.sites.iter().enumerate() {
            hash_site(site, dead != Some(at), &mut state);
        }
        for link in &self.links {
            link.since_ns.hash(&mut state);
            for end in &link.ends {
                hash_end(end, &mut state);
            }
        }
        self.opened.hash(&mut state);
        state.finish()
    }
}

fn hash_site(site: &Site, with_brain: bool, state: &mut Relative) {
    site.disk.key(state);
    (&site.settings, &site.scripts, site.starts).hash(state);
    if with_brain {
        site.brain.hash(state);
        (site.memory.sum(), &site.doors, site.accepted).hash(state);
        for flight in &site.flights {
            hash_flight(flight, site, state);
        }
    }
}

fn hash_flight(flight: &Flight, site: &Site, state: &mut Relative) {
    (&flight.purpose, flight.since_ns).hash(state);
    match &flight.work {
        Work::Read { at, into } => (0u8, at, into).hash(state),
        Work::Write(write) => (1u8, write).hash(state),
        Work::Flush { below } => (2u8, site.disk.covered(*below)).hash(state),
        Work::Open => 3u8.hash(state),
        Work::Nothing => 4u8.hash(state),
        Work::Save(document) => (5u8, document).hash(state),
        Work::Door(feed) => (6u8, feed).hash(state),
    }
}

fn hash_end(end: &End, state: &mut Relative) {
    (end.site, end.link, end.up, end.over, &end.lent, end.closing).hash(state);
    for sending in &end.sending {
        sending.since_ns.hash(state);
    }
    (&end.coming, end.breaks.map(|(since_ns, why)| (since_ns, why as u8))).hash(state);
}
