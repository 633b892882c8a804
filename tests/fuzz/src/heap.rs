//! How much memory a decoder takes at most: a length that an input claims must not be believed beyond the input.
//!
//! Counts what the whole process allocates, so only one measurement runs at a time.

use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// What messages and error texts may take, whatever the input.
const FREE_BYTES: usize = 64 << 10;

/// What a whole appliance with its machine may take, most of which is its block memory.
const APPLIANCE_BYTES: usize = 16 << 20;

/// What reading a small card may take: its windows, and folders of the longest that are read; and with ext4 what its library makes of
/// `EXT_READS_MIN` blocks of 4 KiB, on a damaged volume that names them.
const CARD_BYTES: usize = 96 << 20;

/// The same for what an input does to the reader of a card.
pub fn of_card<T>(what: impl FnOnce() -> T) -> T {
    at_most(CARD_BYTES, what)
}

/// Does something, and panics if meanwhile more than `times` the input and a little was allocated at once.
pub fn within<T>(times: usize, input: &[u8], what: impl FnOnce() -> T) -> T {
    at_most(times * input.len() + FREE_BYTES, what)
}

/// The same for what an input does to a whole appliance.
pub fn of_appliance<T>(what: impl FnOnce() -> T) -> T {
    at_most(APPLIANCE_BYTES, what)
}

fn at_most<T>(allowed: usize, what: impl FnOnce() -> T) -> T {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let before = HEAP.current_usage();
    HEAP.reset_peak_usage();
    let result = what();
    let taken = HEAP.peak_usage().saturating_sub(before);
    assert!(
        taken <= allowed,
        "{taken} bytes were allocated at once; {allowed} are allowed"
    );
    result
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    #[should_panic(expected = "were allocated")]
    fn too_much_is_noticed_though_it_is_never_touched() {
        within(2, &[0; 10], || drop(Vec::<u8>::with_capacity(1 << 20)));
    }
}
