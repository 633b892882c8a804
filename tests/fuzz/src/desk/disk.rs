//! A disk that keeps what is not zero, cheap to copy.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::PAGE;

/// Compared as a whole: a loop over bytes would be counted byte by byte when fuzzing.
static ZERO: [u8; PAGE] = [0; PAGE];

/// Pages by number; one that is not there is zero.
#[derive(Clone, Default)]
pub struct Disk(BTreeMap<u64, Rc<[u8; PAGE]>>);

impl Disk {
    /// Bytes from an offset on.
    pub fn read(&self, at_bytes: u64, into: &mut [u8]) {
        let mut at = at_bytes;
        let mut rest = into;
        while !rest.is_empty() {
            let from = (at % PAGE as u64) as usize;
            let (some, after) = rest.split_at_mut(rest.len().min(PAGE - from));
            match self.0.get(&(at / PAGE as u64)) {
                Some(page) => some.copy_from_slice(&page[from..from + some.len()]),
                None => some.fill(0),
            }
            at += some.len() as u64;
            rest = after;
        }
    }

    /// The same as a list.
    pub fn bytes(&self, at_bytes: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.read(at_bytes, &mut bytes);
        bytes
    }

    /// Puts bytes at an offset.
    pub fn put(&mut self, at_bytes: u64, bytes: &[u8]) {
        let mut at = at_bytes;
        let mut rest = bytes;
        while !rest.is_empty() {
            let from = (at % PAGE as u64) as usize;
            let (some, after) = rest.split_at(rest.len().min(PAGE - from));
            let number = at / PAGE as u64;
            if some == ZERO {
                self.0.remove(&number);
            } else {
                let page = self.0.entry(number).or_insert_with(|| Rc::new([0; PAGE]));
                Rc::make_mut(page)[from..from + some.len()].copy_from_slice(some);
            }
            at += some.len() as u64;
            rest = after;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_read_across_pages() {
        let mut disk = Disk::default();
        disk.put(4090, b"across pages");
        let copy = disk.clone();
        disk.put(4096, &[0; PAGE]);
        assert_eq!(copy.bytes(4088, 14), b"\0\0across pages");
        assert_eq!(disk.bytes(4088, 14), b"\0\0across\0\0\0\0\0\0");
    }
}
