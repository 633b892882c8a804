//! A track's name and its tip, as they stand in records and checkpoints.

use hal::{Digest, Fingerprint, Uuid};

use super::bytes::{all_zero, array_at, count_at, i64_at, put, u64_at};
use super::{FormatError, NO_HASH};
use crate::{Kind, Name};

/// Bytes of an encoded [`TrackKey`].
pub const TRACK_KEY_BYTES: usize = 88;
/// Bytes of an encoded [`Tip`].
pub const TIP_BYTES: usize = 208;
/// Bytes of a camera's name in a field: zero padded, never full.
pub const CAMERA_BYTES: usize = 64;

/// Which track: a camera's kind as one archive first recorded it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrackKey {
    /// Archive in which the track was recorded.
    pub origin: Uuid,
    /// Camera.
    pub camera: Name,
    /// Kind.
    pub kind: Kind,
}

impl TrackKey {
    /// `origin` 16, camera 64, kind 1, zero 7.
    pub fn encode(&self, into: &mut [u8]) {
        into[..TRACK_KEY_BYTES].fill(0);
        put(into, 0, &self.origin.0);
        put(into, 16, self.camera.as_bytes());
        into[80] = self.kind as u8;
    }

    /// The reverse of [`TrackKey::encode`].
    pub fn decode(bytes: &[u8]) -> Result<TrackKey, FormatError> {
        if !all_zero(&bytes[81..TRACK_KEY_BYTES]) {
            return Err(FormatError::Field);
        }
        Ok(TrackKey {
            origin: Uuid(array_at(bytes, 0)),
            camera: camera_at(&bytes[16..16 + CAMERA_BYTES])?,
            kind: Kind::from_number(bytes[80]).ok_or(FormatError::Field)?,
        })
    }
}

/// A zero-padded name.
pub(super) fn camera_at(field: &[u8]) -> Result<Name, FormatError> {
    let length = field.iter().position(|byte| *byte == 0).ok_or(FormatError::Field)?;
    if !all_zero(&field[length..]) {
        return Err(FormatError::Field);
    }
    let text = core::str::from_utf8(&field[..length]).map_err(|_| FormatError::Field)?;
    text.parse().map_err(|_| FormatError::Field)
}

/// A target's exclusive permission to append a track. Compared for equality of both parts, never for order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Lease {
    /// How many were granted for the track; 0 is none.
    pub counter: u64,
    /// Random.
    pub nonce: u64,
}

/// Where a track stands at one archive.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tip {
    /// Which track.
    pub key: TrackKey,
    /// Next expected track sequence.
    pub next: u64,
    /// Hash of the origin part of the last block; [`NO_HASH`] before the first and where a gap hides it.
    pub hash: Digest,
    /// Log sequence of the last block here; meaningless while there is none.
    pub last_log_sequence: u64,
    /// End of the last block by the wall clock of its recorder; 0 if there is none.
    pub last_utc_ns: i64,
    /// The lease granted last; counter 0 if none ever was.
    pub lease: Lease,
    /// Key of the peer that holds it.
    pub holder: Fingerprint,
}

impl Tip {
    /// A track of which nothing is there yet.
    pub fn new(key: TrackKey) -> Tip {
        Tip {
            key,
            next: 0,
            hash: NO_HASH,
            last_log_sequence: 0,
            last_utc_ns: 0,
            lease: Lease::default(),
            holder: Fingerprint::default(),
        }
    }

    /// Key 88, next 8, hash 32, last log sequence 8, last UTC 8, lease 16, holder 32, zero 16.
    pub fn encode(&self, into: &mut [u8]) {
        into[..TIP_BYTES].fill(0);
        self.key.encode(into);
        put(into, 88, &self.next.to_le_bytes());
        put(into, 96, &self.hash.0);
        put(into, 128, &self.last_log_sequence.to_le_bytes());
        put(into, 136, &self.last_utc_ns.to_le_bytes());
        put(into, 144, &self.lease.counter.to_le_bytes());
        put(into, 152, &self.lease.nonce.to_le_bytes());
        put(into, 160, &self.holder.0);
    }

    /// The reverse of [`Tip::encode`].
    pub fn decode(bytes: &[u8]) -> Result<Tip, FormatError> {
        if !all_zero(&bytes[192..TIP_BYTES]) {
            return Err(FormatError::Field);
        }
        Ok(Tip {
            key: TrackKey::decode(bytes)?,
            next: count_at(bytes, 88)?,
            hash: Digest(array_at(bytes, 96)),
            last_log_sequence: count_at(bytes, 128)?,
            last_utc_ns: i64_at(bytes, 136),
            lease: Lease {
                counter: count_at(bytes, 144)?,
                nonce: u64_at(bytes, 152),
            },
            holder: Fingerprint(array_at(bytes, 160)),
        })
    }
}
