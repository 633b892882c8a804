//! Partition tables: where on a card or an image of one the file system may be. MBR and GPT.
//!
//! Not here: extended partitions, which cards do not have; the second copy of a GPT. Invariant: a partition lies within the card,
//! behind its table, and is not empty.

use std::ops::Range;

use hal::IoError;

use crate::Bytes;
use crate::bytes::{u32_at, u64_at};

/// Where a GPT may lie, and how large sectors are then: of 512 or of 4096 bytes.
const SECTORS: [u64; 2] = [512, 4096];
/// Entries that are read: as many as every tool makes.
const GPT_ENTRIES_MAX: u64 = 128;
/// Sizes of an entry (UEFI Specification, 5.3.2: 128 times a power of two).
const GPT_ENTRY_BYTES: [u64; 3] = [128, 256, 512];
/// Kinds of an MBR's entries that hold no file system: none, extended ones, and what stands for a GPT.
const NO_FILE_SYSTEM: [u8; 5] = [0, 0x05, 0x0f, 0x85, 0xee];

/// The partitions of a card that begins like this, in the order of its table; none if there is no table.
pub fn partitions(head: &[u8], bytes: &mut dyn Bytes) -> Result<Vec<Range<u64>>, IoError> {
    if head[510..512] != [0x55, 0xaa] {
        return Ok(Vec::new());
    }
    let entries = || head[446..510].chunks_exact(16);
    let size = bytes.size_bytes();
    if entries().any(|entry| entry[4] == 0xee) {
        return gpt(bytes);
    }
    let found = entries().filter(|entry| !NO_FILE_SYSTEM.contains(&entry[4]));
    let ranges = found.filter_map(|entry| range(u64::from(u32_at(entry, 8)), u64::from(u32_at(entry, 12)), 512, size));
    Ok(ranges.collect())
}

fn gpt(bytes: &mut dyn Bytes) -> Result<Vec<Range<u64>>, IoError> {
    let size = bytes.size_bytes();
    for sector in SECTORS {
        let mut header = [0; 96];
        if sector + header.len() as u64 > size {
            continue;
        }
        bytes.read(sector, &mut header)?;
        let (each, count) = (u64::from(u32_at(&header, 84)), u64::from(u32_at(&header, 80)));
        if &header[..8] != b"EFI PART" || !GPT_ENTRY_BYTES.contains(&each) {
            continue;
        }
        let count = count.min(GPT_ENTRIES_MAX);
        let mut table = vec![0; (count * each) as usize];
        let at_bytes = u64_at(&header, 72).checked_mul(sector).ok_or(IoError::Damaged)?;
        bytes.read(at_bytes, &mut table)?;
        let used = table.chunks_exact(each as usize).filter(|entry| entry[..16] != [0; 16]);
        let ranges = used.filter_map(|entry| {
            let (first, last) = (u64_at(entry, 32), u64_at(entry, 40));
            range(first, last.checked_sub(first)?.checked_add(1)?, sector, size)
        });
        return Ok(ranges.collect());
    }
    Ok(Vec::new())
}

/// The bytes of a partition; none if it is empty, or not within the card.
fn range(first: u64, sectors: u64, sector: u64, size: u64) -> Option<Range<u64>> {
    let from = first.checked_mul(sector)?;
    let to = from.checked_add(sectors.checked_mul(sector)?)?;
    (from >= sector && from < to && to <= size).then_some(from..to)
}

/// A part of a card, as if there were nothing else.
pub struct Part {
    /// All of it.
    pub bytes: Box<dyn Bytes>,
    /// Where the part lies.
    pub range: Range<u64>,
}

impl Bytes for Part {
    fn size_bytes(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > self.size_bytes() {
            return Err(IoError::Short);
        }
        self.bytes.read(self.range.start + at_bytes, into)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// A card of 64 KiB with these partitions: kind, first sector, sectors.
    fn mbr(entries: &[(u8, u32, u32)]) -> Vec<u8> {
        let mut card = vec![0; 64 << 10];
        card[510..512].copy_from_slice(&[0x55, 0xaa]);
        for (place, (kind, first, sectors)) in entries.iter().enumerate() {
            let entry = &mut card[446 + place * 16..][..16];
            entry[4] = *kind;
            entry[8..12].copy_from_slice(&first.to_le_bytes());
            entry[12..].copy_from_slice(&sectors.to_le_bytes());
        }
        card
    }

    fn found(card: Vec<u8>) -> Vec<Range<u64>> {
        let mut bytes: Arc<[u8]> = card.into();
        let head = bytes[..512].to_vec();
        partitions(&head, &mut bytes).unwrap()
    }

    #[test]
    fn only_what_lies_within_the_card_is_a_partition() {
        let wild = mbr(&[(0x0c, 8, 16), (0x0c, 0, 8), (7, 100, 29), (0x83, u32::MAX, u32::MAX)]);
        assert_eq!(found(wild).as_slice(), std::slice::from_ref(&(8 * 512..24 * 512)));
        assert_eq!(found(mbr(&[(0x0f, 8, 16), (0, 1, 1)])), []);
        assert_eq!(found(vec![0; 4096]), []);
    }

    #[test]
    fn a_gpt_of_small_and_of_large_sectors() {
        for sector in SECTORS {
            let mut card = mbr(&[(0xee, 1, u32::MAX)]);
            let header = &mut card[sector as usize..];
            header[..8].copy_from_slice(b"EFI PART");
            header[72..80].copy_from_slice(&2u64.to_le_bytes());
            header[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
            header[84..88].copy_from_slice(&128u32.to_le_bytes());
            for (place, (first, last)) in [(10u64, 12u64), (12, 11), (0, 3), (u64::MAX, u64::MAX)].iter().enumerate() {
                let entry = &mut card[2 * sector as usize + place * 128..];
                entry[0] = 1;
                entry[32..40].copy_from_slice(&first.to_le_bytes());
                entry[40..48].copy_from_slice(&last.to_le_bytes());
            }
            assert_eq!(found(card).as_slice(), std::slice::from_ref(&(10 * sector..13 * sector)));
        }
    }
}
