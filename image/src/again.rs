//! Baking once more in another folder, with a compiler's folder of its own, and comparing every byte: the proof that an image can be
//! had again from its board file, kernel package, compiler and sources.
//!
//! The kernel package and the boot loader are inputs, and are shared.

use std::path::{Path, PathBuf};

use crate::bake::{self, Image, Options};
use crate::board::Board;
use crate::boot::Boot;
use crate::disk::{Disk, Slot};
use crate::tree::{Tree, read};
use crate::{Result, daemon};

/// The disk that is compared, in bytes: the smallest that holds two slots.
const DISK_BYTES: u64 = 256 << 20;
const DISK: &str = "disk.img";
/// The folder of the second time.
const FOLDER: &str = "again";

/// What is compared: everything that a bake leaves.
const FILES: [&str; 6] = ["vmlinuz", "vmlinux", "initramfs.cpio", "image.toml", "sbom.cdx.json", DISK];

/// A file that came out the same twice.
#[derive(Debug)]
pub struct Same {
    /// Its name.
    pub name: &'static str,
    /// Its size.
    pub bytes: u64,
    /// BLAKE3 of it.
    pub hash: blake3::Hash,
}

/// Bakes `board` here and once more elsewhere. With `daemon_too` the daemon is built elsewhere too, from nothing; else it is the
/// same program both times.
pub fn twice(tree: &Tree, board: &str, daemon_too: bool) -> Result<Vec<Same>> {
    // What the last time left would not be made anew.
    let _ = std::fs::remove_dir_all(tree.images().join(FOLDER));
    let elsewhere = tree.elsewhere(FOLDER, &tree.root)?;
    let boot = Boot::obtain(tree)?;
    let first = once(tree, board, None, &boot)?;
    let program = match daemon_too {
        true => None,
        false => Some(daemon::build(tree, daemon::DAEMON, &Board::load(tree, board)?.target)?),
    };
    let second = once(&elsewhere, board, program, &boot)?;
    FILES.into_iter().map(|name| same(name, &first, &second)).collect()
}

fn once(tree: &Tree, board: &str, daemon: Option<PathBuf>, boot: &Boot) -> Result<PathBuf> {
    let options = Options {
        daemon,
        fetch_kernel: false,
    };
    let image: Image = bake::build(tree, board, &options)?;
    let slot = Slot::new(boot, &image, &read(&image.initramfs())?, bake::VERSION, None)?;
    Disk::write(&image.folder.join(DISK), board, DISK_BYTES, boot, &slot)?;
    Ok(image.folder)
}

fn same(name: &'static str, first: &Path, second: &Path) -> Result<Same> {
    let (one, other) = (read(&first.join(name))?, read(&second.join(name))?);
    if one == other {
        return Ok(Same {
            name,
            bytes: one.len() as u64,
            hash: blake3::hash(&one),
        });
    }
    let at = one.iter().zip(&other).position(|(one, other)| one != other);
    Err(format!(
        "{name} is not the same twice: {} and {} bytes, the first difference at {}. Compare {} with {}.",
        one.len(),
        other.len(),
        at.unwrap_or(one.len().min(other.len())),
        first.display(),
        second.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::make_folder;

    #[test]
    fn a_difference_is_named_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let [one, two] = ["1", "2"].map(|name| folder.path().join(name));
        for (path, bytes) in [(&one, b"abcd"), (&two, b"abcd")] {
            make_folder(path).unwrap();
            std::fs::write(path.join(DISK), bytes).unwrap();
        }
        assert_eq!(same(DISK, &one, &two).unwrap().bytes, 4);
        std::fs::write(two.join(DISK), "abxd").unwrap();
        let error = same(DISK, &one, &two).unwrap_err();
        assert!(error.contains("the first difference at 2"), "{error}");
        std::fs::write(two.join(DISK), "abc").unwrap();
        assert!(same(DISK, &one, &two).unwrap_err().contains("4 and 3 bytes"));
    }
}
