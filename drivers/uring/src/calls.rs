//! The calls of a client, cut apart at their NULs as bytes come in. Not what they say: that is the core's.
//!
//! Invariants: which calls come out does not depend on the pieces in which the bytes came; what is held is at most the longest
//! call and what was read at once behind it.

/// What is read at once.
const READ_BYTES: usize = 4096;

/// Bytes that came and were not called for yet.
#[derive(Debug)]
pub struct Calls {
    buffer: Vec<u8>,
    /// So many of them are no NUL.
    searched: usize,
    longest_bytes: usize,
}

/// A call is longer than its client may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Calls {
    /// Of a client that may call so long.
    pub fn new(longest_bytes: usize) -> Calls {
        Calls {
            buffer: Vec::with_capacity(READ_BYTES),
            searched: 0,
            longest_bytes,
        }
    }

    /// The next whole call, without its NUL; none until more bytes come.
    pub fn take(&mut self) -> Result<Option<Vec<u8>>, TooLong> {
        let nul = self.buffer[self.searched..].iter().position(|byte| *byte == 0);
        let length = nul.map_or(self.buffer.len(), |nul| self.searched + nul);
        if length > self.longest_bytes {
            return Err(TooLong);
        }
        if nul.is_none() {
            self.searched = length;
            return Ok(None);
        }
        self.searched = 0;
        let call = self.buffer.drain(..=length).take(length).collect();
        Ok(Some(call))
    }

    /// Where further bytes are appended.
    pub fn room(&mut self) -> &mut Vec<u8> {
        self.buffer.reserve(READ_BYTES);
        &mut self.buffer
    }

    /// What came behind the last call.
    pub fn into_rest(self) -> Vec<u8> {
        self.buffer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_end_with_nul_and_the_rest_stays() {
        let mut calls = Calls::new(4);
        calls.room().extend_from_slice(b"abcd\0\0ef");
        assert_eq!(calls.take(), Ok(Some(b"abcd".to_vec())));
        assert_eq!(calls.take(), Ok(Some(Vec::new())));
        assert_eq!(calls.take(), Ok(None));
        calls.room().extend_from_slice(b"g\0h");
        assert_eq!(calls.take(), Ok(Some(b"efg".to_vec())));
        assert_eq!(calls.take(), Ok(None));
        assert_eq!(calls.into_rest(), b"h");
    }

    #[test]
    fn one_byte_too_many_is_too_long_with_and_without_its_end() {
        for bytes in [&b"abcde"[..], b"abcde\0"] {
            let mut calls = Calls::new(4);
            calls.room().extend_from_slice(bytes);
            assert_eq!(calls.take(), Err(TooLong));
        }
    }
}
