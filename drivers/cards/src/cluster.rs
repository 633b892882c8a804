//! File systems made of clusters and a table that links them: what FAT and exFAT have in common.
//!
//! Not their boot sectors and entries: `fat.rs`, `exfat.rs`. Only the first copy of the table is read: the second one is what a
//! card that lost power has not written yet.

mod chain;
mod volume;

use hal::{CardFacts, CardFile, CardListing, CardLook, IoError};

pub use chain::Extent;
pub use volume::{Root, Style, Volume, Width};

use crate::limits::{DEPTH_MAX, EXFAT_FOLDER_BYTES_MAX, FAT_FOLDER_BYTES_MAX};
use crate::listing::{Lister, join};
use crate::window::Window;
use crate::{Bytes, Card, exfat, fat, name};

/// Bytes of an entry in a folder.
pub const ENTRY_BYTES: usize = 32;

/// A file or folder, as its entry says.
#[derive(Clone, Debug)]
pub struct Node {
    pub name: String,
    pub is_folder: bool,
    pub first_cluster: u32,
    pub size_bytes: u64,
    /// Behind that nothing was written yet: it reads as zeros.
    pub valid_bytes: u64,
    /// Its clusters follow each other, and the table does not say so.
    pub contiguous: bool,
    pub created_ns: Option<i64>,
    pub modified_ns: Option<i64>,
    pub local_time: bool,
    /// A number for all bytes of the entry but its last access.
    pub entry: u64,
}

/// What one more entry of 32 bytes means.
pub enum Step {
    /// Nothing yet.
    On,
    /// A whole file or folder.
    Node(Node),
    /// An entry that contradicts itself.
    Damaged(&'static str),
    /// The folder ends here.
    End,
}

/// The state of reading a folder.
pub trait Entries {
    fn take(&mut self, entry: &[u8; ENTRY_BYTES]) -> Step;
}

/// The file that was looked at last.
struct Looked {
    extents: Vec<Extent>,
    size_bytes: u64,
    valid_bytes: u64,
}

/// A file system of clusters.
pub struct Clustered {
    volume: Volume,
    window: Window,
    looked: Option<Looked>,
}

/// Where a folder is.
#[derive(Clone, Copy)]
enum Place {
    Root,
    Chain { first: u32, size_bytes: u64, contiguous: bool },
}

impl Place {
    fn of(node: &Node) -> Place {
        Place::Chain {
            first: node.first_cluster,
            size_bytes: node.size_bytes,
            contiguous: node.contiguous,
        }
    }

    /// A number that no other folder has.
    fn number(self) -> u64 {
        match self {
            Place::Root => 0,
            Place::Chain { first, .. } => u64::from(first),
        }
    }
}

impl Clustered {
    /// Reads what the table says of how it was left.
    pub fn open(volume: Volume, bytes: Box<dyn Bytes>) -> Result<Clustered, IoError> {
        let mut clustered = Clustered {
            volume,
            window: Window::new(bytes),
            looked: None,
        };
        let volume = &clustered.volume;
        let dirty = match volume.width {
            Width::Fat12 | Width::Exfat => false,
            Width::Fat16 => clustered.window.array::<2>(volume.table_at + 2)?[1] & 0x80 == 0,
            Width::Fat32 => clustered.window.array::<4>(volume.table_at + 4)?[3] & 0x08 == 0,
        };
        clustered.volume.facts.dirty |= dirty;
        if let Root::Chain(first) = clustered.volume.root
            && !clustered.volume.is_cluster(first)
        {
            return Err(IoError::Damaged);
        }
        let label = clustered.label();
        if clustered.volume.facts.label.is_empty() {
            clustered.volume.facts.label = label;
        }
        Ok(clustered)
    }

    fn entries(&self) -> Box<dyn Entries> {
        match self.volume.style {
            Style::Fat => Box::new(fat::Reading::default()),
            Style::Exfat => Box::new(exfat::Reading::default()),
        }
    }

    /// The name of the volume, from the beginning of its root.
    fn label(&mut self) -> String {
        let Ok((extents, _)) = self.folder(Place::Root) else {
            return String::new();
        };
        let Some(first) = extents.first().copied() else {
            return String::new();
        };
        for at in (0..first.bytes.min(4096)).step_by(ENTRY_BYTES) {
            let Ok(entry) = self.window.array::<ENTRY_BYTES>(first.at_bytes + at) else {
                break;
            };
            let label = match self.volume.style {
                Style::Fat => fat::label(&entry),
                Style::Exfat => exfat::label(&entry),
            };
            if let Some(label) = label {
                return label;
            }
        }
        String::new()
    }

    /// Pieces of a folder, and what is wrong with the rest.
    fn folder(&mut self, place: Place) -> Result<(Vec<Extent>, Option<&'static str>), IoError> {
        let longest = match self.volume.style {
            Style::Fat => FAT_FOLDER_BYTES_MAX,
            Style::Exfat => EXFAT_FOLDER_BYTES_MAX,
        };
        match (place, self.volume.root) {
            (Place::Root, Root::Fixed(extent)) => Ok((vec![extent], None)),
            (Place::Root, Root::Chain(first)) => chain::to_end(&self.volume, &mut self.window, first, longest),
            (Place::Chain { first, .. }, _) if self.volume.style == Style::Fat => {
                chain::to_end(&self.volume, &mut self.window, first, longest)
            }
            (
                Place::Chain {
                    first,
                    size_bytes,
                    contiguous,
                },
                _,
            ) => {
                let cut = (size_bytes > longest).then_some("is larger than 32 MiB");
                let extents = chain::of_size(&self.volume, &mut self.window, first, size_bytes.min(longest), contiguous)?;
                Ok((extents, cut))
            }
        }
    }

    /// Reads a folder and hands out what is in it, until `visit` says `false`. Says what is wrong with it.
    fn read_folder(&mut self, place: Place, visit: &mut dyn FnMut(Result<Node, &'static str>) -> bool) -> Result<u64, IoError> {
        let (extents, wrong) = self.folder(place)?;
        let mut reading = self.entries();
        let mut read = 0;
        'all: for extent in extents {
            for at in (0..extent.bytes).step_by(ENTRY_BYTES) {
                let entry = self.window.array::<ENTRY_BYTES>(extent.at_bytes + at)?;
                read += ENTRY_BYTES as u64;
                let go_on = match reading.take(&entry) {
                    Step::On => true,
                    Step::Node(node) if !name::is_usable(&node.name) => visit(Err("has a name that cannot be")),
                    Step::Node(node) => visit(Ok(node)),
                    Step::Damaged(what) => visit(Err(what)),
                    Step::End => return Ok(read),
                };
                if !go_on {
                    break 'all;
                }
            }
        }
        if let Some(wrong) = wrong {
            visit(Err(wrong));
        }
        Ok(read)
    }

    /// The entry of a path.
    fn find(&mut self, path: &str) -> Result<Node, IoError> {
        let mut place = Place::Root;
        let mut parts = path.split('/').peekable();
        let mut depth = 0;
        while let Some(part) = parts.next() {
            depth += 1;
            if depth > DEPTH_MAX {
                return Err(IoError::NotFound);
            }
            let is_last = parts.peek().is_none();
            let mut found = None;
            self.read_folder(place, &mut |node| {
                found = node.ok().filter(|node| node.name == part && node.is_folder != is_last);
                found.is_none()
            })?;
            let node = found.ok_or(IoError::NotFound)?;
            if is_last {
                return Ok(node);
            }
            place = Place::of(&node);
        }
        Err(IoError::NotFound)
    }
}

fn file(path: String, node: &Node) -> CardFile {
    CardFile {
        path,
        size_bytes: node.size_bytes,
        created_ns: node.created_ns,
        modified_ns: node.modified_ns,
        local_time: node.local_time,
    }
}

impl Card for Clustered {
    fn facts(&self) -> &CardFacts {
        &self.volume.facts
    }

    fn list(&mut self) -> Result<CardListing, IoError> {
        self.window.forget();
        let mut lister = Lister::new();
        let mut waiting = vec![(Place::Root, String::new(), 0)];
        while let Some((place, path, depth)) = waiting.pop() {
            if !lister.enter(place.number(), &path) {
                continue;
            }
            let mut below = Vec::new();
            let read = self.read_folder(place, &mut |found| {
                match found {
                    Ok(node) if node.is_folder && depth >= DEPTH_MAX => {
                        lister.damage(format!("folder /{} lies too deep", join(&path, &node.name)));
                    }
                    Ok(node) if node.is_folder => below.push((Place::of(&node), join(&path, &node.name), depth + 1)),
                    Ok(node) => lister.file(file(join(&path, &node.name), &node)),
                    Err(what) => lister.damage(format!("folder /{path} {what}")),
                }
                !lister.is_over()
            });
            match read {
                Ok(bytes) => lister.count(bytes),
                // Without a device there is nothing to list; a bad place costs one folder.
                Err(IoError::Gone) => return Err(IoError::Gone),
                Err(error) => lister.damage(format!("folder /{path} cannot be read ({error})")),
            }
            waiting.extend(below.into_iter().rev());
        }
        Ok(lister.listing())
    }

    fn look(&mut self, path: &str) -> Result<CardLook, IoError> {
        self.window.forget();
        self.looked = None;
        let node = self.find(path)?;
        let extents = chain::of_size(
            &self.volume,
            &mut self.window,
            node.first_cluster,
            node.size_bytes,
            node.contiguous,
        )?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&node.entry.to_le_bytes());
        for extent in &extents {
            hasher.update(&extent.at_bytes.to_le_bytes());
            hasher.update(&extent.bytes.to_le_bytes());
        }
        let place = crate::bytes::u64_at(hasher.finalize().as_bytes(), 0);
        self.looked = Some(Looked {
            extents,
            size_bytes: node.size_bytes,
            valid_bytes: node.valid_bytes,
        });
        Ok(CardLook {
            file: file(path.to_owned(), &node),
            place,
        })
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let Some(looked) = &self.looked else {
            return Err(IoError::Short);
        };
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > looked.size_bytes {
            return Err(IoError::Short);
        }
        let valid = looked.valid_bytes.saturating_sub(at_bytes).min(into.len() as u64) as usize;
        let (into, zeros) = into.split_at_mut(valid);
        zeros.fill(0);
        let mut done = 0;
        let mut skip = at_bytes;
        for extent in &looked.extents {
            if done == into.len() {
                break;
            }
            if skip >= extent.bytes {
                skip -= extent.bytes;
                continue;
            }
            let length = ((extent.bytes - skip) as usize).min(into.len() - done);
            self.window.read(extent.at_bytes + skip, &mut into[done..done + length])?;
            done += length;
            skip = 0;
        }
        if done == into.len() { Ok(()) } else { Err(IoError::Short) }
    }
}
