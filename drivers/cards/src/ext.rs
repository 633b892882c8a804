//! ext2, ext3 and ext4 through `ext4-view`, which replays a journal in memory and writes nothing.
//!
//! Where a file lies is not told: its times (nanoseconds, and one that nobody can set) and its size stand for that.
//! Invariant: a look loads the file system anew, so that nothing cached is believed.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::rc::Rc;

use ext4_view::{Ext4, Ext4Error, Ext4Read, File, FileType, Metadata, Timestamp};
use hal::{CardFacts, CardFile, CardForm, CardListing, CardLook, IoError, Uuid};

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::limits::{DEPTH_MAX, EXT_GROUP_BLOCKS_MIN, EXT_READS_MAX, EXT_READS_MIN, EXT_VOLUME_BYTES_MAX};
use crate::listing::{Lister, join};
use crate::{Bytes, Card, guard, name};

/// Where the superblock is.
const SUPER_AT: usize = 1024;
/// Of the features that a reader must know: the journal has not been replayed.
const NEEDS_RECOVERY: u32 = 4;

/// An error on its way through the library.
#[derive(Debug)]
struct Carried(IoError);

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for Carried {}

/// The bytes of the card, for one load after the other, and how many reads the call that is on may still make: the library goes
/// round in circles on some damaged volumes.
#[derive(Clone)]
struct Shared(Rc<RefCell<Box<dyn Bytes>>>, Rc<Cell<u64>>);

impl Ext4Read for Shared {
    fn read(&mut self, start_byte: u64, dst: &mut [u8]) -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
        let left = self.1.get().checked_sub(1).ok_or(Carried(IoError::Damaged))?;
        self.1.set(left);
        self.0
            .borrow_mut()
            .read(start_byte, dst)
            .map_err(|error| Carried(error).into())
    }
}

fn meaning(error: &Ext4Error) -> IoError {
    match error {
        Ext4Error::NotFound | Ext4Error::NotADirectory | Ext4Error::IsADirectory => IoError::NotFound,
        Ext4Error::Io(inner) => inner.downcast_ref::<Carried>().map_or(IoError::Media, |carried| carried.0),
        Ext4Error::Incompatible(_) | Ext4Error::Encrypted => IoError::Unsupported,
        _ => IoError::Damaged,
    }
}

/// Whether a superblock is there.
pub fn is_there(head: &[u8]) -> bool {
    u16_at(head, SUPER_AT + 56) == 0xef53
}

/// A file system of that family.
pub struct Ext {
    facts: CardFacts,
    bytes: Shared,
    /// The file that was looked at, or what a read of it comes to.
    file: Result<File, IoError>,
    size_bytes: u64,
    /// Reads of one call at most.
    reads_max: u64,
}

impl Ext {
    pub fn open(head: &[u8], bytes: Box<dyn Bytes>) -> Result<Ext, IoError> {
        let superblock = &head[SUPER_AT..2 * SUPER_AT];
        // The library reads the upper half whether the features say that there is one or not.
        let blocks = u64::from(u32_at(superblock, 336)) << 32 | u64::from(u32_at(superblock, 4));
        let block_bytes = 1024u64.checked_shl(u32_at(superblock, 24)).unwrap_or(0);
        let size_bytes = blocks.saturating_mul(block_bytes);
        // What the volume claims is what the library reserves memory for.
        if size_bytes == 0 || size_bytes > EXT_VOLUME_BYTES_MAX || size_bytes > bytes.size_bytes() {
            return Err(IoError::Damaged);
        }
        // The library keeps a row for each group, however small the superblock says that they are.
        if u32_at(superblock, 32) < EXT_GROUP_BLOCKS_MIN {
            return Err(IoError::Damaged);
        }
        let mut ids = [0; 16];
        ids.copy_from_slice(&superblock[104..120]);
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"ext");
        hasher.update(&ids);
        // When it was made, and the seed of its hashes: what a copy of the UUID alone does not have.
        hasher.update(&superblock[264..268]);
        hasher.update(&superblock[236..252]);
        let mut identity = [0; 16];
        identity.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let label = &superblock[120..136];
        let end = label.iter().position(|byte| *byte == 0).unwrap_or(label.len());
        let facts = CardFacts {
            form: CardForm::Ext4,
            identity: Some(Uuid(identity)),
            volume_id: Uuid(ids).to_string(),
            label: String::from_utf8_lossy(&label[..end]).into_owned(),
            size_bytes,
            dirty: u16_at(superblock, 58) & 1 == 0 || u32_at(superblock, 96) & NEEDS_RECOVERY != 0,
            serial: String::new(),
            same_as: 0,
        };
        let ext = Ext {
            facts,
            bytes: Shared(Rc::new(RefCell::new(bytes)), Rc::new(Cell::new(0))),
            file: Err(IoError::Short),
            size_bytes: 0,
            reads_max: (EXT_READS_MIN + 2 * blocks).min(EXT_READS_MAX),
        };
        guard::call(|| ext.load().map(drop))?;
        Ok(ext)
    }

    fn load(&self) -> Result<Ext4, IoError> {
        self.bytes.1.set(self.reads_max);
        Ext4::load(Box::new(self.bytes.clone())).map_err(|error| meaning(&error))
    }
}

/// What is at a path. No link is followed anywhere on the way: the library reserves as much memory for one as its size claims.
fn kind(system: &Ext4, path: &str) -> Result<FileType, IoError> {
    let mut at = String::new();
    let mut kind = FileType::Directory;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        if kind != FileType::Directory {
            return Err(IoError::NotFound);
        }
        at.push('/');
        at.push_str(name);
        let metadata = system.symlink_metadata(at.as_str()).map_err(|error| meaning(&error))?;
        kind = metadata.file_type();
    }
    Ok(kind)
}

fn ns(stamp: Timestamp) -> i64 {
    let (seconds, nanoseconds) = (stamp.seconds(), stamp.nanoseconds());
    seconds.saturating_mul(1_000_000_000).saturating_add(i64::from(nanoseconds))
}

fn file(path: String, metadata: &Metadata) -> CardFile {
    CardFile {
        path,
        size_bytes: metadata.len(),
        created_ns: metadata.created().map(ns).filter(|ns| *ns != 0),
        modified_ns: Some(ns(metadata.modified())),
        local_time: false,
    }
}

impl Card for Ext {
    fn facts(&self) -> &CardFacts {
        &self.facts
    }

    fn list(&mut self) -> Result<CardListing, IoError> {
        guard::call(|| self.every_file())
    }

    fn look(&mut self, path: &str) -> Result<CardLook, IoError> {
        self.file = Err(IoError::Short);
        self.size_bytes = 0;
        guard::call(|| self.one_file(path))
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let done = guard::call(|| self.bytes_of_file(at_bytes, into));
        if done == Err(IoError::Damaged) {
            // The library may have panicked in the middle of it.
            self.file = Err(IoError::Damaged);
        }
        done
    }
}

impl Ext {
    fn every_file(&mut self) -> Result<CardListing, IoError> {
        let system = self.load()?;
        let mut lister = Lister::new();
        let mut waiting = vec![(String::new(), 0)];
        while let Some((path, depth)) = waiting.pop() {
            let number = u64_at(blake3::hash(path.as_bytes()).as_bytes(), 0);
            if !lister.enter(number, &path) {
                continue;
            }
            // The names of a folder and its index may tell different stories: what is read is what is found by its name.
            let folder = kind(&system, &path).and_then(|kind| match kind {
                FileType::Directory => Ok(system.read_dir(format!("/{path}").as_str())),
                _ => Err(IoError::Damaged),
            });
            let folder = match folder {
                Ok(entries) => entries,
                Err(IoError::Gone) => return Err(IoError::Gone),
                Err(error) => {
                    lister.damage(format!("folder /{path} cannot be read ({error})"));
                    continue;
                }
            };
            let entries = match folder {
                Ok(entries) => entries,
                Err(error) => match meaning(&error) {
                    IoError::Gone => return Err(IoError::Gone),
                    error => {
                        lister.damage(format!("folder /{path} cannot be read ({error})"));
                        continue;
                    }
                },
            };
            let mut below = Vec::new();
            for entry in entries {
                lister.count(64);
                if lister.is_over() {
                    break;
                }
                let found = entry.and_then(|entry| {
                    let metadata = entry.metadata()?;
                    Ok((entry.file_name().as_str().map(str::to_owned), metadata))
                });
                match found {
                    Ok((Ok(name), _)) if name == "." || name == ".." => {}
                    Ok((Ok(name), metadata)) if name::is_usable(&name) => match metadata.file_type() {
                        FileType::Directory if depth >= DEPTH_MAX => {
                            lister.damage(format!("folder /{} lies too deep", join(&path, &name)));
                        }
                        FileType::Directory => below.push((join(&path, &name), depth + 1)),
                        FileType::Regular => lister.file(file(join(&path, &name), &metadata)),
                        // Links lead elsewhere; the rest holds nothing.
                        _ => {}
                    },
                    Ok(_) => lister.damage(format!("folder /{path} has a name that cannot be")),
                    // The iterator may not come to an end behind one.
                    Err(error) => {
                        if meaning(&error) == IoError::Gone {
                            return Err(IoError::Gone);
                        }
                        lister.damage(format!("folder /{path} has an entry that cannot be read ({error})"));
                        break;
                    }
                }
            }
            waiting.extend(below.into_iter().rev());
        }
        Ok(lister.listing())
    }

    fn one_file(&mut self, path: &str) -> Result<CardLook, IoError> {
        let system = self.load()?;
        let whole = format!("/{path}");
        if kind(&system, path)? != FileType::Regular {
            return Err(IoError::NotFound);
        }
        let opened = system.open(whole.as_str()).map_err(|error| meaning(&error))?;
        let metadata = opened.metadata().clone();
        let mut hasher = blake3::Hasher::new();
        for stamp in [metadata.modified(), metadata.created().unwrap_or(metadata.modified())] {
            hasher.update(&ns(stamp).to_le_bytes());
        }
        hasher.update(&metadata.len().to_le_bytes());
        self.size_bytes = metadata.len();
        self.file = Ok(opened);
        Ok(CardLook {
            file: file(path.to_owned(), &metadata),
            place: u64_at(hasher.finalize().as_bytes(), 0),
        })
    }

    fn bytes_of_file(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > self.size_bytes {
            return Err(IoError::Short);
        }
        let file = self.file.as_mut().map_err(|error| *error)?;
        self.bytes.1.set(self.reads_max);
        file.seek_to(at_bytes).map_err(|error| meaning(&error))?;
        let mut done = 0;
        while done < into.len() {
            match file.read_bytes(&mut into[done..]) {
                Ok(0) => return Err(IoError::Short),
                Ok(length) => done += length,
                Err(error) => return Err(meaning(&error)),
            }
        }
        Ok(())
    }
}
