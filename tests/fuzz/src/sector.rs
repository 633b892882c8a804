//! Inputs of one sector: a byte of flags, then the sector as far as it is not zero.
//!
//! The flags say what is done to the sector before it is decoded, so that what lies behind a checksum is reached as well.

use blockhaul_core::format::SECTOR_BYTES;
use crc::{CRC_32_ISCSI, Crc, Table};

/// Bytes of a sector.
pub const SECTOR: usize = SECTOR_BYTES as usize;

/// Flag: the checksums are made right. Else the sector is decoded as it is.
pub const MENDED: u8 = 1;

/// Where header and superblock have their CRC.
const CRC_AT: usize = 12;

static CRC_32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);

/// CRC-32C by a program that is not the product's.
pub fn crc32c(bytes: &[u8]) -> u32 {
    CRC_32C.checksum(bytes)
}

/// Flags and sector of an input.
pub fn parse(input: &[u8]) -> Option<(u8, Box<[u8; SECTOR]>)> {
    let (&flags, bytes) = input.split_first()?;
    let mut sector = Box::new([0; SECTOR]);
    let length = bytes.len().min(SECTOR);
    sector[..length].copy_from_slice(&bytes[..length]);
    Some((flags, sector))
}

/// An input of these flags and this sector.
pub fn input(flags: u8, sector: &[u8]) -> Vec<u8> {
    let length = sector.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    [&[flags], &sector[..length]].concat()
}

/// The CRC that the sector should have.
pub fn right_crc(sector: &[u8; SECTOR]) -> u32 {
    let mut plain = *sector;
    plain[CRC_AT..CRC_AT + 4].fill(0);
    crc32c(&plain)
}

/// The CRC that the sector has.
pub fn found_crc(sector: &[u8; SECTOR]) -> u32 {
    let at = |place: usize| sector[CRC_AT + place];
    u32::from_le_bytes([at(0), at(1), at(2), at(3)])
}

/// Makes the CRC right.
pub fn mend_crc(sector: &mut [u8; SECTOR]) {
    let crc = right_crc(sector);
    sector[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

/// Where two byte strings differ first, and how, for an assertion that says more than two long lists.
pub fn differ(one: &[u8], other: &[u8]) -> Option<String> {
    // As a whole first: a loop over bytes is counted byte by byte when fuzzing.
    if one == other {
        return None;
    }
    if one.len() != other.len() {
        return Some(format!("{} bytes and {} bytes", one.len(), other.len()));
    }
    let at = one.iter().zip(other).position(|(a, b)| a != b)?;
    Some(format!("byte {at} is {:#04x} and {:#04x}", one[at], other[at]))
}
