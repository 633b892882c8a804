//! Where the slots of a new archive lie: between the superblock copies at both ends, and in step with the flash of a card.
//!
//! Pure. Invariants: slots and superblock copies share no erase group, as far as the volume has room for that; a segment, the unit that
//! is freed and discarded, is whole erase groups wherever their size is a power of two and a segment is as large.

use hal::VolumeFacts;

use crate::format::SECTOR_BYTES;
use crate::limits;

/// Superblock copies and what is kept free around them, at each end.
const END_BYTES: u64 = 2 << 20;
/// Without a word of the device: erase groups of cards and flash pages of disks are 4 MiB or less; smaller blocks waste nothing by it.
const GROUP_BYTES: u64 = 4 << 20;
/// Cards that claim larger erase groups are not believed.
const GROUP_BYTES_MAX: u64 = 64 << 20;

/// Slots of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Where the first slot begins.
    pub slots_at_bytes: u64,
    /// How many there are: whole segments.
    pub slots: u64,
    /// Blocks of a segment.
    pub segment_blocks: u32,
}

/// The erase groups of a device, as they lie on a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    /// Size of one; 0 if nobody says.
    bytes: u64,
    /// Where the volume begins on the device.
    starts_at_bytes: u64,
}

impl Groups {
    /// As the machine tells it.
    pub fn of(facts: &VolumeFacts) -> Groups {
        let sector = u64::from(SECTOR_BYTES);
        let (bytes, starts_at_bytes) = (u64::from(facts.erase_bytes), facts.starts_at_bytes);
        let is_usable =
            bytes <= GROUP_BYTES_MAX && bytes.is_multiple_of(sector) && (starts_at_bytes % bytes.max(1)).is_multiple_of(sector);
        if is_usable {
            Groups { bytes, starts_at_bytes }
        } else {
            Groups::default()
        }
    }

    /// The first place from there on at which a group begins.
    fn up(&self, at_bytes: u64) -> u64 {
        (self.starts_at_bytes + at_bytes).next_multiple_of(self.bytes) - self.starts_at_bytes
    }

    /// The last place up to there at which a group begins; 0 if it begins before the volume.
    fn down(&self, at_bytes: u64) -> u64 {
        let at = self.starts_at_bytes + at_bytes;
        (at - at % self.bytes).saturating_sub(self.starts_at_bytes)
    }
}

/// The slots for a volume. `Err` is the least size that would do.
pub fn geometry(volume_bytes: u64, block_bytes: u32, groups: Groups) -> Result<Geometry, u64> {
    let block = u64::from(block_bytes);
    let plain = END_BYTES.next_multiple_of(block.min(GROUP_BYTES));
    let least = plain + END_BYTES + limits::SLOTS_MIN * block;
    if volume_bytes < least {
        return Err(least);
    }
    let end = volume_bytes - END_BYTES;
    let aligned = (groups.bytes > 0).then(|| (groups.up(plain), groups.down(end)));
    let (from, to) = aligned
        .filter(|(from, to)| to.saturating_sub(*from) >= limits::SLOTS_MIN * block)
        .unwrap_or((plain, end));
    let room = (to - from) / block;
    let wanted = (room / limits::SEGMENTS_MIN).min(u64::from(limits::SEGMENT_BLOCKS_MAX)) as u32;
    let segment_blocks = 1 << wanted.ilog2();
    Ok(Geometry {
        slots_at_bytes: from,
        slots: room / u64::from(segment_blocks) * u64::from(segment_blocks),
        segment_blocks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn groups(bytes: u64, starts_at_bytes: u64) -> Groups {
        Groups { bytes, starts_at_bytes }
    }

    #[test]
    fn slots_lie_in_step_with_the_groups_of_a_card() {
        // A card of 32 GB with erase groups of 4, 8, 12, 16 MiB, whole or from its first partition on.
        for group in [4, 8, 12, 16] {
            for start in [0, MIB, 4 * MIB, 63 * 512 * 8] {
                for block in [64 << 10, 1 << 20, 16 << 20] {
                    let volume_bytes = 31_914_983_424 - start;
                    let found = geometry(volume_bytes, block, groups(group * MIB, start)).unwrap();
                    let end = found.slots_at_bytes + found.slots * u64::from(block);
                    assert!(
                        (start + found.slots_at_bytes).is_multiple_of(group * MIB),
                        "{group} {start} {block}"
                    );
                    assert!(found.slots_at_bytes >= 2 * MIB && found.slots_at_bytes <= 2 * MIB + group * MIB + 4 * MIB);
                    let last_copies = start + volume_bytes - 2 * MIB;
                    assert!(
                        start + end <= last_copies / (group * MIB) * (group * MIB),
                        "no group has slots and copies"
                    );
                    let segment_bytes = u64::from(found.segment_blocks) * u64::from(block);
                    assert!(group == 12 || segment_bytes.is_multiple_of(group * MIB));
                    assert!(found.slots.is_multiple_of(u64::from(found.segment_blocks)));
                }
            }
        }
    }

    #[test]
    fn without_a_word_of_the_device_or_room_they_lie_behind_the_copies() {
        let plain = geometry(64 * MIB, 1 << 20, Groups::default()).unwrap();
        assert_eq!((plain.slots_at_bytes, plain.slots, plain.segment_blocks), (2 * MIB, 60, 4));
        let small = geometry(40 * MIB, 1 << 20, groups(16 * MIB, 0)).unwrap();
        assert_eq!(small.slots_at_bytes, 2 * MIB, "whole groups would leave too little");
        assert_eq!(geometry(16 * MIB, 1 << 20, Groups::default()), Err(36 * MIB));
    }
}
