//! What a machine is started with, what it found, and why it could not start: in sentences with a next step.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hal::Fingerprint;

use crate::disk::DiskError;
use crate::identity::IdentityError;
use crate::local_socket::{PATH_BYTES_MAX, SocketError};
use crate::memory::{ArenaReport, MemoryError};
use crate::state::StateError;

/// What a machine is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The state folder; made if it is not there.
    pub state: PathBuf,
    /// Path of the control socket.
    pub socket: PathBuf,
    /// Where peers may come in; nowhere by default.
    pub listen: Vec<SocketAddr>,
    /// Size of the block memory.
    pub memory_bytes: u32,
    /// The folder of programs that may be started.
    pub programs: PathBuf,
    /// The group whose members may operate.
    pub operators_gid: Option<u32>,
}

/// What a machine found when it started.
#[derive(Clone, Debug)]
pub struct Found {
    /// Who this appliance is.
    pub fingerprint: Fingerprint,
    /// Where it listens, with the ports that the kernel chose.
    pub listening: Vec<SocketAddr>,
    /// The settings document, if one was saved.
    pub settings: Option<Vec<u8>>,
    /// The newest kept events, oldest first.
    pub kept_events: Vec<Vec<u8>>,
    /// The block memory.
    pub memory: ArenaReport,
}

/// Why a machine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateError),
    /// The identity key.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The block memory.
    #[error("{0}")]
    Memory(MemoryError),
    /// The ring of the disks.
    #[error("{0}")]
    Disks(DiskError),
    /// The runtime of everything else.
    #[error("io_uring cannot be set up: {0}; check kernel.io_uring_disabled, the sandbox of the service and RLIMIT_NOFILE")]
    Runtime(io::Error),
    /// TLS does not take the identity key.
    #[error("the key in identity.key cannot be used for TLS: {0}; put back a copy, or move the file away to get a new identity")]
    Tls(rustls::Error),
    /// The path of the control socket is too long.
    #[error(
        "the path of the control socket has more than {PATH_BYTES_MAX} bytes, which the kernel does not take: choose a shorter one"
    )]
    SocketPathTooLong,
    /// Something else is at the path of the control socket.
    #[error("{0} is there and is not a socket: move it away, or choose another path for the control socket")]
    NotASocket(String),
    /// Another daemon answers at the control socket.
    #[error("another daemon answers at the control socket {0}: stop that one first, or choose another path")]
    SocketServed(String),
    /// The control socket cannot be made.
    #[error("the control socket {path} cannot be made: {error}; check its folder and who may write there")]
    Socket {
        /// Its path.
        path: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// An address to listen on is taken.
    #[error("{0} is in use by another program: stop it, or listen on another port")]
    AddressInUse(SocketAddr),
    /// An address to listen on is not ours.
    #[error("{0} is not an address of this machine: see `ip address`, or listen on [::] for all")]
    AddressNotOurs(SocketAddr),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the kernel said.
        error: io::Error,
    },
    /// The kernel's messages or signals cannot be had.
    #[error("the kernel does not tell about {what}: {error}; check the sandbox of the service")]
    News {
        /// About what.
        what: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
}

impl StartError {
    pub(crate) fn socket(path: &Path, error: SocketError) -> StartError {
        let path = path.display().to_string();
        match error {
            SocketError::TooLong => StartError::SocketPathTooLong,
            SocketError::NotASocket => StartError::NotASocket(path),
            SocketError::Served => StartError::SocketServed(path),
            SocketError::Io(error) => StartError::Socket { path, error },
        }
    }

    pub(crate) fn listen(address: SocketAddr, error: io::Error) -> StartError {
        match error.raw_os_error() {
            Some(libc::EADDRINUSE) => StartError::AddressInUse(address),
            Some(libc::EADDRNOTAVAIL) => StartError::AddressNotOurs(address),
            _ => StartError::Listen { address, error },
        }
    }
}
