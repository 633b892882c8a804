//! The state folder: identity, settings, kept events, and the lock that keeps a second daemon out. What the settings say is the
//! core's.
//!
//! | file | content |
//! |---|---|
//! | `blockhaul-state` | says that the folder is ours, and the version of its layout |
//! | `lock` | empty; locked while a daemon runs |
//! | `identity.key` | `identity.rs` |
//! | `settings.toml` | the settings document, replaced whole |
//! | `events.jsonl`, `events.1.jsonl` | kept events, one JSON object a line, and the file before |
//!
//! Invariants: a folder with anything in it and without our mark is never written to. At any crash `settings.toml` is the old
//! document or the new one, whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, fcntl};

use crate::limits::{EVENTS_AT_START_MAX, EVENTS_FILE_BYTES_MAX, SETTINGS_BYTES_MAX};

const MARK_FILE: &str = "blockhaul-state";
const MARK_BESIDE_FILE: &str = "blockhaul-state.new";
const MARK: &str = "version 1\n";
const LOCK_FILE: &str = "lock";
/// The settings document.
pub(crate) const SETTINGS_FILE: &str = "settings.toml";
/// The settings document while it is being written.
pub(crate) const SETTINGS_BESIDE_FILE: &str = "settings.toml.new";
/// The newest kept events.
pub(crate) const EVENTS_FILE: &str = "events.jsonl";
/// The kept events before.
pub(crate) const EVENTS_BEFORE_FILE: &str = "events.1.jsonl";

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder cannot be made, read or written.
    #[error("the state folder {folder} cannot be used: {error}; check its path, its owner and free space")]
    Io {
        /// Its path.
        folder: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// There is something in it, and it is not ours.
    #[error("the state folder {0} holds something that is not blockhaul's: give the path of an empty or new folder")]
    Foreign(String),
    /// It was written by a version with another layout.
    #[error("the state folder {folder} has the layout `{found}`, and this version knows `version 1`: use the newer blockhaul")]
    Newer {
        /// Its path.
        folder: String,
        /// What its mark says.
        found: String,
    },
    /// Somebody else could write to it.
    #[error("the state folder {folder} belongs to user {uid} with mode {mode:o}: it must be ours and writable by nobody else")]
    Open {
        /// Its path.
        folder: String,
        /// Its owner.
        uid: u32,
        /// Its permission bits.
        mode: u32,
    },
    /// Another daemon has it.
    #[error("the state folder {0} is in use by another blockhauld: stop that one first, or give this one a folder of its own")]
    Locked(String),
}

/// A state folder that is ours and locked.
#[derive(Debug)]
pub(crate) struct StateFolder {
    path: PathBuf,
    /// Holds the lock as long as it is open.
    _lock: File,
}

impl StateFolder {
    /// Opens a folder, making it if it is not there.
    pub(crate) fn open(path: &Path) -> Result<StateFolder, StateError> {
        let name = path.display().to_string();
        let io = |error| StateError::Io {
            folder: path.display().to_string(),
            error,
        };
        if let Err(error) = DirBuilder::new().recursive(true).mode(0o700).create(path) {
            return Err(io(error));
        }
        let there = fs::metadata(path).map_err(io)?;
        let own_uid = rustix::process::geteuid().as_raw();
        if there.uid() != own_uid || there.mode() & 0o022 != 0 {
            return Err(StateError::Open {
                folder: name,
                uid: there.uid(),
                mode: there.mode() & 0o777,
            });
        }
        match fs::read_to_string(path.join(MARK_FILE)) {
            Ok(mark) if mark == MARK => (),
            Ok(found) => {
                return Err(StateError::Newer {
                    folder: name,
                    found: found.trim().to_owned(),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if !is_blank(path).map_err(io)? {
                    return Err(StateError::Foreign(name));
                }
                replace(path, MARK_BESIDE_FILE, MARK_FILE, MARK.as_bytes()).map_err(io)?;
            }
            Err(error) => return Err(io(error)),
        }
        let lock = lock(&path.join(LOCK_FILE)).map_err(|error| match error.raw_os_error() {
            Some(libc::EAGAIN | libc::EACCES) => StateError::Locked(name),
            _ => io(error),
        })?;
        Ok(StateFolder {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The settings document, if one was saved.
    pub(crate) fn settings(&self) -> io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.path.join(SETTINGS_FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut document = Vec::new();
        file.take(SETTINGS_BYTES_MAX + 1).read_to_end(&mut document)?;
        if document.len() as u64 > SETTINGS_BYTES_MAX {
            return Err(io::Error::from_raw_os_error(libc::EFBIG));
        }
        Ok(Some(document))
    }

    /// The newest kept events, oldest first. A last line that a crash cut short is left out.
    pub(crate) fn kept_events(&self) -> io::Result<Vec<Vec<u8>>> {
        let mut lines = Vec::new();
        for name in [EVENTS_BEFORE_FILE, EVENTS_FILE] {
            let bytes = match File::open(self.path.join(name)) {
                Ok(file) => {
                    let mut bytes = Vec::new();
                    // One batch of lines may pass the size at which the file is put aside.
                    file.take(2 * EVENTS_FILE_BYTES_MAX).read_to_end(&mut bytes)?;
                    bytes
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let whole = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .filter_map(|line| line.strip_suffix(b"\n"));
            lines.extend(whole.filter(|line| !line.is_empty()).map(<[u8]>::to_vec));
        }
        let skip = lines.len().saturating_sub(EVENTS_AT_START_MAX);
        Ok(lines.split_off(skip))
    }
}

/// Nothing in it but what a file system or a start that was cut short leaves behind.
fn is_blank(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        if name != "lost+found" && name != MARK_BESIDE_FILE {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Replaces a file whole and durably.
fn replace(folder: &Path, beside: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = folder.join(beside);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// Locks a file for this open description: it goes with the process, and no fork or other open of the file drops it.
fn lock(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    let whole = libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&file, FcntlArg::F_OFD_SETLK(&whole))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn text(error: StateError) -> String {
        error.to_string()
    }

    #[test]
    fn made_closed_to_others_and_found_again() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("one/two");
        let state = StateFolder::open(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(state.settings().unwrap(), None);
        assert_eq!(state.kept_events().unwrap(), Vec::<Vec<u8>>::new());
        drop(state);
        StateFolder::open(&path).unwrap();
    }

    #[test]
    fn a_second_daemon_is_kept_out_while_the_first_lives() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateFolder::open(folder.path()).unwrap();
        let sentence = text(StateFolder::open(folder.path()).unwrap_err());
        assert!(sentence.contains("in use by another blockhauld"), "{sentence}");
        // Opening and closing the file in the same process must not drop the lock, as the older kind of lock would.
        drop(File::open(folder.path().join(LOCK_FILE)).unwrap());
        assert!(StateFolder::open(folder.path()).is_err());
        drop(first);
        StateFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn a_foreign_folder_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("photo.jpg"), "x").unwrap();
        let sentence = text(StateFolder::open(folder.path()).unwrap_err());
        assert!(sentence.contains("not blockhaul's"), "{sentence}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn another_layout_and_an_open_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MARK_FILE), "version 2\n").unwrap();
        assert!(text(StateFolder::open(folder.path()).unwrap_err()).contains("`version 2`"));
        fs::write(folder.path().join(MARK_FILE), MARK).unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o770)).unwrap();
        assert!(text(StateFolder::open(folder.path()).unwrap_err()).contains("mode 770"));
    }

    #[test]
    fn a_start_that_was_cut_short_does_not_lock_us_out() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(MARK_BESIDE_FILE), "ver").unwrap();
        fs::create_dir(folder.path().join("lost+found")).unwrap();
        StateFolder::open(folder.path()).unwrap();
    }

    #[test]
    fn the_newest_events_come_back_without_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(folder.path()).unwrap();
        let before: String = (0..900).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        let newest: String = (900..1200).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        fs::write(folder.path().join(EVENTS_BEFORE_FILE), before).unwrap();
        fs::write(folder.path().join(EVENTS_FILE), newest + "{\"n\":12").unwrap();
        let lines = state.kept_events().unwrap();
        assert_eq!(lines.len(), EVENTS_AT_START_MAX);
        assert_eq!(lines[0], b"{\"n\":200}");
        assert_eq!(lines[EVENTS_AT_START_MAX - 1], b"{\"n\":1199}");
    }
}
