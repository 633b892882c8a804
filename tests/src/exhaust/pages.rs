//! Pages of 4 KiB, each kept once: a disk or a block memory is a list of their numbers, so that a state is small and is
//! compared by number.
//!
//! Not a disk and not a memory. Invariant: the same bytes have the same number, in one store.

use std::collections::HashMap;
use std::rc::Rc;

use drivers_sim::Image;
use hal::{Memory, PAGE_BYTES, Span};

/// Bytes of a page.
pub const BYTES: usize = PAGE_BYTES as usize;
/// All zeros.
pub const ZEROS: Page = Page(0);
/// What memory that nobody uses is full of, so that reading it shows.
pub const POISON: Page = Page(1);

/// The number of a page in its store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Page(u32);

/// All pages that were ever seen.
#[derive(Debug)]
pub struct Store {
    pages: Vec<Rc<[u8]>>,
    numbers: HashMap<Rc<[u8]>, Page>,
}

impl Store {
    /// With the two pages that have names.
    pub fn new() -> Store {
        let mut store = Store {
            pages: Vec::new(),
            numbers: HashMap::new(),
        };
        store.number(&[0; BYTES]);
        store.number(&[0xdd; BYTES]);
        store
    }

    /// The number of a page.
    pub fn number(&mut self, bytes: &[u8]) -> Page {
        if !self.pages.is_empty() && bytes.iter().all(|byte| *byte == 0) {
            return ZEROS;
        }
        if let Some(number) = self.numbers.get(bytes) {
            return *number;
        }
        let number = Page(u32::try_from(self.pages.len()).expect("fewer pages than that fit any memory"));
        let bytes: Rc<[u8]> = bytes.into();
        self.pages.push(bytes.clone());
        self.numbers.insert(bytes, number);
        number
    }

    /// The bytes of a page.
    pub fn bytes(&self, page: Page) -> &[u8] {
        &self.pages[page.0 as usize]
    }

    /// The first half of one page and the second half of another: a sector that was torn.
    pub fn torn(&mut self, first: Page, second: Page) -> Page {
        let mut bytes = self.bytes(first).to_vec();
        bytes[BYTES / 2..].copy_from_slice(&self.bytes(second)[BYTES / 2..]);
        self.number(&bytes)
    }

    /// Number of pages.
    pub fn len(&self) -> usize {
        self.pages.len()
    }
}

/// A list of pages that is cheap to clone, with a sum over all of them that tells lists apart.
#[derive(Clone, Debug)]
pub struct Pages {
    pages: Rc<Vec<Page>>,
    sum: u64,
}

impl Pages {
    /// So many of one page.
    pub fn of(page: Page, count: usize) -> Pages {
        let sum = (0..count).fold(0u64, |sum, at| sum.wrapping_add(term(at, page)));
        Pages {
            pages: Rc::new(vec![page; count]),
            sum,
        }
    }

    /// The page at a place.
    pub fn get(&self, at: usize) -> Page {
        self.pages[at]
    }

    /// Puts a page in a place.
    pub fn set(&mut self, at: usize, page: Page) {
        let before = self.pages[at];
        if before != page {
            self.sum = self.sum.wrapping_sub(term(at, before)).wrapping_add(term(at, page));
            Rc::make_mut(&mut self.pages)[at] = page;
        }
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// A number that differs for lists that differ, but for an accident of 1 in 2^64.
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// The bytes of some of the places, for a reader of volumes.
    pub fn image(&self, store: &Store, places: impl Iterator<Item = usize>) -> Image {
        let mut image = Image::default();
        for at in places.filter(|at| self.pages[*at] != ZEROS) {
            image.write((at * BYTES) as u64, store.bytes(self.pages[at]));
        }
        image
    }
}

/// The share of one place in the sum (the finalizer of SplitMix64).
fn term(at: usize, page: Page) -> u64 {
    let mut mixed = ((at as u64) << 32 | u64::from(page.0)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// The one block memory in which every state is stepped: loaded before, taken apart after.
#[derive(Debug)]
pub struct Arena {
    bytes: Vec<u8>,
    loaded: Vec<Option<Page>>,
}

impl Arena {
    /// A memory of that size.
    pub fn new(size_bytes: usize) -> Arena {
        Arena {
            bytes: vec![0; size_bytes],
            loaded: vec![None; size_bytes / BYTES],
        }
    }

    /// Makes the bytes those of the pages.
    pub fn load(&mut self, pages: &Pages, store: &Store) {
        for (at, loaded) in self.loaded.iter_mut().enumerate().take(pages.len()) {
            let page = pages.get(at);
            if *loaded != Some(page) {
                self.bytes[at * BYTES..][..BYTES].copy_from_slice(store.bytes(page));
                *loaded = Some(page);
            }
        }
    }

    /// Makes the pages those of the bytes; of memory that is not used, nothing is kept.
    pub fn unload(&mut self, pages: &mut Pages, store: &mut Store, is_used: impl Fn(Span) -> bool) {
        for (at, loaded) in self.loaded.iter_mut().enumerate().take(pages.len()) {
            let span = Span {
                offset_bytes: (at * BYTES) as u32,
                length_bytes: PAGE_BYTES,
            };
            if !is_used(span) {
                pages.set(at, POISON);
            } else if loaded.is_none() {
                let page = store.number(&self.bytes[at * BYTES..][..BYTES]);
                *loaded = Some(page);
                pages.set(at, page);
            }
        }
    }
}

impl Memory for Arena {
    fn size_bytes(&self) -> u32 {
        self.bytes.len() as u32
    }

    fn bytes(&self, span: Span) -> &[u8] {
        &self.bytes[span.offset_bytes as usize..span.end_bytes() as usize]
    }

    fn bytes_mut(&mut self, span: Span) -> &mut [u8] {
        let (from, to) = (span.offset_bytes as usize, span.end_bytes() as usize);
        self.loaded[from / BYTES..to.div_ceil(BYTES)].fill(None);
        &mut self.bytes[from..to]
    }
}
