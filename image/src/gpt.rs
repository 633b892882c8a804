//! The partition table of a disk image (GPT, as the UEFI specification has it): a protective MBR, the table at both ends.
//!
//! Identities are made from the disk's and the partition's names, so that the same content gives the same bytes.

use crc::{CRC_32_ISO_HDLC, Crc};

/// Sectors are of this size.
pub const SECTOR_BYTES: u64 = 512;
const ENTRIES: usize = 128;
const ENTRY_BYTES: usize = 128;
/// Table and header, at each end.
const TABLE_SECTORS: u64 = 33;

/// The partition that firmware looks for.
pub const TYPE_ESP: [u8; 16] = [
    0x28, 0x73, 0x2A, 0xC1, 0x1F, 0xF8, 0xD2, 0x11, 0xBA, 0x4B, 0x00, 0xA0, 0xC9, 0x3E, 0xC9, 0x3B,
];
/// Anything that Linux keeps.
pub const TYPE_LINUX: [u8; 16] = [
    0xAF, 0x3D, 0xC6, 0x0F, 0x83, 0x84, 0x72, 0x47, 0x8E, 0x79, 0x3D, 0x69, 0xD8, 0x47, 0x7D, 0xE4,
];

/// One partition.
#[derive(Debug, Clone)]
pub struct Partition {
    /// Its name, at most 36 letters of ASCII.
    pub name: &'static str,
    /// What it is.
    pub kind: [u8; 16],
    /// Where it begins.
    pub at_bytes: u64,
    /// How long it is.
    pub bytes: u64,
}

/// What lies at the beginning of a disk of `disk_bytes`, and what lies at its end.
pub fn tables(disk: &str, disk_bytes: u64, partitions: &[Partition]) -> (Vec<u8>, Vec<u8>) {
    let sectors = disk_bytes / SECTOR_BYTES;
    let mut entries = vec![0; ENTRIES * ENTRY_BYTES];
    for (entry, partition) in entries.chunks_mut(ENTRY_BYTES).zip(partitions) {
        entry[..16].copy_from_slice(&partition.kind);
        entry[16..32].copy_from_slice(&identity(disk, partition.name));
        let first = partition.at_bytes / SECTOR_BYTES;
        let last = first + partition.bytes / SECTOR_BYTES - 1;
        entry[32..40].copy_from_slice(&first.to_le_bytes());
        entry[40..48].copy_from_slice(&last.to_le_bytes());
        for (place, letter) in entry[56..].chunks_mut(2).zip(partition.name.encode_utf16()) {
            place.copy_from_slice(&letter.to_le_bytes());
        }
    }
    let header = |own: u64, other: u64, table: u64| header(disk, sectors, [own, other, table], &entries);
    let mut begin = protective_mbr(sectors);
    begin.extend(header(1, sectors - 1, 2));
    begin.extend_from_slice(&entries);
    let mut end = entries.clone();
    end.extend(header(sectors - 1, 1, sectors - TABLE_SECTORS));
    (begin, end)
}

/// `places`: of this header, of the other one, of the table that belongs to it.
fn header(disk: &str, sectors: u64, places: [u64; 3], entries: &[u8]) -> Vec<u8> {
    let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
    let mut header = b"EFI PART".to_vec();
    header.extend_from_slice(&0x0001_0000_u32.to_le_bytes());
    header.extend_from_slice(&92_u32.to_le_bytes());
    header.extend_from_slice(&[0; 8]); // its checksum, below, and nothing
    let [own, other, table] = places;
    for place in [own, other, TABLE_SECTORS + 1, sectors - TABLE_SECTORS - 1] {
        header.extend_from_slice(&place.to_le_bytes());
    }
    header.extend_from_slice(&identity(disk, ""));
    header.extend_from_slice(&table.to_le_bytes());
    header.extend_from_slice(&(ENTRIES as u32).to_le_bytes());
    header.extend_from_slice(&(ENTRY_BYTES as u32).to_le_bytes());
    header.extend_from_slice(&crc.checksum(entries).to_le_bytes());
    let own_sum = crc.checksum(&header);
    header[16..20].copy_from_slice(&own_sum.to_le_bytes());
    header.resize(SECTOR_BYTES as usize, 0);
    header
}

/// One partition over everything, so that tools from before GPT leave the disk alone.
fn protective_mbr(sectors: u64) -> Vec<u8> {
    let mut mbr = vec![0; SECTOR_BYTES as usize];
    mbr[446..454].copy_from_slice(&[0, 0, 2, 0, 0xEE, 0xFF, 0xFF, 0xFF]);
    mbr[454..458].copy_from_slice(&1_u32.to_le_bytes());
    mbr[458..462].copy_from_slice(&u32::try_from(sectors - 1).unwrap_or(u32::MAX).to_le_bytes());
    mbr[510..].copy_from_slice(&[0x55, 0xAA]);
    mbr
}

/// A version 8 UUID, as GPT stores it.
pub fn identity(disk: &str, name: &str) -> [u8; 16] {
    let hash = blake3::hash(format!("blockhaul disk {disk} {name}").as_bytes());
    let mut identity = [0; 16];
    identity.copy_from_slice(&hash.as_bytes()[..16]);
    // Version and variant; the first three fields are little endian here.
    identity[7] = identity[7] & 0x0F | 0x80;
    identity[8] = identity[8] & 0x3F | 0x80;
    identity
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_name_each_other_and_their_sums_are_right() {
        let mib = 1024 * 1024;
        let partition = Partition {
            name: "state",
            kind: TYPE_LINUX,
            at_bytes: mib,
            bytes: 2 * mib,
        };
        let (begin, end) = tables("d", 16 * mib, &[partition]);
        assert_eq!((begin.len() as u64, end.len() as u64), (34 * 512, 33 * 512));
        let crc = Crc::<u32>::new(&CRC_32_ISO_HDLC);
        let (first, last) = (&begin[512..1024], &end[32 * 512..]);
        for header in [first, last] {
            let mut plain = header[..92].to_vec();
            plain[16..20].fill(0);
            assert_eq!(crc.checksum(&plain).to_le_bytes(), header[16..20]);
        }
        assert_eq!(first[24..32], last[32..40], "own place");
        assert_eq!(first[32..40], last[24..32]);
        assert_eq!(begin[1024 + 32..1024 + 40], 2048_u64.to_le_bytes());
        assert_eq!(begin[1024 + 40..1024 + 48], 6143_u64.to_le_bytes());
        assert_eq!(&begin[1024 + 56..1024 + 60], b"s\0t\0");
        assert_ne!(identity("d", "a"), identity("d", "b"));
    }
}
