//! Where inputs lie in the tree: `corpus/TARGET` holds those to begin with, made by a command; `found/TARGET` those that once
//! found something, kept for ever.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, TARGETS, Target};

/// Folder of this package.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Folder of a target's inputs to begin with.
pub fn seeds_folder(target: &Target) -> PathBuf {
    package().join("corpus").join(target.name)
}

/// Folder of what was found in a target.
pub fn found_folder(target: &Target) -> PathBuf {
    package().join("found").join(target.name)
}

/// Files of a folder by name; none if there is no folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{} cannot be listed: {error}.", folder.display()))?;
        files.push(entry.path());
    }
    files.sort();
    Ok(files)
}

/// Every input of a target that lies in the tree.
pub fn inputs(target: &Target) -> Result<Vec<PathBuf>> {
    Ok([files(&seeds_folder(target))?, files(&found_folder(target))?].concat())
}

/// Bytes of an input.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, bytes))
        .map_err(|error| format!("{} cannot be written: {error}.", path.display()))
}

/// Makes all inputs to begin with again; returns their number.
pub fn make() -> Result<usize> {
    let mut made = 0;
    for target in TARGETS {
        let folder = seeds_folder(target);
        for old in files(&folder)? {
            fs::remove_file(&old).map_err(|error| format!("{} cannot be removed: {error}.", old.display()))?;
        }
        for (name, bytes) in (target.seeds)() {
            write(&folder.join(name), &bytes)?;
            made += 1;
        }
    }
    Ok(made)
}
