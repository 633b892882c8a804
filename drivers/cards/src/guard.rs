//! Calls into a library that may panic on damaged bytes: a panic there is damage of the card, and nothing worse.
//!
//! A program that would end on any panic asks [`is_guarded`] in its panic hook, and needs unwinding.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use hal::IoError;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside such a call.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Makes one. What it was about to change must be given up by the caller if it failed.
pub(crate) fn call<T>(work: impl FnOnce() -> Result<T, IoError>) -> Result<T, IoError> {
    GUARDED.set(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(false);
    outcome.unwrap_or(Err(IoError::Damaged))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_damage() {
        assert_eq!(call(|| Ok(is_guarded())), Ok(true));
        assert_eq!(call::<u8>(|| panic!("on purpose")), Err(IoError::Damaged));
        assert!(!is_guarded());
    }
}
