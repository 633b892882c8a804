//! The ring: parts of transfers go in, numbers of finished ones come out. The eventfd says when to look.
//!
//! Does not know what a transfer is for (`transfer.rs`) or which volume has which slot (`volume.rs`).
//!
//! Invariants:
//! - Memory and files of a part that is in the ring live until its completion has been taken: the owner of the ring
//!   keeps the transfer, and its lent memory, until then.
//! - No more than [`RING_ENTRIES`] parts are in the ring, so that neither of its queues overflows.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use io_uring::types::{Fixed, FsyncFlags};
use io_uring::{IoUring, opcode};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use super::transfer::{Transfer, Work};
use crate::memory::{Arena, Lent, Mebibytes, memlock_limit_bytes};

/// Parts with the kernel at a time. Eight in flight saturate a disk; this is enough for thirty of them.
pub(super) const RING_ENTRIES: usize = 256;
/// Volumes open at a time: slots of the ring's file table.
pub(super) const VOLUMES_MAX: usize = 256;
/// Calls that do the last steps of everything that can be in the ring: the kernel does at least 20 of them in one call
/// (`IO_LOCAL_TW_DEFAULT_MAX` in its `io_uring/io_uring.c`).
const REFRESH_CALLS_MAX: usize = RING_ENTRIES.div_ceil(20) + 1;
/// Longest registered buffer the kernel takes; larger memory is registered in pieces.
const PIECE_BYTES: u32 = 1 << 30;

/// Why there is no ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskError {
    /// io_uring is switched off by `kernel.io_uring_disabled`.
    Disabled,
    /// A sandbox (seccomp, LSM) refuses io_uring.
    Refused,
    /// The kernel has no io_uring, or one that lacks what is needed.
    Missing,
    /// The block memory cannot be registered under the limit on locked memory.
    Limit {
        /// What is to be registered.
        size_bytes: u32,
        /// `RLIMIT_MEMLOCK` in bytes; none if there is no limit.
        limit_bytes: Option<u64>,
    },
    /// Out of memory, descriptors or threads.
    Exhausted,
    /// Anything else.
    Kernel {
        /// The kernel's error number.
        errno: i32,
    },
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            DiskError::Disabled => f.write_str(
                "io_uring is switched off by the sysctl kernel.io_uring_disabled: set it to 0, \
                 or to 1 and add this user to the group in kernel.io_uring_group",
            ),
            DiskError::Refused => f.write_str(
                "this process is not allowed to use io_uring: allow io_uring_setup, io_uring_enter and \
                 io_uring_register in the seccomp profile of its container or service",
            ),
            DiskError::Missing => {
                f.write_str("this kernel has no usable io_uring: run Linux 5.15 or newer, built with CONFIG_IO_URING")
            }
            DiskError::Limit { size_bytes, limit_bytes } => {
                let size = Mebibytes(size_bytes.into());
                write!(
                    f,
                    "{size} of block memory cannot be registered with io_uring: RLIMIT_MEMLOCK is "
                )?;
                match limit_bytes {
                    Some(bytes) => write!(f, "{}", Mebibytes(bytes))?,
                    None => f.write_str("unlimited, but the kernel is out of memory")?,
                }
                write!(
                    f,
                    "; raise it above {size} (LimitMEMLOCK= of the service, `ulimit -l` in a shell) or make the block memory smaller"
                )
            }
            DiskError::Exhausted => f.write_str(
                "io_uring could not be set up: out of memory, descriptors or threads; \
                 raise RLIMIT_NOFILE above 512 or free memory",
            ),
            DiskError::Kernel { errno } => write!(
                f,
                "io_uring could not be set up: {}; look into the kernel log",
                io::Error::from_raw_os_error(errno)
            ),
        }
    }
}

impl std::error::Error for DiskError {}

/// A ring with the block memory and a file table registered.
pub(super) struct Ring {
    ring: IoUring,
    event: Arc<OwnedFd>,
    arena: Rc<Arena>,
}

impl Ring {
    pub(super) fn new(arena: Rc<Arena>) -> Result<Ring, DiskError> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(|_| DiskError::Exhausted)?;
        let ring = build()?;
        let submitter = ring.submitter();
        let pieces = pieces(&arena);
        // SAFETY: the pieces lie within the arena's mapping, which outlives the ring: the ring holds a handle to the arena,
        // and the owner of the ring leaks that handle if the kernel does not let go of what is in flight.
        unsafe { submitter.register_buffers(&pieces) }.map_err(|error| match errno_of(&error) {
            libc::ENOMEM => DiskError::Limit {
                size_bytes: arena.size_bytes(),
                limit_bytes: memlock_limit_bytes(),
            },
            errno => setup_error(errno),
        })?;
        submitter
            .register_files(&[-1; VOLUMES_MAX])
            .map_err(|error| setup_error(errno_of(&error)))?;
        submitter
            .register_eventfd(event.as_raw_fd())
            .map_err(|error| setup_error(errno_of(&error)))?;
        Ok(Ring {
            ring,
            event: Arc::new(event),
            arena,
        })
    }

    /// Readable when there is something to take.
    pub(super) fn event_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }

    /// The same, for another thread that has something to be taken.
    pub(super) fn event(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.event)
    }

    /// Puts a file into the table, or takes it out.
    pub(super) fn set_file(&self, slot: u32, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let descriptor = file.map_or(-1, |file| file.as_raw_fd());
        self.ring.submitter().register_files_update(slot, &[descriptor]).map(drop)
    }

    /// Queues the rest of a transfer. The caller keeps the transfer until its completion with `number` was taken.
    pub(super) fn push(&mut self, number: usize, transfer: &Transfer) {
        let file = Fixed(transfer.slot());
        let entry = match &transfer.work {
            Work::Read(lent) => {
                let part = self.part(lent, transfer.done_bytes());
                opcode::ReadFixed::new(file, part.start, part.length_bytes, part.piece)
                    .offset(transfer.rest_at_bytes())
                    .build()
            }
            Work::Write(lent) => {
                let part = self.part(lent, transfer.done_bytes());
                opcode::WriteFixed::new(file, part.start, part.length_bytes, part.piece)
                    .offset(transfer.rest_at_bytes())
                    .build()
            }
            Work::Flush => opcode::Fsync::new(file).flags(FsyncFlags::DATASYNC).build(),
        };
        // SAFETY: the buffer is lent for as long as the transfer lives, and the caller keeps it until the completion.
        let pushed = unsafe { self.ring.submission().push(&entry.user_data(number as u64)) };
        pushed.expect("the queue holds everything that may be in flight");
    }

    /// Hands what is queued to the kernel, if there is anything.
    pub(super) fn submit(&mut self) {
        if !self.ring.submission().is_empty() {
            self.enter();
        }
    }

    /// Lets the kernel post its completions if the eventfd says that it has any.
    pub(super) fn refresh(&mut self) {
        if rustix::io::read(&self.event, &mut [0; 8]).is_err() {
            return;
        }
        // The last step of a completion is left to this thread, and one call does a limited number of such steps. The eventfd
        // does not fire again for the rest. But the flag alone does not say that there is a rest: another processor sets it after
        // it has queued a step, by which time this thread may have done that step. Then it stays, and no call takes it back.
        for _ in 0..REFRESH_CALLS_MAX {
            if !self.enter() || !self.ring.submission().taskrun() {
                break;
            }
        }
    }

    /// One system call; false if the kernel could not take everything now.
    fn enter(&mut self) -> bool {
        match self.ring.submit() {
            Ok(_) if self.ring.submission().is_empty() => return true,
            Ok(_) => {}
            Err(error) if matches!(errno_of(&error), libc::EINTR | libc::EAGAIN | libc::EBUSY | libc::ENOMEM) => {}
            Err(error) => panic!("the ring is used wrongly: {error}"),
        }
        // Nothing is lost: the entries stay queued. Wake the owner so that it comes back.
        notify(&self.event);
        false
    }

    /// Takes the next completion: number, and bytes or an error number below zero.
    pub(super) fn completion(&mut self) -> Option<(usize, i32)> {
        let entry = self.ring.completion().next()?;
        Some((entry.user_data() as usize, entry.result()))
    }

    /// Waits until something has completed. Only for the end.
    pub(super) fn wait(&self, timeout: Duration) {
        let timespec = Timespec {
            tv_sec: timeout.as_secs().cast_signed(),
            tv_nsec: timeout.subsec_nanos().into(),
        };
        let mut polled = [PollFd::new(&self.event, PollFlags::IN)];
        // An interruption or a timeout only ends the wait early.
        let _ = poll(&mut polled, Some(&timespec));
    }

    /// Lets go of files and memory now. A ring that is only closed does so some time later.
    pub(super) fn release(&self) {
        // Whatever cannot be released here goes with the ring.
        let _ = self.ring.submitter().unregister_files();
        let _ = self.ring.submitter().unregister_buffers();
    }

    /// Keeps the block memory mapped for the rest of the process: the kernel still uses it.
    pub(super) fn leak_memory(&self) {
        std::mem::forget(Rc::clone(&self.arena));
    }

    /// The rest of a span, up to the end of its registered piece.
    fn part(&self, lent: &Lent, done_bytes: u32) -> Part {
        let rest = lent.span().part(done_bytes, lent.span().length_bytes - done_bytes);
        let piece = rest.offset_bytes / PIECE_BYTES;
        let room_bytes = PIECE_BYTES - rest.offset_bytes % PIECE_BYTES;
        Part {
            start: self.arena.base().as_ptr().wrapping_add(rest.offset_bytes as usize),
            length_bytes: rest.length_bytes.min(room_bytes),
            piece: piece as u16,
        }
    }
}

/// What one entry of the ring moves.
struct Part {
    start: *mut u8,
    length_bytes: u32,
    piece: u16,
}

/// Makes an eventfd readable.
pub(super) fn notify(event: impl AsFd) {
    // The only failure is a full counter, and then it is readable.
    let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
}

/// A ring that this thread alone uses and that finishes work when asked; any ring if the kernel is too old for that.
fn build() -> Result<IoUring, DiskError> {
    let entries = RING_ENTRIES as u32;
    IoUring::builder()
        .setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .build(entries)
        .or_else(|_| IoUring::new(entries))
        .map_err(|error| setup_error(errno_of(&error)))
}

fn setup_error(errno: i32) -> DiskError {
    match Errno::from_raw_os_error(errno) {
        Errno::PERM | Errno::ACCESS => {
            let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            if matches!(disabled.trim(), "1" | "2") {
                DiskError::Disabled
            } else {
                DiskError::Refused
            }
        }
        Errno::NOSYS | Errno::INVAL => DiskError::Missing,
        Errno::NOMEM | Errno::MFILE | Errno::NFILE | Errno::AGAIN => DiskError::Exhausted,
        _ => DiskError::Kernel { errno },
    }
}

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}

/// The arena as the kernel takes it.
fn pieces(arena: &Arena) -> Vec<libc::iovec> {
    (0..arena.size_bytes())
        .step_by(PIECE_BYTES as usize)
        .map(|offset_bytes| libc::iovec {
            iov_base: arena.base().as_ptr().wrapping_add(offset_bytes as usize).cast(),
            iov_len: (arena.size_bytes() - offset_bytes).min(PIECE_BYTES) as usize,
        })
        .collect()
}
