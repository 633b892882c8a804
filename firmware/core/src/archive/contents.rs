//! What is on a volume before we touch it: signatures of partition tables, file systems and others (`reliability.md`, O-01).
//!
//! Pure: from the first and last mebibyte to a word. An unknown thing that is not blank is reported as such: only zeros are blank.

use alloc::format;
use alloc::string::{String, ToString};

use crate::format::SECTOR_BYTES;
use crate::format::superblock::Superblock;

/// Bytes looked at at each end.
pub const END_BYTES: u32 = 2 << 20;

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Contents {
    /// Zeros, or all ones as erased flash has it.
    Blank,
    /// An archive of ours, by its UUID.
    Archive(Superblock),
    /// Something that has a name.
    Foreign {
        /// For example `ext2/3/4 file system`.
        what: &'static str,
        /// Its UUID if it is easily told; empty otherwise.
        uuid: String,
    },
    /// Something without a known signature.
    Unknown,
}

/// A signature: what it says, where it lies, its bytes.
type Signature = (&'static str, usize, &'static [u8]);

/// Offsets from the beginning of the volume. Sources: the structures' own documents, as collected in libblkid's manual.
const AT_START: &[Signature] = &[
    ("GPT partition table", 512, b"EFI PART"),
    ("GPT partition table", 4096, b"EFI PART"),
    ("XFS file system", 0, b"XFSB"),
    ("LUKS encrypted volume", 0, b"LUKS\xba\xbe"),
    ("LVM physical volume", 512, b"LABELONE"),
    ("LVM physical volume", 0, b"LABELONE"),
    ("LVM physical volume", 1024, b"LABELONE"),
    ("LVM physical volume", 1536, b"LABELONE"),
    ("exFAT file system", 3, b"EXFAT   "),
    ("NTFS file system", 3, b"NTFS    "),
    ("FAT file system", 54, b"FAT1"),
    ("FAT file system", 82, b"FAT32"),
    ("SquashFS file system", 0, b"hsqs"),
    ("btrfs file system", 0x1_0040, b"_BHRfS_M"),
    ("F2FS file system", 1024, b"\x10\x20\xf5\xf2"),
    ("EROFS file system", 1024, b"\xe2\xe1\xf5\xe0"),
    ("ISO 9660 file system", 0x8001, b"CD001"),
    ("Linux swap", 4086, b"SWAPSPACE2"),
    ("Linux swap", 4086, b"SWAP-SPACE"),
    ("Linux software RAID member", 4096, b"\xfc\x4e\x2b\xa9"),
    ("Linux software RAID member", 0, b"\xfc\x4e\x2b\xa9"),
    (
        "bcache device",
        4120,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    ),
    ("HIKVISION recorder disk", 0x210, b"HIKVISION@HANGZHOU"),
    ("DHFS recorder disk", 0, b"DHFS4.1"),
    ("ext2/3/4 file system", 1080, b"\x53\xef"),
    ("MBR partition table", 510, b"\x55\xaa"),
];

/// Looks at the first and last [`END_BYTES`] of a volume of that size.
pub fn look(head: &[u8], tail: &[u8], volume_bytes: u64) -> Contents {
    if let Some(superblock) = archive_in(head, tail, volume_bytes) {
        return Contents::Archive(superblock);
    }
    let found = AT_START
        .iter()
        .find(|(_, at, bytes)| head.get(*at..*at + bytes.len()) == Some(*bytes));
    if let Some((what, _, _)) = found {
        return Contents::Foreign {
            what,
            uuid: uuid_of(what, head),
        };
    }
    if tail.len() >= 512 && &tail[tail.len() - 512..][..8] == b"EFI PART" {
        return Contents::Foreign {
            what: "backup of a GPT partition table",
            uuid: String::new(),
        };
    }
    // md 0.90 and 1.0 lie 64 to 128 KiB, and 8 to 12 KiB, before the end.
    let raid = |at: &usize| tail.get(*at..*at + 4) == Some(b"\xfc\x4e\x2b\xa9");
    if (0..tail.len()).step_by(4096).any(|at| raid(&at)) {
        return Contents::Foreign {
            what: "Linux software RAID member",
            uuid: String::new(),
        };
    }
    let zfs = |half: &[u8]| {
        half.chunks_exact(1024)
            .any(|chunk| chunk.starts_with(b"\x0c\xb1\xba\x00\x00\x00\x00\x00"))
    };
    if zfs(&head[..head.len().min(1 << 20)]) || zfs(&tail[tail.len().saturating_sub(1 << 20)..]) {
        return Contents::Foreign {
            what: "ZFS pool member",
            uuid: String::new(),
        };
    }
    let blank = |bytes: &[u8]| bytes.iter().all(|b| *b == 0) || bytes.iter().all(|b| *b == 0xff);
    if blank(head) && blank(tail) {
        Contents::Blank
    } else {
        Contents::Unknown
    }
}

fn archive_in(head: &[u8], tail: &[u8], volume_bytes: u64) -> Option<Superblock> {
    let from_end = volume_bytes - tail.len() as u64;
    let offsets = crate::format::superblock::copy_offsets(volume_bytes);
    (0..offsets.len()).find_map(|copy| {
        let at = offsets[copy];
        let bytes = match at.checked_sub(from_end) {
            Some(behind) => tail.get(behind as usize..)?,
            None => head.get(at as usize..)?,
        };
        let sector = bytes.get(..SECTOR_BYTES as usize)?;
        Superblock::decode(copy, sector).ok()
    })
}

/// The UUID of file systems that keep it as 16 plain bytes.
fn uuid_of(what: &str, head: &[u8]) -> String {
    let at = match what {
        "ext2/3/4 file system" => 1024 + 0x68,
        "XFS file system" => 32,
        "btrfs file system" => 0x1_0020,
        "Linux swap" => 1024 + 12,
        _ => return String::new(),
    };
    let mut uuid = [0; 16];
    match head.get(at..at + 16) {
        Some(bytes) => uuid.copy_from_slice(bytes),
        None => return String::new(),
    }
    hal::Uuid(uuid).to_string()
}

impl Contents {
    /// As part of a sentence: "holds …".
    pub fn words(&self) -> String {
        match self {
            Contents::Blank => "nothing".to_string(),
            Contents::Archive(superblock) => {
                format!("the blockhaul archive {} ({})", superblock.label, superblock.archive)
            }
            Contents::Foreign { what, uuid } if uuid.is_empty() => format!("a {what}"),
            Contents::Foreign { what, uuid } => format!("a {what} ({uuid})"),
            Contents::Unknown => "data of an unknown kind".to_string(),
        }
    }

    /// The identity that must be typed out before this may be destroyed; empty if it has none of its own.
    pub fn identity(&self) -> String {
        match self {
            Contents::Archive(superblock) => superblock.archive.to_string(),
            Contents::Foreign { uuid, .. } => uuid.clone(),
            Contents::Blank | Contents::Unknown => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = END_BYTES as usize;

    fn seen(at: usize, bytes: &[u8]) -> Contents {
        let mut head = alloc::vec![0u8; SIZE];
        head[at..at + bytes.len()].copy_from_slice(bytes);
        look(&head, &alloc::vec![0u8; SIZE], 64 << 20)
    }

    #[test]
    fn every_signature_is_found() {
        for (what, at, bytes) in AT_START {
            match seen(*at, bytes) {
                Contents::Foreign { what: found, .. } => assert_eq!(found, *what),
                other => panic!("{what}: {other:?}"),
            }
        }
        assert_eq!(seen(0, b""), Contents::Blank);
        assert_eq!(seen(1_500_000, b"x"), Contents::Unknown);
    }

    #[test]
    fn an_archive_is_found_by_any_one_of_its_copies() {
        let mut superblock = crate::format::superblock::tests::sample();
        superblock.volume_bytes = 200 << 20;
        let offsets = crate::format::superblock::copy_offsets(superblock.volume_bytes);
        for (copy, offset) in offsets.into_iter().enumerate() {
            let mut ends = [alloc::vec![0u8; SIZE], alloc::vec![0u8; SIZE]];
            let from_end = superblock.volume_bytes - SIZE as u64;
            let (end, at) = if offset >= from_end {
                (1, offset - from_end)
            } else {
                (0, offset)
            };
            superblock.encode(copy, &mut ends[end][at as usize..][..SECTOR_BYTES as usize]);
            assert_eq!(
                look(&ends[0], &ends[1], superblock.volume_bytes),
                Contents::Archive(superblock.clone())
            );
        }
    }
}
