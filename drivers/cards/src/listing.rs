//! What a listing gathers, and what bounds it.

use std::collections::BTreeSet;

use hal::{CARD_DAMAGE_MAX, CARD_FILES_MAX, CARD_PATH_BYTES_MAX, CardFile, CardListing};

use crate::limits::{FOLDERS_MAX, LISTING_BYTES_MAX};

/// A listing under way.
pub struct Lister {
    listing: CardListing,
    /// First clusters, or paths, of folders that were read: a folder in itself is read once.
    folders: BTreeSet<u64>,
    read_bytes: u64,
}

impl Lister {
    pub fn new() -> Lister {
        Lister {
            listing: CardListing::default(),
            folders: BTreeSet::new(),
            read_bytes: 0,
        }
    }

    /// A folder is going to be read. `false`: it was already, or there are too many.
    pub fn enter(&mut self, folder: u64, path: &str) -> bool {
        if self.is_over() {
            return false;
        }
        if self.folders.len() >= FOLDERS_MAX {
            self.listing.more = true;
            return false;
        }
        if !self.folders.insert(folder) {
            self.damage(format!("folder /{path} is the same as another one"));
            return false;
        }
        true
    }

    /// So many bytes of folders were read.
    pub fn count(&mut self, bytes: u64) {
        self.read_bytes += bytes;
        if self.read_bytes > LISTING_BYTES_MAX {
            self.listing.more = true;
        }
    }

    /// No more of it is wanted.
    pub fn is_over(&self) -> bool {
        self.listing.more
    }

    pub fn file(&mut self, file: CardFile) {
        if file.path.len() > CARD_PATH_BYTES_MAX {
            self.damage("a path is longer than 1,024 bytes".to_owned());
        } else if self.listing.files.len() >= CARD_FILES_MAX {
            self.listing.more = true;
        } else {
            self.listing.files.push(file);
        }
    }

    pub fn damage(&mut self, what: String) {
        self.listing.damaged += 1;
        if self.listing.damage.len() < CARD_DAMAGE_MAX {
            self.listing.damage.push(what);
        }
    }

    pub fn listing(self) -> CardListing {
        self.listing
    }
}

/// A path below a folder.
pub fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() {
        name.to_owned()
    } else {
        format!("{folder}/{name}")
    }
}
