//! The block memory on Linux: one mapping of huge pages, locked, and lent out span by span.
//!
//! Not an allocator: the core decides what a span is used for.
//!
//! Invariants:
//! - The mapping is unmapped only after the last [`Arena`] handle, and so the last [`Lent`], is gone.
//! - A page is in at most one [`Lent`]. What is lent is reached through that [`Lent`] only.

mod mapping;

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::rc::Rc;

use hal::{Memory, PAGE_BYTES, Span};
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};

use mapping::Mapping;

/// The block memory. Handles to it are shared within one thread.
pub struct Arena {
    mapping: Mapping,
    size_bytes: u32,
    locked: bool,
    /// One bit per page, set while the page is lent.
    lent: RefCell<Box<[u64]>>,
}

/// What kind of memory the kernel gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArenaReport {
    /// Size in bytes.
    pub size_bytes: u32,
    /// All of it lies in huge pages.
    pub huge_pages: bool,
    /// It cannot be swapped out.
    pub locked: bool,
}

impl fmt::Display for ArenaReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pages = if self.huge_pages { "huge pages" } else { "small pages" };
        let locked = if self.locked { "locked" } else { "not locked" };
        write!(f, "{} of block memory, {pages}, {locked}", Mebibytes(self.size_bytes.into()))
    }
}

/// Why there is no block memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemoryError {
    /// The size is zero or no multiple of the page.
    Size {
        /// What was asked for.
        size_bytes: u32,
    },
    /// There is not that much memory.
    Exhausted {
        /// What was asked for.
        size_bytes: u32,
    },
    /// The limit on locked memory is lower.
    Limit {
        /// What was asked for.
        size_bytes: u32,
        /// `RLIMIT_MEMLOCK` in bytes; none if there is no limit.
        limit_bytes: Option<u64>,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            MemoryError::Size { size_bytes } => {
                write!(
                    f,
                    "the block memory cannot be {size_bytes} bytes: choose a multiple of {PAGE_BYTES}"
                )
            }
            MemoryError::Exhausted { size_bytes } => write!(
                f,
                "there is no room for {} of block memory: make it smaller or free memory",
                Mebibytes(size_bytes.into())
            ),
            MemoryError::Limit { size_bytes, limit_bytes } => {
                let size = Mebibytes(size_bytes.into());
                write!(f, "{size} of block memory cannot be locked: RLIMIT_MEMLOCK is ")?;
                match limit_bytes {
                    Some(bytes) => write!(f, "{}", Mebibytes(bytes))?,
                    None => f.write_str("unlimited, but the kernel refuses")?,
                }
                write!(
                    f,
                    "; raise it above {size} (LimitMEMLOCK= of the service, `ulimit -l` in a shell) or make the block memory smaller"
                )
            }
        }
    }
}

impl std::error::Error for MemoryError {}

/// The limit on locked memory in bytes, if there is one.
pub(crate) fn memlock_limit_bytes() -> Option<u64> {
    getrlimit(Resource::Memlock).current
}

/// Bytes for people.
pub(crate) struct Mebibytes(pub u64);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1 << 20) {
            write!(f, "{} MiB", self.0 >> 20)
        } else {
            write!(f, "{} KiB", self.0.div_ceil(1 << 10))
        }
    }
}

impl Arena {
    /// Maps, locks and touches `size_bytes` of memory: nothing of it is missing later.
    pub fn new(size_bytes: u32) -> Result<Rc<Arena>, MemoryError> {
        if size_bytes == 0 || !size_bytes.is_multiple_of(PAGE_BYTES) {
            return Err(MemoryError::Size { size_bytes });
        }
        let mapping = Mapping::new(size_bytes as usize).map_err(|_| MemoryError::Exhausted { size_bytes })?;
        let locked = mapping.lock().map_err(|errno| match errno {
            Errno::AGAIN => MemoryError::Exhausted { size_bytes },
            _ => MemoryError::Limit {
                size_bytes,
                limit_bytes: memlock_limit_bytes(),
            },
        })?;
        let pages = (size_bytes / PAGE_BYTES) as usize;
        let lent = RefCell::new(vec![0; pages.div_ceil(64)].into_boxed_slice());
        Ok(Rc::new(Arena {
            mapping,
            size_bytes,
            locked,
            lent,
        }))
    }

    /// Hands a span to a driver. Panics if a page of it is lent already or outside: our own mistake.
    pub fn lend(self: &Rc<Arena>, span: Span) -> Lent {
        self.check_free(span);
        self.mark(span, true);
        Lent {
            arena: Rc::clone(self),
            span,
        }
    }

    /// What kind of memory this is.
    pub fn report(&self) -> ArenaReport {
        ArenaReport {
            size_bytes: self.size_bytes,
            huge_pages: self.mapping.is_huge(),
            locked: self.locked,
        }
    }

    /// Size in bytes.
    pub fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    /// First byte; for registering the memory with a ring.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.mapping.base()
    }

    /// The first byte of a span. Panics if the span is not within the memory.
    fn pointer(&self, span: Span) -> NonNull<u8> {
        assert!(span.end_bytes() <= self.size_bytes, "a span ends behind the block memory");
        // SAFETY: the offset is within the mapping, as just checked.
        unsafe { self.base().add(span.offset_bytes as usize) }
    }

    fn check_free(&self, span: Span) {
        assert!(span.end_bytes() <= self.size_bytes, "a span ends behind the block memory");
        let lent = self.lent.borrow();
        for page in pages(span) {
            assert!(
                lent[page / 64] & (1 << (page % 64)) == 0,
                "the page at {page} of the block memory is lent"
            );
        }
    }

    fn mark(&self, span: Span, is_lent: bool) {
        let mut lent = self.lent.borrow_mut();
        for page in pages(span) {
            let bit = 1 << (page % 64);
            if is_lent {
                lent[page / 64] |= bit;
            } else {
                lent[page / 64] &= !bit;
            }
        }
    }
}

/// Numbers of the pages that a span touches.
fn pages(span: Span) -> std::ops::Range<usize> {
    let first = span.offset_bytes / PAGE_BYTES;
    let end = if span.length_bytes == 0 {
        first
    } else {
        span.end_bytes().div_ceil(PAGE_BYTES)
    };
    first as usize..end as usize
}

/// A span while it is with a driver. Returned when dropped.
pub struct Lent {
    arena: Rc<Arena>,
    span: Span,
}

impl Lent {
    /// Which span.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Its first byte, for the kernel. The kernel may use it until the `Lent` is dropped.
    pub(crate) fn pointer(&self) -> NonNull<u8> {
        self.arena.pointer(self.span)
    }
}

impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the pages are within the mapping, and in no other `Lent`; the core does not reach lent pages.
        unsafe { std::slice::from_raw_parts(self.pointer().as_ptr(), self.span.length_bytes as usize) }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`; and `&mut self` is the only way to these pages now.
        unsafe { std::slice::from_raw_parts_mut(self.pointer().as_ptr(), self.span.length_bytes as usize) }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.arena.mark(self.span, false);
    }
}

/// The core's view: everything that is not lent.
pub struct ArenaMemory(Rc<Arena>);

impl ArenaMemory {
    /// The core's view of an arena.
    ///
    /// # Safety
    ///
    /// There is one view of an arena, and [`Arena::lend`] is not called while a slice that came from the view is
    /// alive. A machine that owns the view, hands it out in `memory(&mut self)` and lends in its other `&mut self`
    /// methods does both.
    pub unsafe fn new(arena: Rc<Arena>) -> ArenaMemory {
        ArenaMemory(arena)
    }
}

impl Memory for ArenaMemory {
    fn size_bytes(&self) -> u32 {
        self.0.size_bytes
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.0.check_free(span);
        // SAFETY: within the mapping and not lent, as just checked; it cannot be lent while the slice lives (`new`).
        unsafe { std::slice::from_raw_parts(self.0.pointer(span).as_ptr(), span.length_bytes as usize) }
    }

    fn bytes_mut(&mut self, span: Span) -> &mut [u8] {
        self.0.check_free(span);
        // SAFETY: as in `bytes`; and `&mut self` of the only view (`new`) makes this the only slice.
        unsafe { std::slice::from_raw_parts_mut(self.0.pointer(span).as_ptr(), span.length_bytes as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(offset_bytes: u32, length_bytes: u32) -> Span {
        Span {
            offset_bytes,
            length_bytes,
        }
    }

    fn arena() -> Rc<Arena> {
        Arena::new(4 << 20).unwrap()
    }

    #[test]
    fn aligned_and_zero() {
        let arena = Arena::new(3 << 20).unwrap();
        assert!(arena.base().addr().get().is_multiple_of(2 << 20));
        assert_eq!(arena.report().size_bytes, 3 << 20);
        assert!(arena.report().locked);
        assert!(arena.lend(span(0, 3 << 20)).iter().all(|byte| *byte == 0));
    }

    #[test]
    fn bytes_stay_when_lent_and_returned() {
        let arena = arena();
        // SAFETY: the only view, and no slice of it outlives its statement.
        let mut memory = unsafe { ArenaMemory::new(Rc::clone(&arena)) };
        memory.bytes_mut(span(8192, 3)).copy_from_slice(b"abc");
        let mut lent = arena.lend(span(8192, 4096));
        assert_eq!(&lent[..3], b"abc");
        lent[0] = b'x';
        drop(lent);
        assert_eq!(memory.bytes(span(8192, 3)), b"xbc");
    }

    #[test]
    #[should_panic(expected = "is lent")]
    fn a_page_is_lent_once() {
        let arena = arena();
        let _first = arena.lend(span(4096, 8192));
        let _second = arena.lend(span(8192 + 512, 512));
    }

    #[test]
    #[should_panic(expected = "is lent")]
    fn the_core_does_not_reach_what_is_lent() {
        let arena = arena();
        let _lent = arena.lend(span(0, 1));
        // SAFETY: the only view, and no slice of it outlives its statement.
        let memory = unsafe { ArenaMemory::new(arena) };
        memory.bytes(span(100, 1));
    }

    #[test]
    #[should_panic(expected = "ends behind")]
    fn a_span_lies_within() {
        let _lent = arena().lend(span((4 << 20) - 4096, 8192));
    }

    #[test]
    fn neighbours_and_empty_spans_do_not_touch() {
        let arena = arena();
        let _first = arena.lend(span(0, 4096));
        let _second = arena.lend(span(4096, 4096));
        let _empty = arena.lend(span(0, 0));
    }

    #[test]
    fn errors_name_the_limit() {
        let error = MemoryError::Limit {
            size_bytes: 256 << 20,
            limit_bytes: Some(8 << 20),
        };
        assert_eq!(
            error.to_string(),
            "256 MiB of block memory cannot be locked: RLIMIT_MEMLOCK is 8 MiB; raise it above 256 MiB \
             (LimitMEMLOCK= of the service, `ulimit -l` in a shell) or make the block memory smaller"
        );
        assert_eq!(Arena::new(100).err(), Some(MemoryError::Size { size_bytes: 100 }));
    }
}
