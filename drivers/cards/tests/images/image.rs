//! Images of cards, made by mkfs.fat, mkfs.exfat, mke2fs and mtools in a folder of their own; files with content that is known.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use drivers_cards::{Bytes, Card};
use hal::{CardListing, IoError};

/// An image whose bytes can be changed while it is read.
#[derive(Clone)]
pub struct Image(pub Arc<Mutex<Vec<u8>>>);

impl Bytes for Image {
    fn size_bytes(&self) -> u64 {
        self.0.lock().unwrap().len() as u64
    }

    fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let bytes = self.0.lock().unwrap();
        let from = usize::try_from(at_bytes).unwrap();
        into.copy_from_slice(bytes.get(from..from + into.len()).ok_or(IoError::Short)?);
        Ok(())
    }
}

impl Image {
    pub fn of(path: &Path) -> Image {
        Image(Arc::new(Mutex::new(fs::read(path).unwrap())))
    }

    pub fn open(&self) -> Box<dyn Card> {
        drivers_cards::open(Box::new(self.clone())).unwrap()
    }

    /// Takes the bytes of a file in their place.
    pub fn replace(&self, path: &Path) {
        *self.0.lock().unwrap() = fs::read(path).unwrap();
    }
}

/// Runs a program, which must go well.
pub fn run(program: &str, arguments: &[&str]) {
    let mut command = Command::new(program);
    command.args(arguments).env("MTOOLS_SKIP_CHECK", "1").env("TZ", "UTC");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{program} cannot be run ({error}): `cargo ci` installs it"));
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// Bytes that tell of themselves where they belong.
pub fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut content = Vec::with_capacity(bytes + 8);
    while content.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend_from_slice(&state.to_le_bytes());
    }
    content.truncate(bytes);
    content
}

/// An empty file system in a file, by `mkfs.fat`.
pub fn fat(folder: &Path, bits: &str, size_bytes: u64, per_cluster: &str) -> PathBuf {
    let path = folder.join(format!("fat{bits}.img"));
    fs::File::create(&path).unwrap().set_len(size_bytes).unwrap();
    run(
        "mkfs.fat",
        &[
            "-F",
            bits,
            "-s",
            per_cluster,
            "-n",
            "CAMERA",
            "-i",
            "12345678",
            path.to_str().unwrap(),
        ],
    );
    path
}

/// Puts a file onto a FAT image.
pub fn copy_in(image: &Path, from: &Path, to: &str) {
    run(
        "mcopy",
        &[
            "-m",
            "-o",
            "-i",
            image.to_str().unwrap(),
            from.to_str().unwrap(),
            &format!("::{to}"),
        ],
    );
}

pub fn make_folder(image: &Path, name: &str) {
    run("mmd", &["-i", image.to_str().unwrap(), &format!("::{name}")]);
}

pub fn delete(image: &Path, name: &str) {
    run("mdel", &["-i", image.to_str().unwrap(), &format!("::{name}")]);
}

/// A file with content in a folder of the machine.
pub fn file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

/// All bytes of a file on a card.
pub fn read(card: &mut dyn Card, path: &str) -> Result<Vec<u8>, IoError> {
    let look = card.look(path)?;
    let mut bytes = vec![0; look.file.size_bytes as usize];
    let mut at = 0;
    // In pieces that fit no cluster.
    for piece in bytes.chunks_mut(100_003) {
        card.read(at, piece)?;
        at += piece.len() as u64;
    }
    Ok(bytes)
}

/// Paths of a listing, in order of names.
pub fn paths(listing: &CardListing) -> Vec<&str> {
    let mut paths: Vec<_> = listing.files.iter().map(|file| file.path.as_str()).collect();
    paths.sort_unstable();
    paths
}
