//! The bytes of netlink messages: requests, and what the kernel answers. Not the sockets they come from.
//!
//! Invariant: a length in a message is checked before it is used.

/// Length of the header of every message.
const HEADER_BYTES: usize = 16;
const ALIGNMENT_BYTES: usize = 4;

/// A request for everything of a kind.
pub(crate) fn dump_request(kind: u16, body: &[u8]) -> Vec<u8> {
    let length_bytes = u32::try_from(HEADER_BYTES + body.len()).expect("requests are short");
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_DUMP).expect("flags are 16 bits wide");
    let mut request = Vec::with_capacity(HEADER_BYTES + body.len());
    request.extend_from_slice(&length_bytes.to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&flags.to_ne_bytes());
    request.extend_from_slice(&1u32.to_ne_bytes());
    request.extend_from_slice(&0u32.to_ne_bytes());
    request.extend_from_slice(body);
    request
}

/// Kind and body of every message in a datagram.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length_bytes = u32_at(rest, 0)? as usize;
        let kind = u16_at(rest, 4)?;
        let body = rest.get(HEADER_BYTES..length_bytes)?;
        rest = rest.get(length_bytes.next_multiple_of(ALIGNMENT_BYTES)..).unwrap_or_default();
        Some((kind, body))
    })
}

/// Kind and value of every attribute behind the fixed part of a body.
pub(crate) fn attributes(body: &[u8], fixed_bytes: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = body.get(fixed_bytes..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length_bytes = usize::from(u16_at(rest, 0)?);
        let kind = u16_at(rest, 2)?;
        let value = rest.get(4..length_bytes)?;
        rest = rest.get(length_bytes.next_multiple_of(ALIGNMENT_BYTES)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// A number of two bytes.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number of four bytes.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// A number of eight bytes.
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// Text that may end with NUL.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0).unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, length_bytes: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = dump_request(kind, body);
        bytes[..4].copy_from_slice(&length_bytes.to_ne_bytes());
        bytes
    }

    #[test]
    fn messages_are_taken_apart() {
        let mut datagram = message(16, 21, b"hello\0\0\0");
        datagram.extend(message(17, 18, b"ab"));
        let found: Vec<_> = messages(&datagram).collect();
        assert_eq!(found, [(16, &b"hello"[..]), (17, b"ab")]);
    }

    #[test]
    fn lengths_that_lie_end_it() {
        for length_bytes in [0, 1, 15, 22, u32::MAX] {
            let datagram = message(16, length_bytes, b"hello");
            let found: Vec<_> = messages(&datagram).map(|(_, body)| body.len()).collect();
            assert!(found.is_empty(), "{length_bytes}: {found:?}");
        }
        for length_bytes in [0u16, 3, 9, u16::MAX] {
            let mut body = length_bytes.to_ne_bytes().to_vec();
            body.extend_from_slice(&[1, 0, 9, 9, 9, 9]);
            assert_eq!(attributes(&body, 0).count(), 0, "{length_bytes}");
        }
        assert_eq!(attributes(&[], 16).count(), 0);
    }
}
