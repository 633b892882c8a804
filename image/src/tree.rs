//! Where things lie: the source tree, its boards, and the folder for everything that is made.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::Result;

/// The source tree and the target directory that belongs to it.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The folder with the workspace's `Cargo.toml`.
    pub root: PathBuf,
    /// Where built things go; `CARGO_TARGET_DIR`, or `target` in the tree.
    pub target: PathBuf,
}

impl Tree {
    /// Looks for the tree from the current folder upwards.
    pub fn find() -> Result<Tree> {
        let here = std::env::current_dir().map_err(|error| format!("The current folder cannot be read: {error}."))?;
        let root = here
            .ancestors()
            .find(|folder| folder.join("image/boards").is_dir())
            .ok_or_else(|| {
                format!(
                    "{} is not inside the blockhaul source tree. Change into it and run this again.",
                    here.display()
                )
            })?
            .to_path_buf();
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(folder) => here.join(folder),
            None => root.join("target"),
        };
        Ok(Tree { root, target })
    }

    /// The folder with the board files.
    pub fn boards(&self) -> PathBuf {
        self.root.join("image/boards")
    }

    /// The folder for images and what they are made from.
    pub fn images(&self) -> PathBuf {
        self.target.join("image")
    }

    /// The sources of `root` with a folder of their own, `name`, for all that is made of them; kernel packages, which are inputs, are
    /// shared.
    pub fn elsewhere(&self, name: &str, root: &Path) -> Result<Tree> {
        let other = Tree {
            root: root.to_owned(),
            target: self.images().join(name),
        };
        make_folder(&other.images())?;
        make_folder(&self.images().join("kernels"))?;
        let link = other.images().join("kernels");
        let _ = std::fs::remove_file(&link);
        symlink(self.images().join("kernels"), &link).map_err(|error| format!("{} cannot be made: {error}.", link.display()))?;
        Ok(other)
    }

    /// `path` as a person in the root of the tree would type it.
    pub fn show<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

/// Creates `folder` and what is above it.
pub fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| format!("The folder {} cannot be created: {error}.", folder.display()))
}

/// Reads a whole file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| format!("{} cannot be read: {error}.", path.display()))
}

/// Writes a whole file, under another name first, so that a half-written one is never taken for the real one.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|error| format!("{} cannot be written: {error}. Is the disk full?", path.display()))
}
