//! What can go wrong at the seam, by meaning. Closed sets: matched without `_`, no strings.

use core::fmt;
use serde::{Deserialize, Serialize};

/// Why a disk, file or feed operation did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoError {
    /// The sector exists but cannot be read or written (EIO, EREMOTEIO, EBADMSG).
    Media,
    /// What lies there contradicts itself: a file system of a card that is damaged.
    Damaged,
    /// The device is no longer there (ENODEV, ENXIO, ENOMEDIUM, ESHUTDOWN).
    Gone,
    /// No such file or device at that path (ENOENT, ENOTDIR).
    NotFound,
    /// Something is there already (EEXIST).
    Exists,
    /// No room left (ENOSPC, EDQUOT, EFBIG).
    Full,
    /// Not allowed to this process (EACCES, EPERM).
    Refused,
    /// Held by somebody else: mounted, open exclusively, locked, or an address in use (EBUSY, EADDRINUSE, EAGAIN on a lock).
    Busy,
    /// Can be read and not written (EROFS, a write-protected card).
    ReadOnly,
    /// Took longer than its deadline, and has not finished.
    TimedOut,
    /// Fewer bytes than asked for.
    Short,
    /// This kernel or device cannot do that (EINVAL, EOPNOTSUPP), or it is no kind of volume.
    Unsupported,
    /// Out of memory, descriptors or locked pages (ENOMEM, EMFILE, ENFILE, ENOBUFS).
    Exhausted,
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            IoError::Media => "media error",
            IoError::Damaged => "damaged file system",
            IoError::Gone => "device gone",
            IoError::NotFound => "not found",
            IoError::Exists => "exists already",
            IoError::Full => "no space left",
            IoError::Refused => "permission denied",
            IoError::Busy => "in use by somebody else",
            IoError::ReadOnly => "read-only",
            IoError::TimedOut => "deadline passed",
            IoError::Short => "shorter than asked for",
            IoError::Unsupported => "not supported here",
            IoError::Exhausted => "out of memory or descriptors",
        })
    }
}

/// Why a link did not come up, or went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkError {
    /// Closed in good order by the other side.
    Closed,
    /// Closed in good order by us.
    HungUp,
    /// Nobody listens there, or there is no way to get there.
    Unreachable,
    /// The host's name has no address now.
    NameUnknown,
    /// Reset or lost on the way.
    Lost,
    /// A deadline of the link passed: handshake, or a send that did not move.
    TimedOut,
    /// The other side holds another key than the pinned one, or none, or does not accept ours.
    KeyRefused,
    /// It does not speak TLS 1.3 as we do.
    NotTls,
    /// A frame out of bounds, or payload without credit.
    Malformed,
    /// The NIC the route is bound to is not there or is down.
    NicDown,
    /// We are out of memory, descriptors or connections.
    Exhausted,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LinkError::Closed => "closed by the other side",
            LinkError::HungUp => "closed by us",
            LinkError::Unreachable => "nobody answers there",
            LinkError::NameUnknown => "the host name has no address",
            LinkError::Lost => "connection lost",
            LinkError::TimedOut => "no progress before the deadline",
            LinkError::KeyRefused => "key refused",
            LinkError::NotTls => "the other side does not speak TLS 1.3",
            LinkError::Malformed => "a frame out of bounds",
            LinkError::NicDown => "the network interface is down",
            LinkError::Exhausted => "out of memory or descriptors",
        })
    }
}
