//! A Unix stream socket at a path: made, kept from others, and removed again. Not what is said on it.
//!
//! Invariants: nothing but a socket that nobody serves is ever removed from a path. The socket is never wider than its mode:
//! the process has umask 077 from the start (`machine.rs`), and the mode is set afterwards.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hal::IoError;
use tokio::net::{UnixListener, UnixStream};

use crate::errno;

/// Owner and group may connect.
const MODE: u32 = 0o660;

/// Longest path of a socket: `sun_path` without its closing NUL.
pub(crate) const PATH_BYTES_MAX: usize = 107;

/// Why there is no socket at a path.
#[derive(Debug)]
pub(crate) enum SocketError {
    /// The path has more than [`PATH_BYTES_MAX`] bytes.
    TooLong,
    /// Something that is not a socket is there.
    NotASocket,
    /// Somebody serves the socket that is there.
    Served,
    /// Anything else.
    Io(io::Error),
}

impl From<io::Error> for SocketError {
    fn from(error: io::Error) -> Self {
        SocketError::Io(error)
    }
}

impl SocketError {
    /// For the core.
    pub(crate) fn meaning(&self) -> IoError {
        match self {
            SocketError::TooLong => IoError::Unsupported,
            SocketError::NotASocket => IoError::Exists,
            SocketError::Served => IoError::Busy,
            SocketError::Io(error) => errno::of_local(error),
        }
    }
}

/// A listening socket and its path.
pub(crate) struct LocalSocket {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode, to remove nobody else's socket.
    made: (u64, u64),
}

impl LocalSocket {
    /// Makes the socket. Its folder must exist. The group is the process's if none is given.
    pub(crate) async fn bind(path: &Path, group: Option<u32>) -> Result<LocalSocket, SocketError> {
        if path.as_os_str().len() > PATH_BYTES_MAX {
            return Err(SocketError::TooLong);
        }
        match fs::symlink_metadata(path) {
            Ok(there) if !there.file_type().is_socket() => return Err(SocketError::NotASocket),
            Ok(_) => remove_unserved(path).await?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => (),
            Err(error) => return Err(error.into()),
        }
        let listener = UnixListener::bind(path).map_err(|error| match error.raw_os_error() {
            Some(libc::EADDRINUSE) => SocketError::Served,
            _ => SocketError::Io(error),
        })?;
        let there = fs::symlink_metadata(path)?;
        if group.is_some() {
            std::os::unix::fs::lchown(path, None, group)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(MODE))?;
        Ok(LocalSocket {
            listener,
            path: path.to_owned(),
            made: (there.dev(), there.ino()),
        })
    }

    /// The next connection. May be dropped while it waits.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for LocalSocket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|there| (there.dev(), there.ino()) == self.made) {
            // A socket file that stays is replaced at the next start.
            let _ = fs::remove_file(&self.path);
        }
    }
}

async fn remove_unserved(path: &Path) -> Result<(), SocketError> {
    match UnixStream::connect(path).await {
        Ok(_) => Err(SocketError::Served),
        Err(error) => match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Ok(fs::remove_file(path)?),
            // Its backlog is full, so somebody listens.
            Some(libc::EAGAIN) => Err(SocketError::Served),
            Some(libc::ENOENT) => Ok(()),
            _ => Err(error.into()),
        },
    }
}
