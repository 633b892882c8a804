//! What the kernel's error numbers mean for a disk: the only table.

use hal::IoError;
use rustix::io::Errno;

/// The meaning of an error of the kernel.
pub(crate) fn meaning(errno: Errno) -> IoError {
    match errno {
        // What the block layer says of a bad sector, a damaged transfer, or a command the device did not finish.
        Errno::IO
        | Errno::REMOTEIO
        | Errno::BADMSG
        | Errno::NODATA
        | Errno::ILSEQ
        | Errno::UCLEAN
        | Errno::TIMEDOUT
        | Errno::TIME => IoError::Media,
        Errno::NODEV | Errno::NXIO | Errno::NOMEDIUM | Errno::SHUTDOWN | Errno::NOLINK | Errno::STALE => IoError::Gone,
        Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NAMETOOLONG => IoError::NotFound,
        Errno::EXIST => IoError::Exists,
        Errno::NOSPC | Errno::DQUOT | Errno::FBIG => IoError::Full,
        Errno::ACCESS | Errno::PERM => IoError::Refused,
        // A reservation of another host is EBADE.
        Errno::BUSY | Errno::AGAIN | Errno::ADDRINUSE | Errno::TXTBSY | Errno::BADE => IoError::Busy,
        Errno::ROFS => IoError::ReadOnly,
        Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::INTR | Errno::CANCELED => IoError::Exhausted,
        // EINVAL, EOPNOTSUPP, EISDIR and whatever no disk has said so far.
        _ => IoError::Unsupported,
    }
}

/// The same for an error that came through the standard library.
pub(super) fn meaning_of(error: &std::io::Error) -> IoError {
    error
        .raw_os_error()
        .map_or(IoError::Unsupported, |errno| meaning(Errno::from_raw_os_error(errno)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_the_seam_documents() {
        let table = [
            (libc::EIO, IoError::Media),
            (libc::EREMOTEIO, IoError::Media),
            (libc::EBADMSG, IoError::Media),
            (libc::ENODEV, IoError::Gone),
            (libc::ENXIO, IoError::Gone),
            (libc::ENOMEDIUM, IoError::Gone),
            (libc::ESHUTDOWN, IoError::Gone),
            (libc::ENOENT, IoError::NotFound),
            (libc::ENOTDIR, IoError::NotFound),
            (libc::EEXIST, IoError::Exists),
            (libc::ENOSPC, IoError::Full),
            (libc::EDQUOT, IoError::Full),
            (libc::EFBIG, IoError::Full),
            (libc::EACCES, IoError::Refused),
            (libc::EPERM, IoError::Refused),
            (libc::EBUSY, IoError::Busy),
            (libc::EADDRINUSE, IoError::Busy),
            (libc::EAGAIN, IoError::Busy),
            (libc::EROFS, IoError::ReadOnly),
            (libc::EINVAL, IoError::Unsupported),
            (libc::EOPNOTSUPP, IoError::Unsupported),
            (libc::ENOMEM, IoError::Exhausted),
            (libc::EMFILE, IoError::Exhausted),
            (libc::ENFILE, IoError::Exhausted),
            (libc::ENOBUFS, IoError::Exhausted),
        ];
        for (errno, expected) in table {
            assert_eq!(
                meaning_of(&std::io::Error::from_raw_os_error(errno)),
                expected,
                "errno {errno}"
            );
        }
    }
}
