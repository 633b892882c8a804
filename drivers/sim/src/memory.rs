//! The block memory of one machine, and which of its bytes are lent.
//!
//! Invariants: a span that is lent is neither read nor written by its owner; bytes that the machine is going to write
//! are lent once, bytes that it only reads may be lent several times over. A breach panics: it is a mistake of the
//! core, and on a real kernel it would be damaged data.

use hal::{Memory, PAGE_BYTES, Span};

/// What the machine does with a lent span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It reads the bytes: a write, a send, a chunk.
    Reads,
    /// It writes them: a read, a receive, a fill.
    Writes,
}

/// A span in the hands of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lent {
    pub span: Span,
    pub used: Use,
}

/// Block memory with a record of what is lent.
#[derive(Clone, Debug)]
pub struct BlockMemory {
    bytes: Vec<u8>,
    lent: Vec<Lent>,
}

impl BlockMemory {
    /// Memory of zeros.
    pub(crate) fn new(size_bytes: u32) -> Self {
        assert!(size_bytes.is_multiple_of(PAGE_BYTES));
        Self {
            bytes: vec![0; index(size_bytes)],
            lent: Vec::new(),
        }
    }

    /// Takes a span over from the owner.
    pub(crate) fn lend(&mut self, span: Span, used: Use) -> Lent {
        assert!(
            index(span.end_bytes()) <= self.bytes.len(),
            "{span:?} does not lie in the block memory"
        );
        let clash = self
            .lent
            .iter()
            .find(|other| overlap(other.span, span) && (used == Use::Writes || other.used == Use::Writes));
        assert!(clash.is_none(), "{span:?} is lent already: {clash:?}");
        let lent = Lent { span, used };
        self.lent.push(lent);
        lent
    }

    /// Gives a span back to the owner.
    pub(crate) fn give_back(&mut self, lent: Lent) {
        let place = self.lent.iter().position(|other| *other == lent);
        self.lent.swap_remove(place.expect("what is given back was lent"));
    }

    /// How many spans are lent now.
    pub fn lent_count(&self) -> usize {
        self.lent.len()
    }

    /// The bytes of a lent span, for the machine.
    pub(crate) fn lent_bytes(&self, span: Span) -> &[u8] {
        &self.bytes[index(span.offset_bytes)..index(span.end_bytes())]
    }

    /// The bytes of a lent span, for the machine.
    pub(crate) fn lent_bytes_mut(&mut self, span: Span) -> &mut [u8] {
        &mut self.bytes[index(span.offset_bytes)..index(span.end_bytes())]
    }

    fn assert_owned(&self, span: Span) {
        let clash = self.lent.iter().find(|other| overlap(other.span, span));
        assert!(clash.is_none(), "{span:?} is used while it is lent: {clash:?}");
    }
}

impl Memory for BlockMemory {
    fn size_bytes(&self) -> u32 {
        u32::try_from(self.bytes.len()).expect("made from a u32")
    }

    fn bytes(&self, span: Span) -> &[u8] {
        self.assert_owned(span);
        self.lent_bytes(span)
    }

    fn bytes_mut(&mut self, span: Span) -> &mut [u8] {
        self.assert_owned(span);
        self.lent_bytes_mut(span)
    }
}

fn overlap(a: Span, b: Span) -> bool {
    a.offset_bytes < b.end_bytes() && b.offset_bytes < a.end_bytes()
}

/// Spans are `u32`; slices are indexed by `usize`, which is wider on every machine that tests run on.
pub(crate) fn index(bytes: u32) -> usize {
    usize::try_from(bytes).expect("usize has at least 32 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Span = Span {
        offset_bytes: 4096,
        length_bytes: 8192,
    };

    fn memory() -> BlockMemory {
        BlockMemory::new(65536)
    }

    #[test]
    fn what_came_back_can_be_used() {
        let mut memory = memory();
        let lent = memory.lend(SPAN, Use::Writes);
        memory.give_back(lent);
        memory.bytes_mut(SPAN)[0] = 1;
        assert_eq!(memory.bytes(SPAN)[0], 1);
    }

    #[test]
    #[should_panic(expected = "used while it is lent")]
    fn using_a_part_of_a_lent_span_panics() {
        let mut memory = memory();
        memory.lend(SPAN, Use::Reads);
        memory.bytes(SPAN.part(8191, 1));
    }

    #[test]
    #[should_panic(expected = "lent already")]
    fn lending_twice_for_writing_panics() {
        let mut memory = memory();
        memory.lend(SPAN, Use::Reads);
        memory.lend(SPAN.part(4096, 4096), Use::Writes);
    }

    #[test]
    fn bytes_that_are_only_read_can_be_lent_twice() {
        let mut memory = memory();
        let whole = memory.lend(SPAN, Use::Reads);
        let part = memory.lend(SPAN.part(4096, 4096), Use::Reads);
        memory.give_back(whole);
        assert_eq!(memory.lent_count(), 1);
        memory.give_back(part);
        memory.bytes_mut(SPAN)[0] = 1;
    }

    #[test]
    #[should_panic(expected = "does not lie in")]
    fn lending_beyond_the_end_panics() {
        memory().lend(
            Span {
                offset_bytes: 61440,
                length_bytes: 8192,
            },
            Use::Reads,
        );
    }
}
