//! A folder of a file system that this machine has mounted: a card that something else holds, or a share.
//!
//! Links are not followed, and nothing outside of the folder is reached.

use std::fs::{File, Metadata};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use hal::{CardFacts, CardFile, CardForm, CardListing, CardLook, IoError};
use rustix::fs::{Dir, FileType, Mode, OFlags, openat};
use rustix::io::Errno;

use crate::bytes::u64_at;
use crate::limits::DEPTH_MAX;
use crate::listing::{Lister, join};
use crate::{Card, name};

/// A folder as a card.
pub struct Folder {
    facts: CardFacts,
    root: OwnedFd,
    looked: Option<(File, u64)>,
}

fn meaning(errno: Errno) -> IoError {
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => IoError::NotFound,
        Errno::ACCESS | Errno::PERM => IoError::Refused,
        Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM | Errno::SHUTDOWN | Errno::STALE => IoError::Gone,
        Errno::MFILE | Errno::NFILE | Errno::NOMEM => IoError::Exhausted,
        _ => IoError::Media,
    }
}

fn meaning_of(error: &std::io::Error) -> IoError {
    error
        .raw_os_error()
        .map_or(IoError::Media, |errno| meaning(Errno::from_raw_os_error(errno)))
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);
/// Not blocking: a pipe with nobody at its other end must not hold us up.
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

impl Folder {
    pub fn open(path: &Path) -> Result<Folder, IoError> {
        let root =
            rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(meaning)?;
        let stat = rustix::fs::fstat(&root).map_err(meaning)?;
        let same_as = blake3::hash(&[stat.st_dev.to_le_bytes(), stat.st_ino.to_le_bytes()].concat());
        let facts = CardFacts {
            form: CardForm::Folder,
            identity: None,
            volume_id: String::new(),
            label: String::new(),
            size_bytes: 0,
            dirty: false,
            serial: String::new(),
            same_as: u64_at(same_as.as_bytes(), 0),
        };
        Ok(Folder {
            facts,
            root,
            looked: None,
        })
    }

    /// A folder below the root, part by part, so that no link leads out.
    fn below(&self, path: &str) -> Result<OwnedFd, IoError> {
        let mut at = self.root.try_clone().map_err(|error| meaning_of(&error))?;
        for part in path.split('/').filter(|_| !path.is_empty()) {
            // Not upwards, and not from the root of the machine.
            if !name::is_usable(part) {
                return Err(IoError::NotFound);
            }
            at = openat(&at, part, FOLDER, Mode::empty()).map_err(meaning)?;
        }
        Ok(at)
    }
}

fn file(path: String, metadata: &Metadata) -> CardFile {
    let seconds = metadata.mtime().saturating_mul(1_000_000_000);
    let created = metadata.created().ok().and_then(|time| {
        let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
        i64::try_from(since.as_nanos()).ok()
    });
    let modified_ns = seconds.saturating_add(metadata.mtime_nsec());
    CardFile {
        path,
        size_bytes: metadata.len(),
        // A copy was made later than its content was written.
        created_ns: created.filter(|created| *created <= modified_ns),
        modified_ns: Some(modified_ns),
        local_time: false,
    }
}

impl Card for Folder {
    fn facts(&self) -> &CardFacts {
        &self.facts
    }

    fn list(&mut self) -> Result<CardListing, IoError> {
        let mut lister = Lister::new();
        let mut waiting = vec![(String::new(), 0)];
        while let Some((path, depth)) = waiting.pop() {
            let opened = self.below(&path).and_then(|folder| {
                let stat = rustix::fs::fstat(&folder).map_err(meaning)?;
                let entries = Dir::read_from(&folder).map_err(meaning)?;
                Ok((folder, stat, entries))
            });
            let (folder, stat, entries) = match opened {
                Ok(opened) => opened,
                Err(IoError::Gone) => return Err(IoError::Gone),
                Err(error) if path.is_empty() => return Err(error),
                // Removed since it was seen.
                Err(IoError::NotFound) => continue,
                Err(error) => {
                    lister.damage(format!("folder /{path} cannot be read ({error})"));
                    continue;
                }
            };
            let number = blake3::hash(&[stat.st_dev.to_le_bytes(), stat.st_ino.to_le_bytes()].concat());
            if !lister.enter(u64_at(number.as_bytes(), 0), &path) {
                continue;
            }
            let mut below = Vec::new();
            for entry in entries {
                lister.count(64);
                if lister.is_over() {
                    break;
                }
                let entry = match entry.map_err(meaning) {
                    Ok(entry) => entry,
                    Err(IoError::Gone) => return Err(IoError::Gone),
                    Err(error) => {
                        lister.damage(format!("folder /{path} cannot be read ({error})"));
                        break;
                    }
                };
                let name = match entry.file_name().to_str() {
                    Ok("." | "..") => continue,
                    Ok(name) if name::is_usable(name) => name.to_owned(),
                    _ => {
                        lister.damage(format!("folder /{path} has a name that cannot be"));
                        continue;
                    }
                };
                let found = rustix::fs::statat(folder.as_fd(), name.as_str(), rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
                let Ok(found) = found else { continue };
                match FileType::from_raw_mode(found.st_mode) {
                    FileType::Directory if depth >= DEPTH_MAX => {
                        lister.damage(format!("folder /{} lies too deep", join(&path, &name)));
                    }
                    FileType::Directory => below.push((join(&path, &name), depth + 1)),
                    FileType::RegularFile => {
                        let opened = openat(&folder, name.as_str(), FILE, Mode::empty()).map(File::from);
                        match opened
                            .map_err(meaning)
                            .and_then(|file| file.metadata().map_err(|error| meaning_of(&error)))
                        {
                            Ok(metadata) => lister.file(file(join(&path, &name), &metadata)),
                            Err(IoError::NotFound) => {}
                            Err(error) => lister.damage(format!("file /{} cannot be opened ({error})", join(&path, &name))),
                        }
                    }
                    // Links lead elsewhere; the rest holds nothing.
                    _ => {}
                }
            }
            below.sort();
            waiting.extend(below.into_iter().rev());
        }
        Ok(lister.listing())
    }

    fn look(&mut self, path: &str) -> Result<CardLook, IoError> {
        self.looked = None;
        let (folder, last) = path.rsplit_once('/').unwrap_or(("", path));
        if !name::is_usable(last) {
            return Err(IoError::NotFound);
        }
        let folder = self.below(folder)?;
        let opened: File = openat(&folder, last, FILE, Mode::empty()).map_err(meaning)?.into();
        let metadata = opened.metadata().map_err(|error| meaning_of(&error))?;
        if !metadata.is_file() {
            return Err(IoError::NotFound);
        }
        let mut hasher = blake3::Hasher::new();
        for number in [
            metadata.dev(),
            metadata.ino(),
            metadata.len(),
            metadata.mtime() as u64,
            metadata.mtime_nsec() as u64,
            metadata.ctime() as u64,
            metadata.ctime_nsec() as u64,
        ] {
            hasher.update(&number.to_le_bytes());
        }
        self.looked = Some((opened, metadata.len()));
        Ok(CardLook {
            file: file(path.to_owned(), &metadata),
            place: u64_at(hasher.finalize().as_bytes(), 0),
        })
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let Some((file, size_bytes)) = &self.looked else {
            return Err(IoError::Short);
        };
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > *size_bytes {
            return Err(IoError::Short);
        }
        file.read_exact_at(into, at_bytes).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => IoError::Short,
            _ => meaning_of(&error),
        })
    }
}
