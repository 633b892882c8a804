//! One anonymous mapping of huge pages, or of memory that the kernel is asked to back with huge pages.
//!
//! Does not know who uses which part (`memory.rs`).
//!
//! Invariant: mapped from the start to the drop of the [`Mapping`], at one place.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mlock, mmap_anonymous, munmap};

/// Size and alignment of a huge page.
const HUGE_BYTES: usize = 2 << 20;

/// Zeroed memory, aligned to a huge page.
pub(super) struct Mapping {
    base: NonNull<u8>,
    mapped_bytes: usize,
}

impl Mapping {
    /// Maps at least that much.
    pub(super) fn new(size_bytes: usize) -> Result<Mapping, Errno> {
        let mapped_bytes = size_bytes.next_multiple_of(HUGE_BYTES);
        let mapping = match Mapping::reserved(mapped_bytes) {
            Some(mapping) => mapping,
            None => Mapping::advised(mapped_bytes)?,
        };
        // A child must not share pages that the kernel writes into, and recordings do not belong into a core dump.
        mapping.advise(Advice::LinuxDontFork);
        mapping.advise(Advice::LinuxDontDump);
        Ok(mapping)
    }

    /// Huge pages that the operator set aside; none if there are not enough of them.
    fn reserved(mapped_bytes: usize) -> Option<Mapping> {
        let mapping = Mapping::anonymous(mapped_bytes, MapFlags::HUGETLB).ok()?;
        // A huge page that is missing after all would be a SIGBUS later; here it is an error.
        let is_whole = mapping.advise(Advice::LinuxPopulateWrite);
        // Where a huge page is of another size than here, the ordinary way is as good.
        (is_whole && mapping.base.addr().get().is_multiple_of(HUGE_BYTES)).then_some(mapping)
    }

    /// Ordinary memory at a huge page's alignment that the kernel is asked to back with huge pages.
    fn advised(mapped_bytes: usize) -> Result<Mapping, Errno> {
        let mut mapping = Mapping::anonymous(mapped_bytes + HUGE_BYTES, MapFlags::empty())?;
        let start = mapping.start();
        let skip_bytes = start.addr().next_multiple_of(HUGE_BYTES) - start.addr();
        let base = start.wrapping_byte_add(skip_bytes);
        if skip_bytes > 0 {
            // SAFETY: the part of our own mapping before the aligned start; nobody has a pointer into it.
            unsafe { munmap(start, skip_bytes) }?;
        }
        mapping.base = NonNull::new(base.cast()).ok_or(Errno::NOMEM)?;
        mapping.mapped_bytes -= skip_bytes;
        if mapping.mapped_bytes > mapped_bytes {
            let end = base.wrapping_byte_add(mapped_bytes);
            // SAFETY: the part of our own mapping behind the aligned end; nobody has a pointer into it.
            unsafe { munmap(end, mapping.mapped_bytes - mapped_bytes) }?;
            mapping.mapped_bytes = mapped_bytes;
        }
        // Advice that is not taken costs speed, not correctness.
        mapping.advise(Advice::LinuxHugepage);
        Ok(mapping)
    }

    fn anonymous(mapped_bytes: usize, flags: MapFlags) -> Result<Mapping, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches no existing memory.
        let start = unsafe { mmap_anonymous(ptr::null_mut(), mapped_bytes, access, MapFlags::PRIVATE | flags) }?;
        let base = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
        Ok(Mapping { base, mapped_bytes })
    }

    /// First byte.
    pub(super) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// Locks all of it and touches every page. False if this kernel or sandbox has no locking; an error if there is not
    /// enough memory or the limit is too low.
    pub(super) fn lock(&self) -> Result<bool, Errno> {
        // SAFETY: the range is our own mapping; locking changes none of its bytes.
        match unsafe { mlock(self.start(), self.mapped_bytes) } {
            Ok(()) => Ok(true),
            Err(errno @ (Errno::NOMEM | Errno::PERM | Errno::AGAIN)) => Err(errno),
            Err(_) => {
                // A kernel that cannot do this either touches the pages as they are used.
                self.advise(Advice::LinuxPopulateWrite);
                Ok(false)
            }
        }
    }

    /// All of it lies in huge pages, as the kernel counts them.
    pub(super) fn is_huge(&self) -> bool {
        let maps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
        let range = format!("{:x}-", self.start().addr());
        let mapping = maps.lines().skip_while(|line| !line.starts_with(&range)).skip(1);
        let huge_kibibytes: usize = mapping
            .take_while(|line| line.split(' ').next().is_some_and(|word| word.ends_with(':')))
            .filter(|line| line.starts_with("AnonHugePages:") || line.starts_with("Private_Hugetlb:"))
            .filter_map(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok())
            .sum();
        huge_kibibytes << 10 >= self.mapped_bytes
    }

    fn advise(&self, advice: Advice) -> bool {
        // SAFETY: the range is our own mapping, and none of the advice given here changes its bytes.
        unsafe { madvise(self.start(), self.mapped_bytes, advice) }.is_ok()
    }

    fn start(&self) -> *mut c_void {
        self.base.as_ptr().cast()
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and its owner keeps it for as long as there are pointers into it.
        let _ = unsafe { munmap(self.start(), self.mapped_bytes) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_up_and_aligned() {
        for size_bytes in [4096, HUGE_BYTES, 3 * HUGE_BYTES - 4096] {
            let mapping = Mapping::new(size_bytes).unwrap();
            assert!(mapping.base().addr().get().is_multiple_of(HUGE_BYTES));
            assert_eq!(mapping.mapped_bytes, size_bytes.next_multiple_of(HUGE_BYTES));
            assert!(mapping.lock().unwrap());
        }
    }
}
