//! The bytes of a disk: sparse, and cheap to clone.
//!
//! Not a disk: it knows no latency, cache or fault. Invariant: what was never written reads as zeros.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

/// Bytes held together: cloned when one of two images that share them is written.
const CHUNK_BYTES: u64 = 65536;

/// Bytes at offsets. Two clones share what neither has changed since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Image {
    chunks: BTreeMap<u64, Arc<Vec<u8>>>,
}

impl Image {
    /// Copies the bytes from `at_bytes` on into `into`.
    pub fn read(&self, at_bytes: u64, into: &mut [u8]) {
        for part in parts(at_bytes, into.len()) {
            let target = &mut into[part.from..part.to];
            match self.chunks.get(&part.chunk) {
                Some(chunk) => target.copy_from_slice(&chunk[part.within..part.within + target.len()]),
                None => target.fill(0),
            }
        }
    }

    /// The bytes of a range.
    pub fn bytes(&self, at_bytes: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read(at_bytes, &mut bytes);
        bytes
    }

    /// Puts `bytes` at `at_bytes`.
    pub fn write(&mut self, at_bytes: u64, bytes: &[u8]) {
        for part in parts(at_bytes, bytes.len()) {
            let source = &bytes[part.from..part.to];
            let chunk = self
                .chunks
                .entry(part.chunk)
                .or_insert_with(|| Arc::new(vec![0; CHUNK_LENGTH]));
            Arc::make_mut(chunk)[part.within..part.within + source.len()].copy_from_slice(source);
        }
    }

    /// The parts that differ from another image, in steps of what is held together.
    pub fn differing(&self, other: &Image) -> Vec<Range<u64>> {
        let both: BTreeSet<u64> = self.chunks.keys().chain(other.chunks.keys()).copied().collect();
        let zeros = Arc::new(vec![0; CHUNK_LENGTH]);
        let of = |image: &Image, chunk: &u64| image.chunks.get(chunk).unwrap_or(&zeros).clone();
        both.iter()
            .filter(|chunk| {
                let (a, b) = (of(self, chunk), of(other, chunk));
                !Arc::ptr_eq(&a, &b) && a != b
            })
            .map(|chunk| chunk * CHUNK_BYTES..(chunk + 1) * CHUNK_BYTES)
            .collect()
    }

    /// Makes a range what it is in another image.
    pub fn copy(&mut self, other: &Image, range_bytes: Range<u64>) {
        let length = usize::try_from(range_bytes.end - range_bytes.start).expect("usize has 64 bits");
        self.write(range_bytes.start, &other.bytes(range_bytes.start, length));
    }

    /// Makes a range read as zeros.
    pub fn clear(&mut self, at_bytes: u64, length_bytes: u64) {
        let end = at_bytes.saturating_add(length_bytes);
        let touched: Vec<u64> = self.chunks.range(at_bytes / CHUNK_BYTES..).map(|(chunk, _)| *chunk).collect();
        for chunk in touched {
            let start = (chunk * CHUNK_BYTES).max(at_bytes);
            let stop = ((chunk + 1) * CHUNK_BYTES).min(end);
            if start < stop {
                let zeros = vec![0; usize::try_from(stop - start).expect("at most one chunk")];
                self.write(start, &zeros);
            }
        }
    }
}

const CHUNK_LENGTH: usize = 65536;

/// The part of a range that lies in one chunk.
struct Part {
    chunk: u64,
    within: usize,
    from: usize,
    to: usize,
}

fn parts(at_bytes: u64, length: usize) -> impl Iterator<Item = Part> {
    let mut from = 0;
    std::iter::from_fn(move || {
        if from == length {
            return None;
        }
        let at = at_bytes + u64::try_from(from).expect("lengths fit in 64 bits");
        let within = usize::try_from(at % CHUNK_BYTES).expect("less than a chunk");
        let to = length.min(from + CHUNK_LENGTH - within);
        let part = Part {
            chunk: at / CHUNK_BYTES,
            within,
            from,
            to,
        };
        from = to;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_across_chunks_read_back_and_clones_stay_as_they_were() {
        let mut image = Image::default();
        let before = image.clone();
        let bytes: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
        image.write(CHUNK_BYTES - 100, &bytes);
        assert_eq!(image.bytes(CHUNK_BYTES - 100, bytes.len()), bytes);
        assert_eq!(image.bytes(0, 4), [0; 4]);
        assert_eq!(before.bytes(CHUNK_BYTES, 4), [0; 4]);
        image.clear(CHUNK_BYTES, 1000);
        assert_eq!(image.bytes(CHUNK_BYTES + 998, 4), [0, 0, bytes[1100], bytes[1101]]);
        assert_eq!(image.bytes(CHUNK_BYTES - 1, 1), [bytes[99]]);
    }
}
