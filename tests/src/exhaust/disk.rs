//! A disk with a write cache: what reads now, what is durable, and what lies between.
//!
//! Latency and choice are not here. Invariants: a write is durable only by a flush that was submitted after it had completed
//! and succeeded; what a failed flush covered is lost to every later flush, though it reads on (as Linux and disks do).

use std::collections::BTreeSet;
use std::rc::Rc;

use super::pages::{Page, Pages, Store, ZEROS};

/// Most pending writes of which every combination of whole, absent and torn is tried; above, of whole and absent only.
const TORN_TOGETHER_MAX: usize = 4;

/// A write: where, and what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Write {
    /// First page.
    pub at: usize,
    /// Content.
    pub pages: Rc<[Page]>,
}

/// A completed write that no flush has made durable.
#[derive(Clone, Debug)]
struct Cached {
    number: u64,
    write: Write,
    /// A flush over it has failed: none will make it durable.
    lost: bool,
}

/// A disk.
#[derive(Clone, Debug)]
pub struct Disk {
    current: Pages,
    durable: Pages,
    cache: Vec<Cached>,
    completed: u64,
}

/// What a power cut does to one pending write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Absent,
    Whole,
    /// The first page only, or of a write of one page its first half.
    Head,
    /// All but that.
    Tail,
}

impl Disk {
    /// Empty.
    pub fn new(size_bytes: usize) -> Disk {
        let blank = Pages::of(ZEROS, size_bytes / super::pages::BYTES);
        Disk {
            current: blank.clone(),
            durable: blank,
            cache: Vec::new(),
            completed: 0,
        }
    }

    /// What reads now.
    pub fn current(&self) -> &Pages {
        &self.current
    }

    /// What survives every power cut.
    pub fn durable(&self) -> &Pages {
        &self.durable
    }

    /// What a flush that is submitted now covers: writes with lower numbers.
    pub fn completed(&self) -> u64 {
        self.completed
    }

    /// How much of the cache a flush covers: what its number means in this state.
    pub fn covered(&self, below: u64) -> usize {
        self.cache.iter().filter(|cached| cached.number < below).count()
    }

    /// A write completes.
    pub fn write(&mut self, write: Write) {
        put(&mut self.current, &write);
        self.cache.push(Cached {
            number: self.completed,
            write,
            lost: false,
        });
        self.completed += 1;
    }

    /// A flush completes.
    pub fn flush(&mut self, below: u64) {
        let mut kept: Vec<Cached> = Vec::new();
        for cached in std::mem::take(&mut self.cache) {
            if cached.lost || cached.number >= below {
                kept.push(cached);
            } else {
                put(&mut self.durable, &cached.write);
                kept.retain(|older| older.write.at != cached.write.at);
            }
        }
        self.cache = kept;
    }

    /// A flush fails: what it covered may be durable or not, and no later flush tries again.
    pub fn fail_flush(&mut self, below: u64) {
        for cached in self.cache.iter_mut().filter(|cached| cached.number < below) {
            cached.lost = true;
        }
    }

    /// It is closed and opened again without loss of power: what a failed flush lost is gone, the rest is still to be flushed.
    pub fn reopen(&mut self) {
        self.cache.retain(|cached| !cached.lost);
        self.current = self.durable.clone();
        for cached in &self.cache {
            put(&mut self.current, &cached.write);
        }
    }

    /// Every disk that a power cut may leave, each once, with the words for it. Whether all were tried is said too.
    pub fn power_cut(&self, in_flight: &[Write], store: &mut Store) -> (Vec<(String, Disk)>, bool) {
        let pending: Vec<&Write> = self.cache.iter().map(|cached| &cached.write).chain(in_flight).collect();
        let every = pending.len() <= TORN_TOGETHER_MAX;
        let fates: &[Fate] = if every {
            &[Fate::Absent, Fate::Whole, Fate::Head, Fate::Tail]
        } else {
            &[Fate::Absent, Fate::Whole]
        };
        let combinations = fates.len().pow(pending.len() as u32);
        let (mut seen, mut left) = (BTreeSet::new(), Vec::new());
        for combination in 0..combinations {
            let (mut rest, mut image, mut words) = (combination, self.durable.clone(), String::new());
            for write in &pending {
                let fate = fates[rest % fates.len()];
                rest /= fates.len();
                apply(&mut image, write, fate, store);
                words += &format!(" {}:{}", write.at, fate.word());
            }
            if seen.insert(image.sum()) {
                let disk = Disk {
                    current: image.clone(),
                    durable: image,
                    cache: Vec::new(),
                    completed: 0,
                };
                left.push((words, disk));
            }
        }
        (left, every)
    }

    /// What tells this disk apart from others.
    pub fn key(&self, state: &mut impl std::hash::Hasher) {
        use std::hash::Hash;
        (self.current.sum(), self.durable.sum()).hash(state);
        for cached in &self.cache {
            (&cached.write, cached.lost).hash(state);
        }
    }
}

impl Fate {
    fn word(self) -> &'static str {
        match self {
            Fate::Absent => "absent",
            Fate::Whole => "whole",
            Fate::Head => "torn, head",
            Fate::Tail => "torn, tail",
        }
    }
}

fn put(pages: &mut Pages, write: &Write) {
    for (offset, page) in write.pages.iter().enumerate() {
        pages.set(write.at + offset, *page);
    }
}

fn apply(image: &mut Pages, write: &Write, fate: Fate, store: &mut Store) {
    let first = image.get(write.at);
    match fate {
        Fate::Absent => {}
        Fate::Whole => put(image, write),
        Fate::Head if write.pages.len() == 1 => image.set(write.at, store.torn(write.pages[0], first)),
        Fate::Tail if write.pages.len() == 1 => image.set(write.at, store.torn(first, write.pages[0])),
        Fate::Head => image.set(write.at, write.pages[0]),
        Fate::Tail => {
            put(image, write);
            image.set(write.at, first);
        }
    }
}
