//! Where a check looks, and what it writes there. Pure.
//!
//! Invariant: of the places that are written, two are the same one on a card that begins again after any whole number of
//! [`unit_bytes`] that is less than its size.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use hal::Uuid;

/// Bytes read at a place: a few pages of flash, and little enough that a slow place stands out.
pub const WINDOW_BYTES: u32 = 256 << 10;
/// Bytes written at a place.
pub const PAGE_BYTES: u32 = hal::PAGE_BYTES;
/// Places that are read, and places that are written, at most.
pub const PLACES_MAX: u64 = 1024;
/// The smallest thing that is checked.
pub const SIZE_MIN: u64 = 1 << 20;
/// Whole numbers of this are what sizes of flash come in.
const UNIT_BYTES: u64 = 1 << 20;
/// In front of a pattern.
const MAGIC: &[u8; 16] = b"blockhaul check\n";
/// Magic, nonce and place.
const HEAD_BYTES: usize = 40;

/// Places that are read, in order: the beginning, the end, every power of two, and others between them.
pub fn to_read(size_bytes: u64) -> Vec<u64> {
    let page = u64::from(PAGE_BYTES);
    let last = size_bytes / page * page - u64::from(WINDOW_BYTES);
    let step = (last / (PLACES_MAX - 64)).max(u64::from(WINDOW_BYTES)).next_multiple_of(page);
    let even = (0..PLACES_MAX - 64).map(|number| number * step);
    let powers = powers(size_bytes);
    let all: BTreeSet<u64> = even.chain(powers).filter(|at| *at < last).chain([last]).collect();
    all.into_iter().collect()
}

/// Every power of two at which a card may begin again.
fn powers(size_bytes: u64) -> impl Iterator<Item = u64> {
    let from = WINDOW_BYTES.ilog2();
    (from..64).map(|power| 1u64 << power).take_while(move |at| *at < size_bytes)
}

/// Whether the beginning lies here too if the card begins again after a power of two.
pub fn is_power(at_bytes: u64) -> bool {
    at_bytes.is_power_of_two()
}

/// Between the closest places that are written.
pub fn unit_bytes(size_bytes: u64) -> u64 {
    let mut unit = UNIT_BYTES;
    while 2 * steps(size_bytes, unit) + 4 > PLACES_MAX {
        unit *= 2;
    }
    unit
}

/// How many small steps make a large one: the fewest places are needed if there are as many of these as of those.
fn steps(size_bytes: u64, unit: u64) -> u64 {
    let units = size_bytes.div_ceil(unit);
    let root = units.isqrt();
    if root * root < units { root + 1 } else { root }
}

/// Places that are written, in order: some one unit apart at the beginning, and others as far apart as those reach. What begins
/// again after R brings the next of the latter behind R to one of the former. Not the first sectors, which say what the card is.
pub fn to_write(size_bytes: u64) -> Vec<u64> {
    let (unit, page) = (unit_bytes(size_bytes), u64::from(PAGE_BYTES));
    let steps = steps(size_bytes, unit);
    let first = unit / 2;
    let last = size_bytes / page * page - page;
    let small = (0..steps).map(|step| first + step * unit);
    let large = (1..=steps).map(|step| first + step * steps * unit);
    let end = first + last.saturating_sub(first) / unit * unit;
    let all: BTreeSet<u64> = small
        .chain(large)
        .chain([end])
        .filter(|at| *at < last)
        .chain([last])
        .collect();
    all.into_iter().collect()
}

/// The pattern of one run for one place: magic, nonce, place, and bytes that only these bring about.
pub fn pattern(nonce: Uuid, at_bytes: u64, into: &mut [u8]) {
    let (head, rest) = into.split_at_mut(HEAD_BYTES);
    head[..16].copy_from_slice(MAGIC);
    head[16..32].copy_from_slice(&nonce.0);
    head[32..].copy_from_slice(&at_bytes.to_le_bytes());
    blake3::Hasher::new().update(head).finalize_xof().fill(rest);
}

/// For which place a page was written in this run; none if it is not one of its patterns, or not whole.
pub fn place_of(nonce: Uuid, page: &[u8]) -> Option<u64> {
    let head = page.get(..HEAD_BYTES)?;
    let place = u64::from_le_bytes(head[32..].try_into().ok()?);
    if head[..16] != *MAGIC || head[16..32] != nonce.0 {
        return None;
    }
    let mut expected = alloc::vec![0; page.len()];
    pattern(nonce, place, &mut expected);
    (expected == page).then_some(place)
}

/// Whether there is nothing: one byte again and again.
pub fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| Some(byte) == bytes.first())
}

/// The largest number that goes into both.
pub fn common(one: u64, other: u64) -> u64 {
    if other == 0 { one } else { common(other, one % other) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn reads_are_few_in_order_and_within() {
        for size in [MIB, 5 * MIB + 512, 48 * MIB, 31_914_983_424, 1 << 40] {
            let places = to_read(size);
            assert!(places.len() as u64 <= PLACES_MAX, "{size}: {}", places.len());
            assert!(places.windows(2).all(|two| two[0] < two[1]), "{size}");
            assert!(
                places.iter().all(|at| at % 4096 == 0 && at + u64::from(WINDOW_BYTES) <= size),
                "{size}"
            );
            assert_eq!(places[0], 0);
        }
        let places = to_read(32 << 30);
        assert!((20..35).all(|power| places.contains(&(1 << power))));
    }

    #[test]
    fn whatever_is_missing_two_of_the_written_places_are_one() {
        for size in [2 * MIB, 9 * MIB, 48 * MIB + 4096, 1000 * MIB, 3_991_498_752] {
            let places = to_write(size);
            assert!(places.len() as u64 <= PLACES_MAX, "{size}: {}", places.len());
            assert!(places.windows(2).all(|two| two[0] < two[1]), "{size}");
            assert!(
                places.iter().all(|at| at % 4096 == 0 && at + 4096 <= size && *at > 0),
                "{size}"
            );
            let unit = unit_bytes(size);
            let end = unit / 2 + (size / 4096 * 4096 - 4096 - unit / 2) / unit * unit;
            for real in (1..).map(|units| units * unit).take_while(|real| *real <= end - unit / 2) {
                let mut seen = BTreeSet::new();
                assert!(
                    !places.iter().all(|at| seen.insert(at % real)),
                    "{size} that begins again after {real}"
                );
            }
        }
        assert_eq!(unit_bytes(64 << 30), MIB);
        assert!(to_write(1 << 42).len() as u64 <= PLACES_MAX);
    }

    #[test]
    fn a_pattern_names_its_place_and_its_run() {
        let (run, other) = (Uuid([1; 16]), Uuid([2; 16]));
        let mut page = alloc::vec![0; 4096];
        pattern(run, 77, &mut page);
        assert_eq!((place_of(run, &page), place_of(other, &page)), (Some(77), None));
        page[4000] ^= 1;
        assert_eq!(place_of(run, &page), None);
        assert!(is_blank(&[0xff; 9]) && !is_blank(&[0, 1]));
        assert_eq!(common(24 * MIB, 16 * MIB), 8 * MIB);
    }
}
