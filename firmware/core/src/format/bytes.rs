//! Numbers at fixed offsets of a byte slice, little endian. The slices are our own sectors: an offset out of bounds is our own
//! mistake and panics.

use super::{COUNT_MAX, FormatError};

/// `N` bytes at `at`.
pub fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(&bytes[at..at + N]);
    array
}

/// 16-bit number at `at`.
pub fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

/// 32-bit number at `at`.
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// 64-bit number at `at`.
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// Sequence, generation or counter at `at`: one that no archive can reach is refused, so that what is added to it fits.
pub fn count_at(bytes: &[u8], at: usize) -> Result<u64, FormatError> {
    let count = u64_at(bytes, at);
    if count <= COUNT_MAX {
        Ok(count)
    } else {
        Err(FormatError::Field)
    }
}

/// Signed 64-bit number at `at`.
pub fn i64_at(bytes: &[u8], at: usize) -> i64 {
    i64::from_le_bytes(array_at(bytes, at))
}

/// Copies `value` to `at`.
pub fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// Whether all bytes are zero.
pub fn all_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}
