//! The superblock: what an archive is, and which opening is the newest. Four copies, in two pairs at both ends of the volume.
//!
//! Which copy counts is decided in [`newest`]; when copies are written is decided in `archive/`.

use alloc::vec::Vec;
use hal::{Digest, Uuid};

use super::bytes::{all_zero, array_at, count_at, i64_at, put, u16_at, u32_at, u64_at};
use super::header::Epoch;
use super::track::camera_at;
use super::{COUNT_MAX, FORMAT_VERSION, FormatError, SECTOR_BYTES, crc32c};
use crate::Name;
use crate::control::types::Mode;

/// First bytes of every copy.
pub const MAGIC: [u8; 8] = *b"bhsuper\0";
/// Copies on a volume.
pub const COPIES: usize = 4;
/// Openings that are remembered.
pub const HISTORY_MAX: usize = 64;
/// No checkpoint yet.
pub const NO_CHECKPOINT: u64 = u64::MAX;
const SECTOR: usize = SECTOR_BYTES as usize;
const HASHED: usize = SECTOR - 32;

/// One generation of an archive's superblock.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Superblock {
    /// Identity of the archive.
    pub archive: Uuid,
    /// Name it was given when it was made, for whoever finds the volume.
    pub label: Name,
    /// Append or ring.
    pub mode: Mode,
    /// 1, 2, 3 …
    pub generation: u64,
    /// Content hash of the generation before; zero for the first.
    pub parent: Digest,
    /// Size of a block.
    pub block_bytes: u32,
    /// Logical sector of the device it was made on.
    pub logical_sector_bytes: u32,
    /// Size of the volume it was made on.
    pub volume_bytes: u64,
    /// Byte offset of slot 0.
    pub slots_at_bytes: u64,
    /// Number of slots; a multiple of `segment_blocks`.
    pub slots: u64,
    /// Log sequences between two regular checkpoints; a power of two.
    pub segment_blocks: u32,
    /// When it was made.
    pub made_utc_ns: i64,
    /// The newest opening.
    pub epoch: Epoch,
    /// First log sequence of that opening.
    pub epoch_start: u64,
    /// All log sequences below were durable when this was written.
    pub durable_sequence: u64,
    /// Log sequence of part 0 of the newest complete checkpoint, or [`NO_CHECKPOINT`].
    pub checkpoint_sequence: u64,
    /// All log sequences below were freed: they do not exist any more, and in an append archive their slots are used again.
    pub freed_sequence: u64,
    /// All guards were known to need nothing below when this was written; 0 if that is not known.
    pub released_sequence: u64,
    /// Which guards these were, as a number that another set of guards does not have; 0 without guards.
    pub guard_set: u64,
    /// The archive was closed in order behind this generation: no write was under way when the power went.
    pub closed: bool,
    /// Earlier openings and their first log sequences, oldest first, the newest included.
    pub history: Vec<(Epoch, u64)>,
}

/// Byte offsets of the four copies on a volume of that size: A0, A1, B0, B1.
///
/// The first and the last mebibyte are left alone: partition tables and signatures of others live there.
pub fn copy_offsets(volume_bytes: u64) -> [u64; COPIES] {
    const HALF_MIB: u64 = 512 << 10;
    let end = volume_bytes / u64::from(SECTOR_BYTES) * u64::from(SECTOR_BYTES);
    [2 * HALF_MIB, 3 * HALF_MIB, end - 4 * HALF_MIB, end - 3 * HALF_MIB]
}

impl Superblock {
    /// Writes copy number `copy` into a sector.
    pub fn encode(&self, copy: usize, sector: &mut [u8]) {
        assert!(copy < COPIES);
        assert!(self.history.len() <= HISTORY_MAX);
        sector[..SECTOR].fill(0);
        put(sector, 0, &MAGIC);
        put(sector, 8, &FORMAT_VERSION.to_le_bytes());
        sector[11] = match self.mode {
            Mode::Append => 1,
            Mode::Ring => 2,
        };
        put(sector, 16, &self.archive.0);
        put(sector, 32, &self.generation.to_le_bytes());
        put(sector, 40, &self.parent.0);
        put(sector, 72, &self.block_bytes.to_le_bytes());
        put(sector, 76, &self.logical_sector_bytes.to_le_bytes());
        put(sector, 80, &self.volume_bytes.to_le_bytes());
        put(sector, 88, &self.slots_at_bytes.to_le_bytes());
        put(sector, 96, &self.slots.to_le_bytes());
        put(sector, 104, &self.segment_blocks.to_le_bytes());
        // 108: features that a reader must know; none yet.
        put(sector, 112, &self.made_utc_ns.to_le_bytes());
        put(sector, 120, &self.epoch.counter.to_le_bytes());
        put(sector, 128, &self.epoch.nonce.to_le_bytes());
        put(sector, 136, &self.epoch_start.to_le_bytes());
        put(sector, 144, &self.durable_sequence.to_le_bytes());
        put(sector, 152, &self.checkpoint_sequence.to_le_bytes());
        put(sector, 160, self.label.as_bytes());
        put(sector, 224, &(self.history.len() as u16).to_le_bytes());
        sector[226] = u8::from(self.closed);
        put(sector, 232, &self.freed_sequence.to_le_bytes());
        put(sector, 240, &self.released_sequence.to_le_bytes());
        put(sector, 248, &self.guard_set.to_le_bytes());
        for (index, (epoch, start)) in self.history.iter().enumerate() {
            let at = 256 + index * 24;
            put(sector, at, &epoch.counter.to_le_bytes());
            put(sector, at + 8, &epoch.nonce.to_le_bytes());
            put(sector, at + 16, &start.to_le_bytes());
        }
        let hash = *blake3::hash(&sector[..HASHED]).as_bytes();
        put(sector, HASHED, &hash);
        sector[10] = copy as u8;
        let checksum = crc32c(&sector[..SECTOR]);
        put(sector, 12, &checksum.to_le_bytes());
    }

    /// Reads copy number `copy`.
    pub fn decode(copy: usize, sector: &[u8]) -> Result<Superblock, FormatError> {
        if array_at::<8>(sector, 0) != MAGIC {
            return Err(FormatError::NotOurs);
        }
        let mut plain: [u8; SECTOR] = array_at(sector, 0);
        plain[12..16].fill(0);
        if crc32c(&plain) != u32_at(sector, 12) {
            return Err(FormatError::Checksum);
        }
        plain[10] = 0;
        if blake3::hash(&plain[..HASHED]) != array_at::<32>(sector, HASHED) {
            return Err(FormatError::Checksum);
        }
        if u16_at(sector, 8) != FORMAT_VERSION || u32_at(sector, 108) != 0 {
            return Err(FormatError::TooNew);
        }
        let mode = match sector[11] {
            1 => Mode::Append,
            2 => Mode::Ring,
            _ => return Err(FormatError::Field),
        };
        let count = usize::from(u16_at(sector, 224));
        if usize::from(sector[10]) != copy
            || count > HISTORY_MAX
            || sector[226] > 1
            || !all_zero(&sector[227..232])
            || !all_zero(&sector[256 + count * 24..HASHED])
        {
            return Err(FormatError::Field);
        }
        let history = (0..count)
            .map(|index| {
                let at = 256 + index * 24;
                let epoch = Epoch {
                    counter: count_at(sector, at)?,
                    nonce: u64_at(sector, at + 8),
                };
                Ok((epoch, count_at(sector, at + 16)?))
            })
            .collect::<Result<_, _>>()?;
        let superblock = Superblock {
            archive: Uuid(array_at(sector, 16)),
            label: camera_at(&sector[160..224])?,
            mode,
            generation: count_at(sector, 32)?,
            parent: Digest(array_at(sector, 40)),
            block_bytes: u32_at(sector, 72),
            logical_sector_bytes: u32_at(sector, 76),
            volume_bytes: u64_at(sector, 80),
            slots_at_bytes: u64_at(sector, 88),
            slots: u64_at(sector, 96),
            segment_blocks: u32_at(sector, 104),
            made_utc_ns: i64_at(sector, 112),
            epoch: Epoch {
                counter: count_at(sector, 120)?,
                nonce: u64_at(sector, 128),
            },
            epoch_start: count_at(sector, 136)?,
            durable_sequence: count_at(sector, 144)?,
            checkpoint_sequence: u64_at(sector, 152),
            freed_sequence: count_at(sector, 232)?,
            released_sequence: count_at(sector, 240)?,
            guard_set: u64_at(sector, 248),
            closed: sector[226] == 1,
            history,
        };
        if superblock.geometry_is_sound() {
            Ok(superblock)
        } else {
            Err(FormatError::Field)
        }
    }

    /// Whether block, slots and segments fit each other and the volume.
    fn geometry_is_sound(&self) -> bool {
        let block = u64::from(self.block_bytes);
        let segment = u64::from(self.segment_blocks);
        self.block_bytes.is_power_of_two()
            && (crate::limits::BLOCK_BYTES_MIN..=crate::limits::BLOCK_BYTES_MAX).contains(&self.block_bytes)
            && self.segment_blocks.is_power_of_two()
            && self.segment_blocks <= crate::limits::SEGMENT_BLOCKS_MAX
            && self.segment_blocks >= crate::limits::SEGMENT_BLOCKS_MIN
            && self.slots >= crate::limits::SEGMENTS_MIN * segment
            && self.slots_at_bytes >= 2 << 20
            && self.sequences_are_sound()
            && self.slots.is_multiple_of(segment)
            && self.volume_bytes < 1 << 62
            && self.slots_at_bytes.is_multiple_of(u64::from(SECTOR_BYTES))
            && self
                .slots
                .checked_mul(block)
                .and_then(|bytes| bytes.checked_add(self.slots_at_bytes))
                .is_some_and(|end| end <= self.volume_bytes)
    }

    /// Whether the log can have come as far as this says: one that is appended to ends where its freed slots do. Opening goes back
    /// from the checkpoint segment by segment, which must come to an end.
    fn sequences_are_sound(&self) -> bool {
        let end = match self.mode {
            Mode::Append => self.freed_sequence.saturating_add(self.slots),
            Mode::Ring => COUNT_MAX,
        };
        let checkpoint_kept = self.checkpoint_sequence != NO_CHECKPOINT && self.freed_sequence <= self.checkpoint_sequence;
        let freed_is_sound = self.freed_sequence == 0
            || (checkpoint_kept
                && self.freed_sequence.is_multiple_of(u64::from(self.segment_blocks))
                && self.freed_sequence <= self.durable_sequence);
        freed_is_sound
            && self.released_sequence <= self.durable_sequence
            && self.epoch_start <= end
            && self.durable_sequence <= end
            && (self.checkpoint_sequence == NO_CHECKPOINT || self.checkpoint_sequence < end)
    }

    /// Hash of the content, the same for all four copies.
    pub fn content_hash(&self) -> Digest {
        let mut sector = [0u8; SECTOR];
        self.encode(0, &mut sector);
        Digest(array_at(&sector, HASHED))
    }
}

/// What four copies say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quorum {
    /// At least two copies of the highest generation that has two are the same. `stale` copies differ from it.
    Good {
        /// The one that counts.
        superblock: Superblock,
        /// Copies to be made equal to it before anything else is written.
        stale: usize,
    },
    /// Only one copy can be read: read only.
    Single(Superblock),
    /// Two different ones claim the same generation: refuse.
    Fork,
    /// Nothing of ours is there.
    Blank,
    /// Something of ours is there and none of it can be read, or by a newer version.
    Lost(FormatError),
}

/// Decides which superblock counts, from the four copies.
pub fn newest(copies: &[Result<Superblock, FormatError>; COPIES]) -> Quorum {
    let good: Vec<&Superblock> = copies.iter().filter_map(|copy| copy.as_ref().ok()).collect();
    let mut candidates = good.clone();
    candidates.sort_by_key(|superblock| core::cmp::Reverse(superblock.generation));
    for (index, one) in candidates.iter().enumerate() {
        if candidates[..index]
            .iter()
            .any(|other| other.generation == one.generation && other != one)
        {
            return Quorum::Fork;
        }
    }
    for one in &candidates {
        let same = good.iter().filter(|other| **other == *one).count();
        if same >= 2 {
            return Quorum::Good {
                superblock: (*one).clone(),
                stale: COPIES - same,
            };
        }
    }
    if let Some(one) = candidates.first() {
        return Quorum::Single((*one).clone());
    }
    let worst = copies.iter().filter_map(|copy| copy.as_ref().err()).max().copied();
    match worst {
        None | Some(FormatError::NotOurs) => Quorum::Blank,
        Some(error @ (FormatError::TooNew | FormatError::Checksum | FormatError::Field)) => Quorum::Lost(error),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::format::NO_HASH;

    /// A superblock with every field at a value of its own; also the golden one.
    pub fn sample() -> Superblock {
        Superblock {
            archive: Uuid([0xa1; 16]),
            label: "yard".parse().unwrap(),
            mode: Mode::Ring,
            generation: 7,
            parent: NO_HASH,
            block_bytes: 1 << 20,
            logical_sector_bytes: 512,
            volume_bytes: 100 << 20,
            slots_at_bytes: 4 << 20,
            slots: 88,
            segment_blocks: 8,
            made_utc_ns: 1_763_700_000_000_000_000,
            epoch: Epoch {
                counter: 3,
                nonce: 0x0102_0304_0506_0708,
            },
            epoch_start: 12,
            durable_sequence: 20,
            checkpoint_sequence: 16,
            freed_sequence: 8,
            released_sequence: 18,
            guard_set: 0x1112_1314_1516_1718,
            closed: true,
            history: alloc::vec![(
                Epoch {
                    counter: 3,
                    nonce: 0x0102_0304_0506_0708
                },
                12
            )],
        }
    }

    fn copies_of(list: [&Superblock; COPIES]) -> [Result<Superblock, FormatError>; COPIES] {
        core::array::from_fn(|copy| {
            let mut sector = [0u8; SECTOR];
            list[copy].encode(copy, &mut sector);
            Superblock::decode(copy, &sector)
        })
    }

    #[test]
    fn every_single_bit_is_noticed() {
        let mut sector = [0u8; SECTOR];
        sample().encode(2, &mut sector);
        for bit in 0..SECTOR * 8 {
            sector[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(2, &sector).is_err(), "bit {bit}");
            sector[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Superblock::decode(2, &sector), Ok(sample()));
        assert!(Superblock::decode(1, &sector).is_err(), "a copy in another copy's place");
    }

    #[test]
    fn two_of_the_highest_that_has_two() {
        let old = sample();
        let mut new = sample();
        new.generation += 1;
        let quorum = |list| newest(&copies_of(list));
        assert_eq!(
            quorum([&old, &old, &old, &old]),
            Quorum::Good {
                superblock: old.clone(),
                stale: 0
            }
        );
        assert_eq!(
            quorum([&new, &old, &old, &old]),
            Quorum::Good {
                superblock: old.clone(),
                stale: 1
            }
        );
        assert_eq!(
            quorum([&new, &new, &old, &old]),
            Quorum::Good {
                superblock: new.clone(),
                stale: 2
            }
        );
        let mut other = new.clone();
        other.epoch_start += 1;
        assert_eq!(quorum([&new, &other, &old, &old]), Quorum::Fork);
        let bad = Err(FormatError::Checksum);
        assert_eq!(
            newest(&[Ok(new.clone()), bad.clone(), bad.clone(), bad.clone()]),
            Quorum::Single(new)
        );
        assert_eq!(
            newest(&[bad.clone(), bad.clone(), bad.clone(), bad]),
            Quorum::Lost(FormatError::Checksum)
        );
        let blank = Err(FormatError::NotOurs);
        assert_eq!(newest(&[blank.clone(), blank.clone(), blank.clone(), blank]), Quorum::Blank);
    }
}
