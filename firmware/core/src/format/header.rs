//! The header sector in front of every payload: a placement part that belongs to this copy, an origin part that never changes.
//!
//! Offsets: placement 0..256, origin 256..512, init data 512..3584, zero to 4096. `docs/formats.md` has the byte table.

use hal::{ClockQuality, Digest, Uuid};

use super::bytes::{all_zero, array_at, count_at, i64_at, put, u16_at, u32_at, u64_at};
use super::track::{CAMERA_BYTES, camera_at};
use super::{FORMAT_VERSION, FormatError, Lease, SECTOR_BYTES, TrackKey, crc32c};
use crate::Kind;
use crate::recorder::container::{Container, INIT_BYTES_MAX};

/// First bytes of every block.
pub const MAGIC: [u8; 8] = *b"bhblock\0";
/// Where the origin part begins.
pub const ORIGIN_AT: usize = 256;
/// Where the digest of the payload is, in every kind of block.
const DIGEST_AT: usize = 392;
/// Where it is said which file of a card the payload came from.
const FILE_AT: usize = 464;
const FILE_BYTES: usize = 32;
/// Where the init data begins.
pub const INIT_AT: usize = 512;
/// First byte behind origin part and init data: what the origin hash covers ends here.
pub const ORIGIN_END: usize = INIT_AT + INIT_BYTES_MAX;
const SECTOR: usize = SECTOR_BYTES as usize;

/// What a block carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum BlockKind {
    /// A piece of a track.
    Data = 1,
    /// Small records of the archive itself ([`super::Record`]).
    System = 2,
    /// A part of a checkpoint ([`super::Checkpoint`]).
    Checkpoint = 3,
}

/// One opening of an archive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Openings so far.
    pub counter: u64,
    /// Random.
    pub nonce: u64,
}

/// What belongs to this copy of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Placement {
    /// What the block carries.
    pub kind: BlockKind,
    /// This archive.
    pub archive: Uuid,
    /// Position in this archive's log.
    pub log_sequence: u64,
    /// Slot on the volume: log sequence modulo slot count.
    pub slot: u64,
    /// Opening in which it was written.
    pub epoch: Epoch,
    /// First log sequence of that opening.
    pub epoch_start: u64,
    /// All log sequences below were durable when this header was built.
    pub durable_sequence: u64,
    /// BLAKE3 of the header sector before this one in the log; zero for log sequence 0.
    pub previous_header: Digest,
    /// Lease under which it was appended; zero for what was recorded here.
    pub lease: Lease,
    /// A block of a track that came after the tip had passed its number: what was missing or damaged here was sent later.
    pub fill: bool,
    /// Bytes of payload.
    pub payload_bytes: u32,
    /// CRC-32C of the payload.
    pub payload_crc: u32,
}

/// What never changes as a block is copied on. System and checkpoint blocks have only `payload_digest`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Track.
    pub key: TrackKey,
    /// Opening of the origin archive in which it was recorded.
    pub epoch: Epoch,
    /// Dense number within the track.
    pub track_sequence: u64,
    /// Container of the stream.
    pub container: Container,
    /// How far the UTC times can be trusted.
    pub clock: ClockQuality,
    /// A random access point begins in this block.
    pub key_frame: bool,
    /// Sealed by time or at the end of a stream, not because it was full.
    pub sealed_early: bool,
    /// The stream was interrupted before this block: bytes were dropped, or a new feeder came.
    pub discontinuity: bool,
    /// Bytes of payload.
    pub payload_bytes: u32,
    /// First byte came, UTC.
    pub begin_utc_ns: i64,
    /// Last byte came, UTC.
    pub end_utc_ns: i64,
    /// First byte came, since boot.
    pub begin_boot_ns: u64,
    /// BLAKE3 of the payload.
    pub payload_digest: Digest,
    /// Hash of the origin part before this one in the track; zero for track sequence 0.
    pub previous_origin: Digest,
    /// If it was taken from a card.
    pub file: Option<FromFile>,
}

/// Where on a camera's card the payload of a block came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FromFile {
    /// First eight bytes of the BLAKE3 of its path on the card.
    pub path: u64,
    /// When it began: nanoseconds since 1970 in steps of a millisecond, and behind that a number for path and size.
    pub begin_ns: i64,
    /// Size of the file in bytes; at least 1.
    pub size_bytes: u64,
    /// Where in it the payload begins.
    pub at_bytes: u64,
}

impl Origin {
    /// The time of the block, or of the whole file that it is a piece of: that by the share of it that lies before the piece's end.
    pub fn whole_utc_ns(&self) -> (i64, i64) {
        let Some(file) = &self.file else {
            return (self.begin_utc_ns, self.end_utc_ns.max(self.begin_utc_ns));
        };
        let share = u128::from(file.at_bytes + u64::from(self.payload_bytes)).max(1);
        let span = u128::from(self.end_utc_ns.saturating_sub(file.begin_ns).max(0).unsigned_abs());
        let whole = i64::try_from(span * u128::from(file.size_bytes) / share).unwrap_or(i64::MAX);
        (file.begin_ns, file.begin_ns.saturating_add(whole))
    }
}

/// A header that has passed its checks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// Belongs to this copy.
    pub placement: Placement,
    /// Of data blocks only.
    pub origin: Option<Origin>,
    /// BLAKE3 of the payload, of every kind of block.
    pub payload_digest: Digest,
    /// Hash of the origin part.
    pub origin_hash: Digest,
}

/// Writes an origin part and its init data into a header sector. The rest of the sector is left alone.
pub fn encode_origin(sector: &mut [u8], origin: &Origin, init: &[u8]) {
    assert!(init.len() <= INIT_BYTES_MAX);
    sector[ORIGIN_AT..ORIGIN_END].fill(0);
    put(sector, 256, &origin.key.origin.0);
    put(sector, 272, &origin.epoch.counter.to_le_bytes());
    put(sector, 280, &origin.epoch.nonce.to_le_bytes());
    put(sector, 288, origin.key.camera.as_bytes());
    sector[352] = origin.key.kind as u8;
    sector[353] = origin.container as u8;
    sector[354] = origin.clock as u8;
    sector[355] = u8::from(origin.key_frame) | u8::from(origin.sealed_early) << 1 | u8::from(origin.discontinuity) << 2;
    put(sector, 356, &origin.payload_bytes.to_le_bytes());
    put(sector, 360, &origin.track_sequence.to_le_bytes());
    put(sector, 368, &origin.begin_utc_ns.to_le_bytes());
    put(sector, 376, &origin.end_utc_ns.to_le_bytes());
    put(sector, 384, &origin.begin_boot_ns.to_le_bytes());
    put(sector, DIGEST_AT, &origin.payload_digest.0);
    put(sector, 424, &origin.previous_origin.0);
    put(sector, 456, &(init.len() as u16).to_le_bytes());
    if let Some(file) = &origin.file {
        put(sector, FILE_AT, &file.path.to_le_bytes());
        put(sector, FILE_AT + 8, &file.begin_ns.to_le_bytes());
        put(sector, FILE_AT + 16, &file.size_bytes.to_le_bytes());
        put(sector, FILE_AT + 24, &file.at_bytes.to_le_bytes());
    }
    put(sector, INIT_AT, init);
}

/// Writes the origin part of a system or checkpoint block: nothing but the digest of its payload.
pub fn encode_no_origin(sector: &mut [u8], payload_digest: Digest) {
    sector[ORIGIN_AT..ORIGIN_END].fill(0);
    put(sector, DIGEST_AT, &payload_digest.0);
}

/// The origin part of a header sector that may come from anywhere. Checks every field, not the payload.
pub fn decode_origin(sector: &[u8]) -> Result<Origin, FormatError> {
    let flags = sector[355];
    let init_bytes = usize::from(u16_at(sector, 456));
    if flags > 7
        || init_bytes > INIT_BYTES_MAX
        || !all_zero(&sector[458..FILE_AT])
        || !all_zero(&sector[FILE_AT + FILE_BYTES..INIT_AT])
        || !all_zero(&sector[INIT_AT + init_bytes..ORIGIN_END])
    {
        return Err(FormatError::Field);
    }
    Ok(Origin {
        key: TrackKey {
            origin: Uuid(array_at(sector, 256)),
            camera: camera_at(&sector[288..288 + CAMERA_BYTES])?,
            kind: Kind::from_number(sector[352]).ok_or(FormatError::Field)?,
        },
        epoch: Epoch {
            counter: count_at(sector, 272)?,
            nonce: u64_at(sector, 280),
        },
        track_sequence: count_at(sector, 360)?,
        container: Container::from_number(sector[353]).ok_or(FormatError::Field)?,
        clock: clock_from(sector[354])?,
        key_frame: flags & 1 != 0,
        sealed_early: flags & 2 != 0,
        discontinuity: flags & 4 != 0,
        payload_bytes: u32_at(sector, 356),
        begin_utc_ns: i64_at(sector, 368),
        end_utc_ns: i64_at(sector, 376),
        begin_boot_ns: u64_at(sector, 384),
        payload_digest: Digest(array_at(sector, DIGEST_AT)),
        previous_origin: Digest(array_at(sector, 424)),
        file: file_at(sector)?,
    })
}

/// All zero, or a file that the payload fits into.
fn file_at(sector: &[u8]) -> Result<Option<FromFile>, FormatError> {
    if all_zero(&sector[FILE_AT..FILE_AT + FILE_BYTES]) {
        return Ok(None);
    }
    let file = FromFile {
        path: u64_at(sector, FILE_AT),
        begin_ns: i64_at(sector, FILE_AT + 8),
        size_bytes: count_at(sector, FILE_AT + 16)?,
        at_bytes: count_at(sector, FILE_AT + 24)?,
    };
    if file.at_bytes + u64::from(u32_at(sector, 356)) > file.size_bytes {
        return Err(FormatError::Field);
    }
    Ok(Some(file))
}

fn clock_from(number: u8) -> Result<ClockQuality, FormatError> {
    match number {
        0 => Ok(ClockQuality::Unset),
        1 => Ok(ClockQuality::Free),
        2 => Ok(ClockQuality::Synchronized),
        _ => Err(FormatError::Field),
    }
}

/// Hash of the origin part of a header sector: the link of a track's chain.
pub fn origin_hash(sector: &[u8]) -> Digest {
    Digest(*blake3::hash(&sector[ORIGIN_AT..ORIGIN_END]).as_bytes())
}

/// The init data of a header sector whose origin part has been decoded.
pub fn init_of(sector: &[u8]) -> &[u8] {
    let length = usize::from(u16_at(sector, 456)).min(INIT_BYTES_MAX);
    &sector[INIT_AT..INIT_AT + length]
}

/// Writes the placement part around an origin part that is there already, and the checksum over the whole sector.
pub fn encode_placement(sector: &mut [u8], placement: &Placement) {
    sector[..ORIGIN_AT].fill(0);
    sector[ORIGIN_END..SECTOR].fill(0);
    put(sector, 0, &MAGIC);
    put(sector, 8, &FORMAT_VERSION.to_le_bytes());
    sector[10] = placement.kind as u8;
    sector[11] = u8::from(placement.fill);
    put(sector, 16, &placement.archive.0);
    put(sector, 32, &placement.log_sequence.to_le_bytes());
    put(sector, 40, &placement.slot.to_le_bytes());
    put(sector, 48, &placement.epoch.counter.to_le_bytes());
    put(sector, 56, &placement.epoch.nonce.to_le_bytes());
    put(sector, 64, &placement.epoch_start.to_le_bytes());
    put(sector, 72, &placement.durable_sequence.to_le_bytes());
    put(sector, 80, &placement.previous_header.0);
    put(sector, 112, &placement.lease.counter.to_le_bytes());
    put(sector, 120, &placement.lease.nonce.to_le_bytes());
    put(sector, 128, &placement.payload_bytes.to_le_bytes());
    put(sector, 132, &placement.payload_crc.to_le_bytes());
    let checksum = crc32c(&sector[..SECTOR]);
    put(sector, 12, &checksum.to_le_bytes());
}

/// Hash of a whole header sector: the link of the log's chain.
pub fn header_hash(sector: &[u8]) -> Digest {
    Digest(*blake3::hash(&sector[..SECTOR]).as_bytes())
}

/// Reads a header sector: magic, version, checksum, fields. Whether it belongs where it was found is the caller's question.
pub fn decode(sector: &[u8]) -> Result<Header, FormatError> {
    if array_at::<8>(sector, 0) != MAGIC {
        return Err(FormatError::NotOurs);
    }
    // The checksum is over the sector with its own field zero: three pieces give the same value only through a running state,
    // so the sector is copied. 4 KiB, once per header.
    let mut copy: [u8; SECTOR] = array_at(sector, 0);
    copy[12..16].fill(0);
    if crc32c(&copy) != u32_at(sector, 12) {
        return Err(FormatError::Checksum);
    }
    if u16_at(sector, 8) != FORMAT_VERSION {
        return Err(FormatError::TooNew);
    }
    let kind = match sector[10] {
        1 => BlockKind::Data,
        2 => BlockKind::System,
        3 => BlockKind::Checkpoint,
        _ => return Err(FormatError::Field),
    };
    let flags = sector[11];
    if flags > u8::from(kind == BlockKind::Data) || !all_zero(&sector[136..ORIGIN_AT]) || !all_zero(&sector[ORIGIN_END..SECTOR]) {
        return Err(FormatError::Field);
    }
    let placement = Placement {
        kind,
        archive: Uuid(array_at(sector, 16)),
        log_sequence: count_at(sector, 32)?,
        slot: count_at(sector, 40)?,
        epoch: Epoch {
            counter: count_at(sector, 48)?,
            nonce: u64_at(sector, 56),
        },
        epoch_start: count_at(sector, 64)?,
        durable_sequence: count_at(sector, 72)?,
        previous_header: Digest(array_at(sector, 80)),
        lease: Lease {
            counter: count_at(sector, 112)?,
            nonce: u64_at(sector, 120),
        },
        fill: flags == 1,
        payload_bytes: u32_at(sector, 128),
        payload_crc: u32_at(sector, 132),
    };
    let origin = match kind {
        BlockKind::Data => {
            let origin = decode_origin(sector)?;
            if origin.payload_bytes != placement.payload_bytes {
                return Err(FormatError::Field);
            }
            Some(origin)
        }
        BlockKind::System | BlockKind::Checkpoint => {
            if !all_zero(&sector[ORIGIN_AT..DIGEST_AT]) || !all_zero(&sector[DIGEST_AT + 32..ORIGIN_END]) {
                return Err(FormatError::Field);
            }
            None
        }
    };
    Ok(Header {
        placement,
        origin,
        payload_digest: Digest(array_at(sector, DIGEST_AT)),
        origin_hash: origin_hash(sector),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::format::NO_HASH;

    /// A header with every field at a value of its own; also the golden one.
    pub fn sample() -> (Placement, Origin) {
        let key = TrackKey {
            origin: Uuid([2; 16]),
            camera: "lobby".parse().unwrap(),
            kind: Kind::Video,
        };
        let origin = Origin {
            key,
            epoch: Epoch {
                counter: 3,
                nonce: 0x1122_3344_5566_7788,
            },
            track_sequence: 41,
            container: Container::MpegTs,
            clock: ClockQuality::Synchronized,
            key_frame: true,
            sealed_early: false,
            discontinuity: true,
            payload_bytes: 1000,
            begin_utc_ns: 1_763_700_000_000_000_000,
            end_utc_ns: 1_763_700_001_000_000_000,
            begin_boot_ns: 77,
            payload_digest: Digest([5; 32]),
            previous_origin: NO_HASH,
            file: Some(FromFile {
                path: 0x0102_0304_0506_0708,
                begin_ns: 1_763_700_000_000_000_123,
                size_bytes: 5000,
                at_bytes: 4000,
            }),
        };
        let placement = Placement {
            kind: BlockKind::Data,
            archive: Uuid([9; 16]),
            log_sequence: 1234,
            slot: 34,
            epoch: Epoch { counter: 8, nonce: 99 },
            epoch_start: 1200,
            durable_sequence: 1230,
            previous_header: Digest([7; 32]),
            lease: Lease { counter: 2, nonce: 17 },
            fill: true,
            payload_bytes: 1000,
            payload_crc: 0xdead_beef,
        };
        (placement, origin)
    }

    #[test]
    fn goes_there_and_back() {
        let (placement, origin) = sample();
        let mut sector = [0xffu8; SECTOR];
        encode_origin(&mut sector, &origin, b"init");
        encode_placement(&mut sector, &placement);
        let header = decode(&sector).unwrap();
        assert_eq!(header.placement, placement);
        assert_eq!(header.origin.as_ref(), Some(&origin));
        assert_eq!(init_of(&sector), b"init");
    }

    #[test]
    fn every_single_bit_is_noticed() {
        let (placement, origin) = sample();
        let mut sector = [0u8; SECTOR];
        encode_origin(&mut sector, &origin, b"");
        encode_placement(&mut sector, &placement);
        for bit in 0..SECTOR * 8 {
            sector[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&sector).is_err(), "bit {bit}");
            sector[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(decode(&sector).is_ok());
    }

    #[test]
    fn the_origin_hash_does_not_depend_on_the_place() {
        let (mut placement, origin) = sample();
        let mut sector = [0u8; SECTOR];
        encode_origin(&mut sector, &origin, b"xyz");
        encode_placement(&mut sector, &placement);
        let before = (origin_hash(&sector), header_hash(&sector));
        placement.log_sequence += 1;
        encode_placement(&mut sector, &placement);
        assert_eq!(origin_hash(&sector), before.0);
        assert_ne!(header_hash(&sector), before.1);
    }
}
