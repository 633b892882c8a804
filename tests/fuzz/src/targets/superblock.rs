//! A superblock copy, and the vote of four.
//!
//! Flags: bit 0 mends CRC and hash, bits 1 and 2 are the number of the copy.

use blockhaul_core::format::superblock::{COPIES, HISTORY_MAX, Quorum, copy_offsets, newest};
use blockhaul_core::format::{FormatError, Superblock};
use blockhaul_core::limits::{BLOCK_BYTES_MAX, BLOCK_BYTES_MIN, SEGMENT_BLOCKS_MAX};

use crate::sector::{MENDED, SECTOR, differ, found_crc, input, mend_crc, parse, right_crc};
use crate::{Seed, Target, golden, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "superblock",
    what: "copies of a superblock",
    longest: 1 + SECTOR,
    check,
    seeds,
    words: &["bhsuper\\x00"],
};

/// Where the hash over everything before it is.
const HASH_AT: usize = SECTOR - 32;

fn check(bytes: &[u8]) {
    let Some((flags, mut sector)) = parse(bytes) else { return };
    let copy = usize::from(flags >> 1) % COPIES;
    if flags & MENDED != 0 {
        mend(&mut sector);
    }
    let decoded = heap::within(0, bytes, || Superblock::decode(copy, &*sector));
    if right_crc(&sector) != found_crc(&sector) || right_hash(&sector) != sector[HASH_AT..] {
        assert!(decoded.is_err(), "a superblock was accepted whose checksums are wrong");
    }
    if let Ok(superblock) = decoded {
        hold(&superblock, copy, &sector);
    }
}

fn hold(superblock: &Superblock, copy: usize, sector: &[u8; SECTOR]) {
    assert!((BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&superblock.block_bytes));
    assert!(superblock.segment_blocks <= SEGMENT_BLOCKS_MAX);
    assert!(superblock.history.len() <= HISTORY_MAX);
    assert!((1..=63).contains(&superblock.label.len()));
    assert!(
        superblock.freed_sequence <= superblock.durable_sequence && superblock.released_sequence <= superblock.durable_sequence
    );
    let end = u128::from(superblock.slots_at_bytes) + u128::from(superblock.slots) * u128::from(superblock.block_bytes);
    assert!(
        end <= u128::from(superblock.volume_bytes),
        "slots lie behind the end of the volume"
    );
    let offsets = copy_offsets(superblock.volume_bytes);
    assert!(offsets.is_sorted() && offsets[3] < superblock.volume_bytes);

    let mut again = [0xff; SECTOR];
    superblock.encode(copy, &mut again);
    assert_eq!(
        differ(sector, &again),
        None,
        "a superblock is encoded in another way than it was decoded"
    );
    assert_eq!(superblock.content_hash().0, sector[HASH_AT..]);

    let mut copies = [0; COPIES].map(|_| Ok(superblock.clone()));
    for stale in 0..=1 {
        let superblock = superblock.clone();
        assert_eq!(newest(&copies), Quorum::Good { superblock, stale });
        copies[copy] = Err(FormatError::Checksum);
    }
}

fn right_hash(sector: &[u8; SECTOR]) -> [u8; 32] {
    let mut plain = *sector;
    // The number of the copy and the CRC are not hashed: the hash is the same in all copies.
    plain[10] = 0;
    plain[12..16].fill(0);
    *blake3::hash(&plain[..HASH_AT]).as_bytes()
}

/// Makes hash and CRC right.
pub(super) fn mend(sector: &mut [u8; SECTOR]) {
    let hash = right_hash(sector);
    sector[HASH_AT..].copy_from_slice(&hash);
    mend_crc(sector);
}

fn seeds() -> Vec<Seed> {
    let golden = golden::bytes("superblock.txt");
    let mut copies = vec![("as-it-is".to_owned(), input(2 << 1, &golden))];
    for copy in 0..COPIES {
        let mut sector = golden.clone();
        sector[10] = copy as u8;
        sector[12..16].fill(0);
        sector[HASH_AT..].fill(0);
        copies.push((format!("copy-{copy}"), input(MENDED | (copy as u8) << 1, &sector)));
    }
    copies
}
