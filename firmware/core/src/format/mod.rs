//! What lies on a volume: fixed bytes at fixed offsets, little endian, version 1. The tables are in `docs/formats.md`.
//!
//! Pure functions from bytes to values and back. Not here: where a block goes and what follows from it (`archive/`), and what
//! goes over a link (`haul/wire.rs`).
//!
//! Invariants: no decoder panics or allocates from a length it has read; every decoder checks a checksum over all bytes it
//! reads before it looks at any of them; reserved bytes are zero.

mod bytes;
pub mod checkpoint;
mod checksum;
pub mod header;
pub mod notes;
pub mod record;
pub mod scrub;
pub mod superblock;
pub mod track;

pub use checkpoint::{Checkpoint, Entry};
pub use checksum::crc32c;
pub use header::{BlockKind, Header, Origin, Placement};
pub use notes::Notes;
pub use record::Record;
pub use scrub::ScrubState;
pub use superblock::Superblock;
pub use track::{Lease, Tip, TrackKey};

/// Version of everything in this folder.
pub const FORMAT_VERSION: u16 = 1;

/// Size of the header in front of every payload, of a superblock copy, and of whatever is read or written at once at least.
pub const SECTOR_BYTES: u32 = 4096;

/// Highest sequence, generation or counter.
pub const COUNT_MAX: u64 = 1 << 62;

/// Hash of nothing: before the first block of a log or track, and of a predecessor that is not known.
pub const NO_HASH: hal::Digest = hal::Digest([0; 32]);

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FormatError {
    /// Another magic: nothing of ours, or nothing at all.
    NotOurs,
    /// A version or an incompatible feature that this program does not know.
    TooNew,
    /// The checksum does not fit the bytes.
    Checksum,
    /// The checksum fits and a field is out of its range.
    Field,
}

impl core::fmt::Display for FormatError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            FormatError::NotOurs => "not a blockhaul structure",
            FormatError::TooNew => "written by a newer version",
            FormatError::Checksum => "checksum does not fit",
            FormatError::Field => "a field is out of range",
        })
    }
}
