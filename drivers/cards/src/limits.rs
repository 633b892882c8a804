//! Every bound of the readers: what a damaged or hostile card can cost.

/// Smallest file system: what is read to find out what it is. Holds a boot sector and the superblock of ext4.
pub const SMALLEST_BYTES: u64 = 4096;
/// Deepest nesting of folders.
pub const DEPTH_MAX: usize = 24;
/// Most folders of a card.
pub const FOLDERS_MAX: usize = 20_000;
/// Most bytes of folders that one listing reads: those of the largest card that `hal::CARD_FILES_MAX` files fill, many times over.
pub const LISTING_BYTES_MAX: u64 = 512 << 20;
/// Largest folder of FAT: 65,536 entries of 32 bytes (Microsoft, FAT32 File System Specification, 2000).
pub const FAT_FOLDER_BYTES_MAX: u64 = 65_536 * 32;
/// Largest folder of exFAT that is read; the format allows 256 MiB, which would be 2.8 million files.
pub const EXFAT_FOLDER_BYTES_MAX: u64 = 32 << 20;
/// Most pieces of a file: 4 MiB of them.
pub const EXTENTS_MAX: usize = 262_144;
/// What is read of tables and folders at once.
pub const WINDOW_BYTES: usize = 64 << 10;
/// Longest name in UTF-16 units, of FAT and exFAT alike.
pub const NAME_UNITS_MAX: usize = 255;
/// Fewest blocks of a group of ext4: `mke2fs` makes none smaller.
pub const EXT_GROUP_BLOCKS_MIN: u32 = 256;
/// Reads of ext4 that one call may make, besides two for each block of the volume.
pub const EXT_READS_MIN: u64 = 16_384;
/// And at most: a listing of `hal::CARD_FILES_MAX` files takes a tenth of it.
pub const EXT_READS_MAX: u64 = 4 << 20;
/// Largest ext4 journal inode or group table is bounded by the size of the volume; larger volumes than this are refused: 64 TiB.
pub const EXT_VOLUME_BYTES_MAX: u64 = 64 << 40;
