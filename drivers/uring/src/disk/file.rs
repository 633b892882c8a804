//! Making and removing the preallocated files that serve as volumes.
//!
//! Blocks; runs on the slow thread.
//!
//! Invariants:
//! - A file that could not be made whole and durable is not left behind.
//! - Only what was made in this run, and is still the same file, is removed.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hal::IoError;
use rustix::fs::FallocateFlags;

use super::errno::{meaning, meaning_of};

/// The files made in this run.
#[derive(Default)]
pub(super) struct Files {
    made: HashMap<PathBuf, Inode>,
}

/// What a path means, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Inode {
    device: u64,
    number: u64,
}

impl Inode {
    fn of(metadata: &fs::Metadata) -> Inode {
        Inode {
            device: metadata.dev(),
            number: metadata.ino(),
        }
    }
}

impl Files {
    /// Makes a file of that size with all blocks allocated.
    pub(super) fn create(&mut self, path: &str, size_bytes: u64) -> Result<(), IoError> {
        let path = Path::new(path);
        let folder = open_folder(path)?;
        if size_bytes == 0 {
            return Err(IoError::Unsupported);
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        let file = file.map_err(|error| meaning_of(&error))?;
        match allocate(&file, &folder, size_bytes) {
            Ok(inode) => {
                self.made.insert(path.to_path_buf(), inode);
                Ok(())
            }
            Err(error) => {
                // The first error is the one to tell; what cannot be removed either is seen as `Exists` next time.
                let _ = fs::remove_file(path).and_then(|()| folder.sync_all());
                Err(error)
            }
        }
    }

    /// Removes a file that [`Files::create`] made.
    pub(super) fn remove(&mut self, path: &str) -> Result<(), IoError> {
        let path = Path::new(path);
        let folder = open_folder(path)?;
        let metadata = fs::symlink_metadata(path).map_err(|error| meaning_of(&error))?;
        if self.made.get(path) != Some(&Inode::of(&metadata)) {
            return Err(IoError::Refused);
        }
        fs::remove_file(path).map_err(|error| meaning_of(&error))?;
        self.made.remove(path);
        folder.sync_all().map_err(|error| meaning_of(&error))
    }
}

fn allocate(file: &File, folder: &File, size_bytes: u64) -> Result<Inode, IoError> {
    rustix::fs::fallocate(file, FallocateFlags::empty(), 0, size_bytes).map_err(meaning)?;
    file.sync_all().map_err(|error| meaning_of(&error))?;
    folder.sync_all().map_err(|error| meaning_of(&error))?;
    Ok(Inode::of(&file.metadata().map_err(|error| meaning_of(&error))?))
}

/// The folder in which a path is an entry.
fn open_folder(path: &Path) -> Result<File, IoError> {
    let folder = path.parent().filter(|_| path.is_absolute()).ok_or(IoError::Unsupported)?;
    File::open(folder).map_err(|error| meaning_of(&error))
}
