//! What all states of one exploration share: the store of pages, the one block memory, and answers that need not be found twice.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use hal::Ops;

use super::disk::Disk;
use super::found::Slot;
use super::pages::{Arena, Page, Store};

/// What a power cut may leave of a disk, with the words for it, and whether every combination was tried.
pub type Leavings = Rc<(Vec<(String, Disk)>, bool)>;

/// By slot and its pages: what the reader finds there.
pub type Slots = HashMap<(u64, Vec<Page>), Slot>;

/// The bench.
#[derive(Debug)]
pub struct Bench {
    /// Pages of disks and memories.
    pub store: Store,
    /// Where appliances are stepped.
    pub arena: Arena,
    /// Emptied after every step.
    pub ops: Ops,
    /// By key of disk and writes in flight.
    pub leavings: HashMap<u64, Leavings>,
    /// Durable images and what was acknowledged on them, found to agree.
    pub agreed: HashSet<(u64, u64)>,
    /// Slots that were read already.
    pub slots: Slots,
    /// Power cuts with more pending writes than are torn together.
    pub not_torn: u64,
}

impl Bench {
    /// An empty one, for appliances with that much block memory.
    pub fn new(memory_bytes: usize) -> Bench {
        Bench {
            store: Store::new(),
            arena: Arena::new(memory_bytes),
            ops: Ops::new(),
            leavings: HashMap::new(),
            agreed: HashSet::new(),
            slots: HashMap::new(),
            not_torn: 0,
        }
    }
}
