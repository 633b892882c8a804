//! What happened, as lines with virtual time, and always as a running hash.
//!
//! Not a log of the appliance. Invariant: two runs have equal hashes if and only if (up to chance) they had equal lines,
//! including the contents of every write, frame and message.

use std::fmt::{self, Write};

/// Where the lines go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Echo {
    /// Nowhere: only the hash is kept.
    #[default]
    Off,
    /// To standard error as they come.
    Stderr,
    /// Into [`Trace::lines`].
    Keep,
}

/// The trace of a world.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Where the lines go.
    pub echo: Echo,
    /// Lines kept with [`Echo::Keep`].
    pub lines: Vec<String>,
    hash: Fold,
    line: String,
}

impl Trace {
    /// The hash of everything so far.
    pub fn hash(&self) -> u64 {
        self.hash.0
    }

    /// Adds a line.
    pub(crate) fn note(&mut self, now_ns: u64, who: &str, what: fmt::Arguments<'_>) {
        self.line.clear();
        let (seconds, rest) = (now_ns / 1_000_000_000, now_ns % 1_000_000_000);
        write!(self.line, "{seconds:>5}.{rest:09} {who} {what}").expect("writing into a string does not fail");
        self.hash.bytes(self.line.as_bytes());
        match self.echo {
            Echo::Off => {}
            Echo::Stderr => eprintln!("{}", self.line),
            Echo::Keep => self.lines.push(self.line.clone()),
        }
    }
}

/// A fast hash that is not meant to resist anybody.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fold(pub u64);

impl Default for Fold {
    fn default() -> Self {
        Fold(0xcbf2_9ce4_8422_2325)
    }
}

impl Fold {
    /// The hash of some bytes alone.
    pub fn of(bytes: &[u8]) -> u64 {
        let mut fold = Fold::default();
        fold.bytes(bytes);
        fold.0
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let words = bytes.chunks_exact(8);
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        for word in words {
            self.word(u64::from_le_bytes(word.try_into().expect("a chunk of 8")));
        }
        self.word(u64::from_le_bytes(last));
        self.word(u64::try_from(bytes.len()).expect("lengths fit in 64 bits"));
    }

    fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 29);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_counts() {
        assert_ne!(Fold::of(b"12345678a"), Fold::of(b"12345678b"));
        assert_ne!(Fold::of(b"a"), Fold::of(b"a\0"));
        assert_ne!(Fold::of(b""), Fold::of(b"\0"));
    }

    #[test]
    fn lines_carry_virtual_time() {
        let mut trace = Trace {
            echo: Echo::Keep,
            ..Trace::default()
        };
        trace.note(12_000_000_345, "north", format_args!("> write"));
        assert_eq!(trace.lines, ["   12.000000345 north > write"]);
    }
}
