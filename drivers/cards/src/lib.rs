//! File systems of cameras' cards, read from bytes: FAT12, FAT16, FAT32, exFAT, ext2 to ext4; and plain folders.
//!
//! Not a driver of its own: `drivers/uring` gives it the bytes of a device. Not a place for decisions: which files are wanted, and
//! when, is the core's question.
//!
//! Invariants:
//! - Nothing here can write: [`Bytes`] has no such method, and folders are opened for reading.
//! - Whatever the bytes are, every call comes to an end, memory is bounded by `limits.rs` and the size of tables that are really
//!   there, and nothing panics. Somebody else may be writing to the card meanwhile.
//! - A look reads anew: nothing that was read before is believed.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bytes;
mod cluster;
mod exfat;
mod ext;
mod fat;
mod folder;
mod guard;
mod limits;
mod listing;
mod name;
mod partition;
mod time;
mod window;

pub use guard::is_guarded;
use hal::{CardFacts, CardListing, CardLook, IoError};

/// The bytes of a card, from a device or an image.
pub trait Bytes {
    /// How many there are.
    fn size_bytes(&self) -> u64;
    /// Fills all of `into` from that offset on. Any offset and length; behind the end it is an error.
    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError>;
}

impl Bytes for std::sync::Arc<[u8]> {
    fn size_bytes(&self) -> u64 {
        self.len() as u64
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let from = usize::try_from(at_bytes).map_err(|_| IoError::Short)?;
        let there = self.get(from..).and_then(|rest| rest.get(..into.len()));
        into.copy_from_slice(there.ok_or(IoError::Short)?);
        Ok(())
    }
}

/// A file system that can be read.
pub trait Card {
    /// What it is.
    fn facts(&self) -> &CardFacts;
    /// Every file that it has.
    fn list(&mut self) -> Result<CardListing, IoError>;
    /// One file as it is now. [`IoError::NotFound`] if there is none; [`IoError::Damaged`] if its clusters make no sense.
    fn look(&mut self, path: &str) -> Result<CardLook, IoError>;
    /// Bytes of the file that was looked at last, from where it lay then. [`IoError::Short`] behind its end, and if none was looked at.
    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError>;
}

/// Which file system it is, by what it begins with.
enum Kind {
    Exfat(exfat::Boot),
    Ext,
    Fat(fat::Boot),
}

/// The beginning of a file system, and which one it is.
fn kind(at_bytes: u64, bytes: &mut dyn Bytes) -> Result<([u8; limits::SMALLEST_BYTES as usize], Option<Kind>), IoError> {
    let mut head = [0; limits::SMALLEST_BYTES as usize];
    bytes.read(at_bytes, &mut head)?;
    let exfat = exfat::Boot::parse(&head).map(Kind::Exfat);
    let ext = || ext::is_there(&head).then_some(Kind::Ext);
    let kind = exfat.or_else(ext).or_else(|| fat::Boot::parse(&head).map(Kind::Fat));
    Ok((head, kind))
}

/// The same, without a look for partitions.
pub fn open_whole(mut bytes: Box<dyn Bytes>) -> Result<Box<dyn Card>, IoError> {
    if bytes.size_bytes() < limits::SMALLEST_BYTES {
        return Err(IoError::Unsupported);
    }
    let (head, found) = kind(0, bytes.as_mut())?;
    open_as(found.ok_or(IoError::Unsupported)?, &head, bytes)
}

/// Finds out which file system it is; if there is a partition table instead, which one is in the largest partition that has one.
/// [`IoError::Unsupported`]: none that is known here.
pub fn open(mut bytes: Box<dyn Bytes>) -> Result<Box<dyn Card>, IoError> {
    if bytes.size_bytes() < limits::SMALLEST_BYTES {
        return Err(IoError::Unsupported);
    }
    let (head, found) = kind(0, bytes.as_mut())?;
    if let Some(kind) = found {
        return open_as(kind, &head, bytes);
    }
    let mut ranges = partition::partitions(&head, bytes.as_mut())?;
    ranges.retain(|range| range.end - range.start >= limits::SMALLEST_BYTES);
    ranges.sort_by_key(|range| std::cmp::Reverse(range.end - range.start));
    for range in ranges {
        if let Ok((head, Some(kind))) = kind(range.start, bytes.as_mut()) {
            return open_as(kind, &head, Box::new(partition::Part { bytes, range }));
        }
    }
    Err(IoError::Unsupported)
}

fn open_as(kind: Kind, head: &[u8], bytes: Box<dyn Bytes>) -> Result<Box<dyn Card>, IoError> {
    Ok(match kind {
        Kind::Exfat(boot) => Box::new(cluster::Clustered::open(boot.volume(), bytes)?),
        Kind::Fat(boot) => Box::new(cluster::Clustered::open(boot.volume(), bytes)?),
        Kind::Ext => Box::new(ext::Ext::open(head, bytes)?),
    })
}

/// A folder of a file system that is mounted here. [`IoError::NotFound`] if there is none.
pub fn open_folder(path: &std::path::Path) -> Result<Box<dyn Card>, IoError> {
    Ok(Box::new(folder::Folder::open(path)?))
}
