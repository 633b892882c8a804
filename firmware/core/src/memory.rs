//! Who has which part of the block memory: a buddy allocator over spans of 4 KiB to 16 MiB.
//!
//! Only numbers; the bytes belong to the machine. Invariant: spans handed out never overlap, and each is given back once.

use alloc::vec::Vec;
use hal::{PAGE_BYTES, Span};

use crate::limits::BLOCK_BYTES_MAX;

const ORDERS: usize = (BLOCK_BYTES_MAX / PAGE_BYTES).ilog2() as usize + 1;

/// The block memory's free parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pool {
    size_bytes: u32,
    used_bytes: u32,
    /// Per order (4 KiB, 8 KiB …), one bit a span: it is free.
    free: [Vec<u64>; ORDERS],
    /// Free spans per order.
    counts: [u32; ORDERS],
    /// Something was given back since [`Pool::take_freed`].
    freed: bool,
}

impl Pool {
    /// All of a memory of that size, as far as it is made of whole pages.
    pub fn new(size_bytes: u32) -> Pool {
        let pages = size_bytes / PAGE_BYTES;
        let free = core::array::from_fn(|order| alloc::vec![0u64; (pages as usize >> order).div_ceil(64)]);
        let mut pool = Pool {
            size_bytes: pages * PAGE_BYTES,
            used_bytes: 0,
            free,
            counts: [0; ORDERS],
            freed: false,
        };
        let mut page = 0;
        while page < pages {
            let order = (0..ORDERS)
                .rev()
                .find(|order| page.is_multiple_of(1 << order) && page + (1 << order) <= pages);
            let order = order.unwrap_or(0);
            pool.set(order, page >> order);
            page += 1 << order;
        }
        pool
    }

    /// Size in bytes.
    pub fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    /// Bytes handed out.
    pub fn used_bytes(&self) -> u32 {
        self.used_bytes
    }

    /// Bytes that are free, if not in one piece.
    pub fn free_bytes(&self) -> u32 {
        self.size_bytes - self.used_bytes
    }

    /// A span of that length, a power of two from 4 KiB to 16 MiB; none if there is none in one piece.
    pub fn take(&mut self, length_bytes: u32) -> Option<Span> {
        assert!(length_bytes.is_power_of_two());
        assert!((PAGE_BYTES..=BLOCK_BYTES_MAX).contains(&length_bytes));
        let order = (length_bytes / PAGE_BYTES).ilog2() as usize;
        let from = (order..ORDERS).find(|order| self.counts[*order] > 0)?;
        let mut index = self.first(from)?;
        self.clear(from, index);
        for smaller in (order..from).rev() {
            index <<= 1;
            self.set(smaller, index + 1);
        }
        self.used_bytes += length_bytes;
        Some(Span {
            offset_bytes: (index << order) * PAGE_BYTES,
            length_bytes,
        })
    }

    /// Whether [`Pool::take`] would find a span of that length.
    pub fn has(&self, length_bytes: u32) -> bool {
        let order = (length_bytes / PAGE_BYTES).ilog2() as usize;
        self.counts[order..].iter().any(|count| *count > 0)
    }

    /// Takes back a span that [`Pool::take`] has handed out.
    pub fn give(&mut self, span: Span) {
        assert!(span.length_bytes.is_power_of_two());
        assert!(span.end_bytes() <= self.size_bytes);
        let mut order = (span.length_bytes / PAGE_BYTES).ilog2() as usize;
        let mut index = (span.offset_bytes / PAGE_BYTES) >> order;
        assert!(!self.is_free(order, index), "a span was given back twice");
        while order + 1 < ORDERS && self.is_free(order, index ^ 1) {
            self.clear(order, index ^ 1);
            index >>= 1;
            order += 1;
        }
        self.set(order, index);
        self.used_bytes -= span.length_bytes;
        self.freed = true;
    }

    /// Whether any of a page is handed out.
    pub fn is_used(&self, page: Span) -> bool {
        let page = page.offset_bytes / PAGE_BYTES;
        !(0..ORDERS).any(|order| self.is_free(order, page >> order))
    }

    /// Whether something was given back since the last call.
    pub fn take_freed(&mut self) -> bool {
        core::mem::take(&mut self.freed)
    }

    fn first(&self, order: usize) -> Option<u32> {
        let word = self.free[order].iter().position(|word| *word != 0)?;
        Some(word as u32 * 64 + self.free[order][word].trailing_zeros())
    }

    fn is_free(&self, order: usize, index: u32) -> bool {
        self.free[order]
            .get(index as usize / 64)
            .is_some_and(|word| word & (1 << (index % 64)) != 0)
    }

    fn set(&mut self, order: usize, index: u32) {
        self.free[order][index as usize / 64] |= 1 << (index % 64);
        self.counts[order] += 1;
    }

    fn clear(&mut self, order: usize, index: u32) {
        self.free[order][index as usize / 64] &= !(1 << (index % 64));
        self.counts[order] -= 1;
    }
}

/// At start no block memory is touched.
pub struct NoMemory;

impl hal::Memory for NoMemory {
    fn size_bytes(&self) -> u32 {
        0
    }

    fn bytes(&self, _: Span) -> &[u8] {
        &[]
    }

    fn bytes_mut(&mut self, _: Span) -> &mut [u8] {
        &mut []
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_never_overlap_and_all_come_back() {
        let mut pool = Pool::new(40 << 20);
        let whole = pool.clone();
        let mut state = 1u64;
        let mut held: Vec<Span> = Vec::new();
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let draw = (state >> 33) as usize;
            if !draw.is_multiple_of(3) {
                let length = PAGE_BYTES << (draw / 3 % ORDERS);
                if let Some(span) = pool.take(length) {
                    assert_eq!(span.length_bytes, length);
                    assert_eq!(span.offset_bytes % length, 0);
                    assert!(
                        held.iter()
                            .all(|h| h.end_bytes() <= span.offset_bytes || span.end_bytes() <= h.offset_bytes)
                    );
                    held.push(span);
                }
            } else if !held.is_empty() {
                pool.give(held.swap_remove(draw / 3 % held.len()));
            }
        }
        for span in held {
            pool.give(span);
        }
        assert!(pool.take_freed());
        assert_eq!(pool, whole);
    }
}
