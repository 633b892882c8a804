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

/// Finds out which file system it is. [`IoError::Unsupported`]: none that is known here.
pub fn open(mut bytes: Box<dyn Bytes>) -> Result<Box<dyn Card>, IoError> {
    if bytes.size_bytes() < limits::SMALLEST_BYTES {
        return Err(IoError::Unsupported);
    }
    let mut head = [0; limits::SMALLEST_BYTES as usize];
    bytes.read(0, &mut head)?;
    if let Some(boot) = exfat::Boot::parse(&head) {
        return Ok(Box::new(cluster::Clustered::open(boot.volume(), bytes)?));
    }
    if ext::is_there(&head) {
        return Ok(Box::new(ext::Ext::open(&head, bytes)?));
    }
    match fat::Boot::parse(&head) {
        Some(boot) => Ok(Box::new(cluster::Clustered::open(boot.volume(), bytes)?)),
        None => Err(IoError::Unsupported),
    }
}

/// A folder of a file system that is mounted here. [`IoError::NotFound`] if there is none.
pub fn open_folder(path: &std::path::Path) -> Result<Box<dyn Card>, IoError> {
    Ok(Box::new(folder::Folder::open(path)?))
}
