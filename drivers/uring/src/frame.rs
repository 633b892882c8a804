//! The header of a frame on a link. Not TLS around it and not the meaning of the message within.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 4 | magic `BBHL` (`0x4c484242`) |
//! | 4 | 1 | version, 1 |
//! | 5 | 1 | zero |
//! | 6 | 2 | length of the message, 1..=512 |
//! | 8 | 4 | length of the body, 0..=16 MiB |
//! | 12 | 4 | CRC-32C of bytes 0..12 |
//!
//! All numbers are little endian. The message follows the header, the body follows the message.
//!
//! Once, before anything else, the accepting side sends a *welcome*: a header with both lengths 0. In TLS 1.3 the dialling side
//! finishes its handshake before its own certificate has been looked at; the welcome tells it that its key was accepted.
//!
//! Invariant: a [`Header`] is within bounds; nothing is read by the lengths of one that is not.

use crc::{CRC_32_ISCSI, Crc, Table};
use hal::MESSAGE_BYTES_MAX;

use crate::limits::BODY_BYTES_MAX;

/// Length of a header.
pub const HEADER_BYTES: usize = 16;

const MAGIC: [u8; 4] = *b"BBHL";
const VERSION: u8 = 1;
const CRC_32C: Crc<u32, Table<1>> = Crc::<u32, Table<1>>::new(&CRC_32_ISCSI);

/// The lengths of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Length of the message; 0 only in a welcome.
    pub message_bytes: u16,
    /// Length of the body.
    pub body_bytes: u32,
}

/// Bytes that are no header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHeader;

impl Header {
    /// What the accepting side sends first.
    pub const WELCOME: Header = Header {
        message_bytes: 0,
        body_bytes: 0,
    };

    /// The header as sent.
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4] = VERSION;
        bytes[6..8].copy_from_slice(&self.message_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.body_bytes.to_le_bytes());
        let sum = CRC_32C.checksum(&bytes[..12]);
        bytes[12..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The header of a frame with a message, if it is one.
    pub fn of_frame(bytes: &[u8; HEADER_BYTES]) -> Result<Header, NoHeader> {
        let header = Header::of_bytes(bytes)?;
        if header.message_bytes == 0 {
            Err(NoHeader)
        } else {
            Ok(header)
        }
    }

    /// The header of a frame or a welcome, if it is one.
    pub fn of_bytes(bytes: &[u8; HEADER_BYTES]) -> Result<Header, NoHeader> {
        let [m0, m1, m2, m3, version, zero, a0, a1, b0, b1, b2, b3, c0, c1, c2, c3] = *bytes;
        let header = Header {
            message_bytes: u16::from_le_bytes([a0, a1]),
            body_bytes: u32::from_le_bytes([b0, b1, b2, b3]),
        };
        let sum = u32::from_le_bytes([c0, c1, c2, c3]);
        let known = [m0, m1, m2, m3] == MAGIC && version == VERSION && zero == 0;
        let bounded = usize::from(header.message_bytes) <= MESSAGE_BYTES_MAX && header.body_bytes <= BODY_BYTES_MAX;
        if known && bounded && sum == CRC_32C.checksum(&bytes[..12]) {
            Ok(header)
        } else {
            Err(NoHeader)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let bytes = Header {
            message_bytes: 512,
            body_bytes: 0x0010_0000,
        }
        .to_bytes();
        assert_eq!(&bytes[..12], b"BBHL\x01\x00\x00\x02\x00\x00\x10\x00");
        assert_eq!(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]), 0x4c48_4242);
        // CRC-32C of "123456789" is the catalogue's check value.
        assert_eq!(CRC_32C.checksum(b"123456789"), 0xe306_9283);
        assert_eq!(
            Header::of_frame(&bytes),
            Ok(Header {
                message_bytes: 512,
                body_bytes: 0x0010_0000
            })
        );
    }

    #[test]
    fn every_single_bit_matters() {
        let bytes = Header {
            message_bytes: 7,
            body_bytes: 4096,
        }
        .to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes;
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::of_bytes(&bent), Err(NoHeader), "bit {bit}");
        }
    }

    #[test]
    fn bounds() {
        let out_of_bounds = [
            (0, 0),
            (513, 0),
            (u16::MAX, 0),
            (1, BODY_BYTES_MAX + 1),
            (1, 1 << 31),
            (1, u32::MAX),
        ];
        for (message_bytes, body_bytes) in out_of_bounds {
            let bytes = Header {
                message_bytes,
                body_bytes,
            }
            .to_bytes();
            assert_eq!(Header::of_frame(&bytes), Err(NoHeader), "{message_bytes} {body_bytes}");
        }
        let largest = Header {
            message_bytes: 512,
            body_bytes: BODY_BYTES_MAX,
        };
        assert_eq!(Header::of_frame(&largest.to_bytes()), Ok(largest));
        assert_eq!(Header::of_bytes(&Header::WELCOME.to_bytes()), Ok(Header::WELCOME));
    }
}
