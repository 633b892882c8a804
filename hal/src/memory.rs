//! The block memory: one region sized at start, named by spans.
//!
//! The core decides which span is used for what; a driver may lock it and register it with the kernel.
//! Not an allocator: that is the core's `memory.rs`.

/// Smallest unit of the block memory, and its alignment: one header sector.
pub const PAGE_BYTES: u32 = 4096;

/// A range of the block memory, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Bytes from the start of the block memory.
    pub offset_bytes: u32,
    /// Length in bytes.
    pub length_bytes: u32,
}

impl Span {
    /// A part of this span: `length_bytes` from `from_bytes` on. Panics if it does not lie within: our own mistake.
    pub fn part(self, from_bytes: u32, length_bytes: u32) -> Span {
        assert!(from_bytes <= self.length_bytes);
        assert!(length_bytes <= self.length_bytes - from_bytes);
        Span {
            offset_bytes: self.offset_bytes + from_bytes,
            length_bytes,
        }
    }

    /// First byte behind the span.
    pub fn end_bytes(self) -> u32 {
        self.offset_bytes + self.length_bytes
    }
}

/// Access to the block memory. Implementations panic when a span is lent to the machine: our own mistake.
pub trait Memory {
    /// Size of the whole memory in bytes; a multiple of [`PAGE_BYTES`].
    fn size_bytes(&self) -> u32;
    /// The bytes of a span that is not lent.
    fn bytes(&self, span: Span) -> &[u8];
    /// The bytes of a span that is not lent.
    fn bytes_mut(&mut self, span: Span) -> &mut [u8];
}
