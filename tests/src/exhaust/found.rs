//! What lies in the slots of a disk, found by the reader of `reader`, each slot's content once.
//!
//! Invariant: what is remembered depends on nothing but the superblock and the pages of the slot.

use std::rc::Rc;

use super::bench::Bench;
use super::pages::{BYTES, Page, Pages};
use super::scenario::{BLOCK_BYTES, SLOTS, SLOTS_AT};
use crate::reader::{Block, block, geometry};

/// What a slot holds: a whole block, or why it does not.
pub type Slot = Rc<Result<Block, String>>;

/// Every block of a log from `oldest` to `head`, each linked to the one before.
pub fn log(disk: &Pages, oldest: u64, head: u64, bench: &mut Bench) -> Result<Vec<Slot>, String> {
    let mut blocks: Vec<Slot> = Vec::new();
    let mut before: Option<[u8; 32]> = None;
    for sequence in oldest..head {
        let block = slot(disk, sequence % SLOTS as u64, bench);
        let found = block
            .as_ref()
            .as_ref()
            .map_err(|why| format!("log sequence {sequence}: {why}"))?;
        if found.log_sequence != sequence {
            return Err(format!("log sequence {sequence}: {} is in its slot", found.log_sequence));
        }
        if before.is_some_and(|before| before != found.previous_header) {
            return Err(format!("log sequence {sequence} does not follow the one before"));
        }
        before = Some(found.header_hash);
        blocks.push(block);
    }
    Ok(blocks)
}

fn slot(disk: &Pages, slot: u64, bench: &mut Bench) -> Slot {
    let from = (SLOTS_AT + slot as usize * BLOCK_BYTES) / BYTES;
    // The first superblock copy says whose archive it is; its other fields do not change what a slot holds.
    let mut pages: Vec<Page> = vec![disk.get((1 << 20) / BYTES)];
    pages.extend((from..from + BLOCK_BYTES / BYTES).map(|page| disk.get(page)));
    if let Some(known) = bench.slots.get(&(slot, pages.clone())) {
        return known.clone();
    }
    let superblocks = 0..SLOTS_AT / BYTES;
    let image = disk.image(&bench.store, superblocks.chain(from..from + BLOCK_BYTES / BYTES));
    let found = geometry(&image).and_then(|geometry| block(&image, &geometry, slot));
    let found = Rc::new(found);
    bench.slots.insert((slot, pages), found.clone());
    found
}
