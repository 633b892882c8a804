//! A piece of the card in memory, through which tables and folders are read.

use hal::IoError;

use crate::Bytes;
use crate::limits::WINDOW_BYTES;

/// The bytes of a card, and the piece that was read last.
pub struct Window {
    bytes: Box<dyn Bytes>,
    at_bytes: u64,
    piece: Vec<u8>,
}

impl Window {
    pub fn new(bytes: Box<dyn Bytes>) -> Window {
        Window {
            bytes,
            at_bytes: 0,
            piece: Vec::new(),
        }
    }

    /// What was read is not believed any more.
    pub fn forget(&mut self) {
        self.piece.clear();
    }

    /// `N` bytes at an offset.
    pub fn array<const N: usize>(&mut self, at_bytes: u64) -> Result<[u8; N], IoError> {
        let mut array = [0; N];
        let mut done = 0;
        while done < N {
            let at = at_bytes.checked_add(done as u64).ok_or(IoError::Short)?;
            let here = self.some(at)?;
            let length = here.len().min(N - done);
            array[done..done + length].copy_from_slice(&here[..length]);
            done += length;
        }
        Ok(array)
    }

    /// Bytes from an offset on: as many as are in memory then, at least one.
    fn some(&mut self, at_bytes: u64) -> Result<&[u8], IoError> {
        let is_here = at_bytes >= self.at_bytes && at_bytes - self.at_bytes < self.piece.len() as u64;
        if !is_here {
            let from = at_bytes - at_bytes % WINDOW_BYTES as u64;
            let size = self.bytes.size_bytes();
            if at_bytes >= size {
                return Err(IoError::Short);
            }
            let length = (size - from).min(WINDOW_BYTES as u64) as usize;
            self.piece.clear();
            self.piece.resize(length, 0);
            if let Err(error) = self.bytes.read(from, &mut self.piece) {
                self.piece.clear();
                return Err(error);
            }
            self.at_bytes = from;
        }
        Ok(&self.piece[(at_bytes - self.at_bytes) as usize..])
    }

    /// Reads straight into memory of the caller.
    pub fn read(&mut self, at_bytes: u64, into: &mut [u8]) -> Result<(), IoError> {
        let end = at_bytes.checked_add(into.len() as u64).ok_or(IoError::Short)?;
        if end > self.bytes.size_bytes() {
            return Err(IoError::Short);
        }
        self.bytes.read(at_bytes, into)
    }
}
