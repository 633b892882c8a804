//! Another build of the daemon, in an image that is otherwise the same: what stands at the other end when a fleet is updated one by one.
//!
//! Which build: the revision that `BLOCKHAUL_OTHER` names; without that the newest release tag; without any, these sources as their
//! makers build them, with assertions and checked arithmetic.

use std::path::{Path, PathBuf};
use std::process::Command;

use image::bake::{self, Image, Options};
use image::board::Board;
use image::daemon::{self, DAEMON};
use image::tree::Tree;
use image::{Result, process};

const FOLDER: &str = "other";
const CHECKED: [&str; 3] = [
    "profile.release.opt-level=1",
    "profile.release.debug-assertions=true",
    "profile.release.overflow-checks=true",
];

/// The other build.
pub struct Other {
    /// What it was made of, for people.
    pub what: String,
    /// The image with it.
    pub image: Image,
}

/// Builds it, and bakes it into the image of `board`.
pub fn bake(tree: &Tree, board: &str) -> Result<Other> {
    let target = Board::load(tree, board)?.target;
    let (what, built) = match revision(tree)? {
        Some(revision) => {
            let checked_out = Worktree::of(tree, &revision)?;
            let sources = tree.elsewhere(FOLDER, &checked_out.folder)?;
            (revision, daemon::build(&sources, DAEMON, &target)?)
        }
        None => {
            let sources = tree.elsewhere(FOLDER, &tree.root)?;
            let built = daemon::build_with(&sources, DAEMON, &target, &CHECKED)?;
            ("these sources with every check of the compiler".to_owned(), built)
        }
    };
    let options = Options {
        daemon: Some(built),
        fetch_kernel: false,
    };
    // The board file is this tree's: only the daemon is another.
    let image = bake::build(&tree.elsewhere(FOLDER, &tree.root)?, board, &options)?;
    Ok(Other { what, image })
}

fn revision(tree: &Tree) -> Result<Option<String>> {
    if let Some(named) = std::env::var_os("BLOCKHAUL_OTHER") {
        return Ok(Some(named.to_string_lossy().into_owned()));
    }
    let mut tags = git(&tree.root);
    let tags = process::output(tags.args(["tag", "--list", "v*", "--sort=-version:refname"]), "git");
    // Sources without their history have no tags.
    let tags = tags.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    Ok(tags.lines().next().map(str::to_owned))
}

fn git(root: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(root);
    command
}

/// A revision, checked out beside the tree as long as this lives.
struct Worktree {
    root: PathBuf,
    folder: PathBuf,
}

impl Worktree {
    fn of(tree: &Tree, revision: &str) -> Result<Worktree> {
        let folder = tree.images().join("other-sources");
        let made = Worktree {
            root: tree.root.clone(),
            folder,
        };
        // One that a run left that was cut short.
        made.remove();
        let mut add = git(&made.root);
        add.args(["worktree", "add", "--quiet", "--detach"])
            .arg(&made.folder)
            .arg(revision);
        process::run(&mut add, "git").map_err(|error| format!("{revision} cannot be checked out: {error}"))?;
        Ok(made)
    }

    fn remove(&self) {
        let mut remove = git(&self.root);
        remove.args(["worktree", "remove", "--force"]).arg(&self.folder);
        // There is none most times, and git says so.
        let _ = remove.output();
    }
}

impl Drop for Worktree {
    fn drop(&mut self) {
        self.remove();
    }
}
