//! CRC-32C (Castagnoli, RFC 3720 B.4), the block checksum. Two implementations with the same values.

/// CRC-32C by tables; the oracle, and what a target without an operating system uses.
#[cfg(any(test, not(feature = "fast-checksum")))]
pub fn crc32c_by_table(bytes: &[u8]) -> u32 {
    use crc::{CRC_32_ISCSI, Crc, Table};
    static TABLES: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
    TABLES.checksum(bytes)
}

/// CRC-32C of `bytes`.
#[cfg(feature = "fast-checksum")]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// CRC-32C of `bytes`.
#[cfg(not(feature = "fast-checksum"))]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_by_table(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_value_and_both_the_same() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let bytes: alloc::vec::Vec<u8> = (0..70_000u32).map(|i| (i * 7 + i / 251) as u8).collect();
        for length in [0, 1, 15, 16, 255, 4096, 70_000] {
            assert_eq!(crc32c(&bytes[..length]), crc32c_by_table(&bytes[..length]));
        }
    }
}
