//! Two histories of one volume: it was put back to an earlier state and went on, and then a slot of the first history came back.
//!
//! Only the epoch tells such a block from one of this history: its place, its number and the block before it are the same.

use drivers_sim::Echo;

use super::judge::MAKE_MEMORY_BYTES;
use super::take::{BLOCK_BYTES, Take};
use crate::reader::geometry;

const SLOTS: u64 = 32;
const BLOCKS: u32 = 3;

/// The error says what does not hold.
pub fn lineage() -> Result<(), String> {
    let mut origin = take(0);
    origin.start();
    origin.create("append")?;
    origin.cameras(1)?;
    origin.blocks(0, BLOCKS)?;
    let before = origin.disk().durable().clone();
    let settings = origin.settings();

    let mut first = take(1).with(&before, settings.as_deref());
    first.start();
    first.ready()?;
    let head = first.durable().ok_or("the first history has no end")?;
    first.blocks(0, 1)?;

    let mut second = take(2).with(&before, settings.as_deref());
    second.start();
    second.ready()?;
    let mut mixed = second.disk().durable().clone();
    let slot = geometry(&mixed)?.range(head, BLOCK_BYTES);
    let block = first.disk().durable().bytes(slot.start, BLOCK_BYTES as usize);
    mixed.write(slot.start, &block);

    let mut third = take(3).with(&mixed, settings.as_deref());
    third.start();
    third.ready()?;
    match third.durable() {
        Some(end) if end == head => Ok(()),
        end => Err(format!(
            "a block of a history that was put back is taken for one of this history: the log ends at {head}, and is found to end at {end:?}"
        )),
    }
}

fn take(seed: u64) -> Take {
    Take::new(seed, SLOTS, MAKE_MEMORY_BYTES, Echo::Off)
}
