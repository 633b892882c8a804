//! What the kernel's error numbers mean for links, sockets and the state folder. Disks have their own table (`disk/errno.rs`):
//! there a timeout is a bad medium, here it is a bad line.

use std::io;

use hal::{IoError, LinkError};

/// The meaning of an error while a connection is being made.
pub(crate) fn of_connect(error: &io::Error) -> LinkError {
    match error.raw_os_error() {
        Some(libc::ENODEV | libc::ENETDOWN) => LinkError::NicDown,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS | libc::EADDRNOTAVAIL) => LinkError::Exhausted,
        _ => LinkError::Unreachable,
    }
}

/// The meaning of an error on a connection that was made.
pub(crate) fn of_connection(error: &io::Error) -> LinkError {
    match error.raw_os_error() {
        Some(libc::ETIMEDOUT) => LinkError::TimedOut,
        Some(libc::ENETDOWN | libc::ENODEV) => LinkError::NicDown,
        Some(libc::EMFILE | libc::ENFILE | libc::ENOMEM | libc::ENOBUFS) => LinkError::Exhausted,
        _ => LinkError::Lost,
    }
}

/// The meaning of an error of a local socket or of a file in the state folder.
pub(crate) fn of_local(error: &io::Error) -> IoError {
    match error.raw_os_error() {
        Some(libc::EIO | libc::EREMOTEIO | libc::EBADMSG) => IoError::Media,
        Some(libc::EPIPE | libc::ECONNRESET | libc::ENODEV | libc::ENXIO | libc::ESHUTDOWN) => IoError::Gone,
        Some(libc::ENOENT | libc::ENOTDIR) => IoError::NotFound,
        Some(libc::EEXIST) => IoError::Exists,
        Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => IoError::Full,
        Some(libc::EACCES | libc::EPERM) => IoError::Refused,
        Some(libc::EBUSY | libc::EADDRINUSE | libc::EAGAIN) => IoError::Busy,
        Some(libc::EROFS) => IoError::ReadOnly,
        Some(libc::ETIMEDOUT) => IoError::TimedOut,
        Some(libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ENOBUFS) => IoError::Exhausted,
        Some(_) => IoError::Unsupported,
        None => match error.kind() {
            io::ErrorKind::WriteZero | io::ErrorKind::UnexpectedEof => IoError::Short,
            io::ErrorKind::TimedOut => IoError::TimedOut,
            _ => IoError::Unsupported,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_meaning() {
        let of = io::Error::from_raw_os_error;
        assert_eq!(of_connect(&of(libc::ECONNREFUSED)), LinkError::Unreachable);
        assert_eq!(of_connect(&of(libc::EHOSTUNREACH)), LinkError::Unreachable);
        assert_eq!(of_connect(&of(libc::ENODEV)), LinkError::NicDown);
        assert_eq!(of_connection(&of(libc::ECONNRESET)), LinkError::Lost);
        assert_eq!(of_connection(&of(libc::ETIMEDOUT)), LinkError::TimedOut);
        assert_eq!(of_local(&of(libc::ENOSPC)), IoError::Full);
        assert_eq!(of_local(&of(libc::EPIPE)), IoError::Gone);
    }
}
