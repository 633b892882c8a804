//! The bytes of a camera's card: a whole small image, written by anybody, read as the daemon reads it.
//!
//! An input is a *sparse image*: pieces of a number of a sector (three bytes), a length in sectors (one byte) and that many bytes, or
//! fewer at the end of the input; what no piece holds is zero. So the fuzzer sees a file system without its empty space.

use std::sync::{Arc, Mutex, Once};

use drivers_cards::Bytes;
use hal::{CARD_DAMAGE_MAX, CARD_FILES_MAX, CARD_PATH_BYTES_MAX, IoError};

use crate::{Seed, Target, heap};

const SECTOR: usize = 512;
/// Size of every image: the smallest that can be FAT32, and a little more.
const IMAGE_BYTES: u64 = 40 << 20;
/// Reads of one input: each is one of a window at most. More would be a loop that only looks like an end.
const READS_MAX: u64 = 2_000_000;

/// FAT.
pub const FAT: Target = Target {
    name: "card-fat",
    what: "FAT on a card",
    longest: 16 << 10,
    check,
    seeds: || vec![seed("fat12"), seed("fat16"), seed("fat32"), partitioned("fat12")],
    words: &["FAT32   ", "\\x55\\xaa", "\\xff\\xff\\xff\\x0f", "\\xf8\\xff"],
};

/// exFAT.
pub const EXFAT: Target = Target {
    name: "card-exfat",
    what: "exFAT on a card",
    longest: 32 << 10,
    check,
    seeds: || vec![seed("exfat")],
    words: &["EXFAT   ", "\\x85\\x02", "\\xc0\\x03", "\\xc1\\x00"],
};

/// ext2 to ext4.
pub const EXT: Target = Target {
    name: "card-ext",
    what: "ext4 on a card",
    longest: 48 << 10,
    check,
    seeds: || vec![seed("ext2"), seed("ext4")],
    words: &["\\x53\\xef", "\\x0a\\xf3", "\\xc0\\x3b\\x39\\x98"],
};

/// An image that counts how often it is read.
struct Counted {
    sectors: Arc<std::collections::BTreeMap<u64, Vec<u8>>>,
    reads: Arc<Mutex<u64>>,
}

impl Bytes for Counted {
    fn size_bytes(&self) -> u64 {
        IMAGE_BYTES
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let mut reads = self.reads.lock().expect("nobody else has it");
        *reads += 1;
        assert!(*reads <= READS_MAX, "a small card is read {READS_MAX} times");
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > IMAGE_BYTES {
            return Err(IoError::Short);
        }
        into.fill(0);
        let first = at_bytes / SECTOR as u64;
        for (number, sector) in self.sectors.range(first..end.div_ceil(SECTOR as u64)) {
            let begin = number * SECTOR as u64;
            for (place, byte) in sector.iter().enumerate() {
                let at = begin + place as u64;
                if (at_bytes..end).contains(&at) {
                    into[(at - at_bytes) as usize] = *byte;
                }
            }
        }
        Ok(())
    }
}

fn unpack(bytes: &[u8]) -> std::collections::BTreeMap<u64, Vec<u8>> {
    let mut sectors = std::collections::BTreeMap::new();
    let mut rest = bytes;
    while let [low, middle, high, count, behind @ ..] = rest {
        let first = u64::from(u32::from_le_bytes([*low, *middle, *high, 0]));
        let length = (usize::from(*count) * SECTOR).min(behind.len());
        for (number, sector) in behind[..length].chunks(SECTOR).enumerate() {
            sectors.insert(first + number as u64, sector.to_vec());
        }
        rest = &behind[length..];
    }
    sectors
}

/// A panic of a library that is caught says nothing: its backtrace would be counted as memory that reading took.
fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let say = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !drivers_cards::is_guarded() {
                say(panic);
            }
        }));
    });
}

fn check(bytes: &[u8]) {
    hush();
    let sectors = Arc::new(unpack(bytes));
    let reads = Arc::new(Mutex::new(0));
    heap::of_card(|| {
        let image = Counted {
            sectors: Arc::clone(&sectors),
            reads: Arc::clone(&reads),
        };
        let Ok(mut card) = drivers_cards::open(Box::new(image)) else {
            return;
        };
        let Ok(listing) = card.list() else { return };
        assert!(listing.files.len() <= CARD_FILES_MAX && listing.damage.len() <= CARD_DAMAGE_MAX);
        assert!(listing.damaged >= listing.damage.len() as u64);
        for file in listing.files.iter().take(8) {
            assert!(!file.path.is_empty() && file.path.len() <= CARD_PATH_BYTES_MAX);
            assert!(
                file.path.split('/').all(|part| !matches!(part, "" | "." | "..")),
                "{}",
                file.path
            );
            let Ok(look) = card.look(&file.path) else { continue };
            assert_eq!(
                card.look(&file.path).map(|again| again.place),
                Ok(look.place),
                "nothing was changed"
            );
            let size = look.file.size_bytes;
            let mut bytes = vec![0; size.min(3_000) as usize];
            let first = card.read(0, &mut bytes);
            let again = card.read(0, &mut bytes);
            assert_eq!(first, again);
            let _ = card.read(size - bytes.len() as u64, &mut bytes);
            assert_eq!(card.read(size, &mut [0]), Err(IoError::Short), "bytes behind the end");
        }
    });
}

/// A card that the real tools made, once: `mkfs.fat` and mtools, `mke2fs -d`, `mkfs.exfat` filled by the tests of the readers.
fn seed(name: &str) -> Seed {
    let bytes: &[u8] = match name {
        "fat12" => include_bytes!("../../cards/fat12"),
        "fat16" => include_bytes!("../../cards/fat16"),
        "fat32" => include_bytes!("../../cards/fat32"),
        "exfat" => include_bytes!("../../cards/exfat"),
        "ext2" => include_bytes!("../../cards/ext2"),
        "ext4" => include_bytes!("../../cards/ext4"),
        other => unreachable!("no card is called {other}"),
    };
    (name.to_owned(), bytes.to_vec())
}

/// The same behind a partition table.
fn partitioned(name: &str) -> Seed {
    const FIRST: u32 = 2048;
    let mut table = [0; SECTOR];
    table[446 + 4] = 0x0c;
    table[446 + 8..446 + 12].copy_from_slice(&FIRST.to_le_bytes());
    table[446 + 12..446 + 16].copy_from_slice(&16_384u32.to_le_bytes());
    table[510..].copy_from_slice(&[0x55, 0xaa]);
    let mut all = vec![0, 0, 0, 1];
    all.extend_from_slice(&table);
    let (_, image) = seed(name);
    let mut rest = image.as_slice();
    while let [low, middle, high, count, behind @ ..] = rest {
        let first = FIRST + u32::from_le_bytes([*low, *middle, *high, 0]);
        all.extend_from_slice(&first.to_le_bytes()[..3]);
        all.push(*count);
        let length = (usize::from(*count) * SECTOR).min(behind.len());
        all.extend_from_slice(&behind[..length]);
        rest = &behind[length..];
    }
    (format!("{name}-partitioned"), all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_a_partition_is_found() {
        let (_, bytes) = partitioned("fat12");
        let image = Counted {
            sectors: Arc::new(unpack(&bytes)),
            reads: Arc::default(),
        };
        let mut card = drivers_cards::open(Box::new(image)).expect("there is a file system");
        assert!(!card.list().expect("it can be listed").files.is_empty());
    }
}
