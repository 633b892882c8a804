//! One read, write or flush on its way: which part is with the kernel, and what a completion means for the rest.
//!
//! Does not know the ring (`ring.rs`) or volumes (`volume.rs`).
//!
//! Invariant: the memory stays lent as long as the transfer exists.

use hal::{IoError, Tag, VolumeId};
use rustix::io::Errno;

use super::errno::meaning;
use super::order::Claim;
use crate::memory::Lent;

/// What is to be done, with the memory it needs.
pub(super) enum Work {
    Read(Lent),
    Write(Lent),
    Flush,
}

/// How a volume is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lane {
    /// Place in the ring's file table.
    pub(super) slot: u32,
    /// What direct I/O wants memory and offsets aligned to.
    pub(super) alignment_bytes: u32,
}

/// A read, write or flush that has not finished.
pub(super) struct Transfer {
    pub(super) tag: Tag,
    pub(super) volume: VolumeId,
    pub(super) work: Work,
    lane: Lane,
    at_bytes: u64,
    done_bytes: u32,
    /// The last completion was an interruption, not a result.
    interrupted: bool,
}

/// What to do after a completion.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Give the rest to the kernel.
    Again,
    Finished(Result<(), IoError>),
}

impl Transfer {
    pub(super) fn new(tag: Tag, volume: VolumeId, lane: Lane, at_bytes: u64, work: Work) -> Transfer {
        Transfer {
            tag,
            volume,
            work,
            lane,
            at_bytes,
            done_bytes: 0,
            interrupted: false,
        }
    }

    /// The bytes of the volume that it touches.
    pub(super) fn claim(&self) -> Claim {
        let bytes = self.at_bytes..self.at_bytes + u64::from(self.length_bytes());
        Claim { bytes, discards: false }
    }

    /// Where the volume is in the ring's file table.
    pub(super) fn slot(&self) -> u32 {
        self.lane.slot
    }

    /// Where on the volume the rest begins.
    pub(super) fn rest_at_bytes(&self) -> u64 {
        self.at_bytes + u64::from(self.done_bytes)
    }

    /// How much of the span is done.
    pub(super) fn done_bytes(&self) -> u32 {
        self.done_bytes
    }

    /// Takes in a completion: bytes, or an error number below zero. A part that is no multiple of the alignment cannot be
    /// continued with direct I/O.
    pub(super) fn complete(&mut self, result: i32) -> Step {
        let moved_bytes = match u32::try_from(result) {
            Ok(bytes) => bytes,
            Err(_) => return self.fail(Errno::from_raw_os_error(result.saturating_neg())),
        };
        if matches!(self.work, Work::Flush) {
            return Step::Finished(Ok(()));
        }
        let left_bytes = self.length_bytes() - self.done_bytes;
        if moved_bytes >= left_bytes {
            return Step::Finished(Ok(()));
        }
        if moved_bytes == 0 || !moved_bytes.is_multiple_of(self.lane.alignment_bytes) {
            return Step::Finished(Err(IoError::Short));
        }
        self.done_bytes += moved_bytes;
        self.interrupted = false;
        Step::Again
    }

    /// The kernel may interrupt once; a flush is never repeated, since the first may have dropped what it could not write.
    fn fail(&mut self, errno: Errno) -> Step {
        let is_transient = matches!(errno, Errno::INTR | Errno::AGAIN);
        if is_transient && !self.interrupted && !matches!(self.work, Work::Flush) {
            self.interrupted = true;
            return Step::Again;
        }
        Step::Finished(Err(if is_transient { IoError::Exhausted } else { meaning(errno) }))
    }

    fn length_bytes(&self) -> u32 {
        match &self.work {
            Work::Read(lent) | Work::Write(lent) => lent.span().length_bytes,
            Work::Flush => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Arena;
    use hal::Span;

    const LANE: Lane = Lane {
        slot: 0,
        alignment_bytes: 512,
    };

    fn read() -> Transfer {
        let lent = Arena::new(2 << 20).unwrap().lend(Span {
            offset_bytes: 0,
            length_bytes: 65536,
        });
        Transfer::new(Tag(1), VolumeId(1), LANE, 4096, Work::Read(lent))
    }

    #[test]
    fn whole_is_done() {
        assert_eq!(read().complete(65536), Step::Finished(Ok(())));
    }

    #[test]
    fn a_part_is_continued_where_it_ended() {
        let mut read = read();
        assert_eq!(read.complete(512), Step::Again);
        assert_eq!((read.rest_at_bytes(), read.done_bytes()), (4608, 512));
        assert_eq!(read.complete(65024), Step::Finished(Ok(())));
    }

    #[test]
    fn no_progress_is_short() {
        assert_eq!(read().complete(0), Step::Finished(Err(IoError::Short)));
        assert_eq!(read().complete(100), Step::Finished(Err(IoError::Short)));
        let mut part = read();
        assert_eq!(part.complete(4096), Step::Again);
        assert_eq!(part.complete(0), Step::Finished(Err(IoError::Short)));
    }

    #[test]
    fn an_interruption_is_repeated_once_but_never_for_a_flush() {
        let mut read = read();
        assert_eq!(read.complete(-libc::EINTR), Step::Again);
        assert_eq!(read.complete(-libc::EINTR), Step::Finished(Err(IoError::Exhausted)));
        let mut flush = Transfer::new(Tag(1), VolumeId(1), LANE, 0, Work::Flush);
        assert_eq!(flush.complete(-libc::EINTR), Step::Finished(Err(IoError::Exhausted)));
    }

    #[test]
    fn errors_keep_their_meaning() {
        assert_eq!(read().complete(-libc::EIO), Step::Finished(Err(IoError::Media)));
    }
}
