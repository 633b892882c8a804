//! Faults of a disk that strike single operations.
//!
//! Faults of a disk as a whole (hung, gone, slow, read-only) are switches in `disk.rs`; power cuts are in `power.rs`.

use std::ops::Range;

use hal::IoError;

/// Kinds of disk operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IoKind {
    /// [`hal::Op::Read`].
    Read,
    /// [`hal::Op::Write`].
    Write,
    /// [`hal::Op::Flush`], which touches every range.
    Flush,
    /// [`hal::Op::Discard`].
    Discard,
}

/// What happens to an operation that a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It fails. Of a failed write any sectors may have landed; after a failed flush what it should have made durable
    /// is durable or never will be, and still reads back.
    Error(IoError),
    /// It says that it was done and does nothing: a lost write, a flush that lies. A read brings zeros.
    Nothing,
    /// It goes to this offset instead.
    Astray {
        /// Where the first byte goes or comes from.
        to_bytes: u64,
    },
    /// One seeded bit is turned on the way.
    Flip,
}

/// A fault that waits for operations of one kind in one range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it strikes.
    pub on: IoKind,
    /// Where; any operation that touches the range.
    pub range_bytes: Range<u64>,
    /// So many operations pass unharmed first.
    pub skip: u64,
    /// So many are struck; `u64::MAX` means for ever.
    pub times: u64,
    /// What happens to them.
    pub effect: Effect,
}

impl Fault {
    /// Strikes every operation of a kind in a range, for ever.
    pub fn always(on: IoKind, range_bytes: Range<u64>, effect: Effect) -> Self {
        Self {
            on,
            range_bytes,
            skip: 0,
            times: u64::MAX,
            effect,
        }
    }

    /// Strikes the next operation of a kind, wherever it is, once.
    pub fn once(on: IoKind, effect: Effect) -> Self {
        Self {
            on,
            range_bytes: 0..u64::MAX,
            skip: 0,
            times: 1,
            effect,
        }
    }

    /// Whether it strikes this operation; counts it.
    fn strikes(&mut self, on: IoKind, at_bytes: u64, length_bytes: u64) -> bool {
        let touches = on == IoKind::Flush
            || (at_bytes < self.range_bytes.end && self.range_bytes.start < at_bytes.saturating_add(length_bytes));
        if self.on != on || !touches || self.times == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        if self.times != u64::MAX {
            self.times -= 1;
        }
        true
    }
}

/// Operations that faults struck, of one kind and effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Struck {
    /// Kind of operation.
    pub on: IoKind,
    /// What happened to them.
    pub effect: Effect,
    /// How many.
    pub times: u64,
    /// Virtual time of the last one.
    pub last_ns: u64,
}

impl Struck {
    /// What happened, in words.
    pub fn words(&self) -> &'static str {
        match (self.on, self.effect) {
            (IoKind::Read, Effect::Error(_)) => "reads that failed",
            (IoKind::Read, Effect::Nothing) => "reads that brought zeros",
            (IoKind::Read, Effect::Astray { .. }) => "reads from the wrong place",
            (IoKind::Read, Effect::Flip) => "reads with a bit turned",
            (IoKind::Write, Effect::Error(_)) => "writes that failed",
            (IoKind::Write, Effect::Nothing) => "writes that were lost",
            (IoKind::Write, Effect::Astray { .. }) => "writes to the wrong place",
            (IoKind::Write, Effect::Flip) => "writes with a bit turned",
            (IoKind::Flush, Effect::Error(_)) => "flushes that failed",
            (IoKind::Flush, Effect::Nothing | Effect::Astray { .. } | Effect::Flip) => "flushes that lied",
            (IoKind::Discard, _) => "discards",
        }
    }
}

/// Reads that fail at one place, and none that succeeded since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailedReads {
    /// How many.
    pub times: u64,
    /// Virtual time of the first.
    pub since_ns: u64,
    /// What the first was told.
    pub error: IoError,
}

/// Notes that a fault struck.
pub(crate) fn note(struck: &mut Vec<Struck>, on: IoKind, effect: Effect, now_ns: u64) {
    let same =
        |struck: &&mut Struck| struck.on == on && std::mem::discriminant(&struck.effect) == std::mem::discriminant(&effect);
    match struck.iter_mut().find(same) {
        Some(struck) => {
            struck.times += 1;
            struck.last_ns = now_ns;
        }
        None => struck.push(Struck {
            on,
            effect,
            times: 1,
            last_ns: now_ns,
        }),
    }
}

/// The effect of the first fault that strikes an operation. Faults that are used up are removed.
pub(crate) fn strike(faults: &mut Vec<Fault>, on: IoKind, at_bytes: u64, length_bytes: u64) -> Option<Effect> {
    let effect = faults
        .iter_mut()
        .find_map(|fault| fault.strikes(on, at_bytes, length_bytes).then_some(fault.effect));
    faults.retain(|fault| fault.times > 0);
    effect
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIA: Effect = Effect::Error(IoError::Media);

    #[test]
    fn the_nth_operation_of_a_range_is_struck() {
        let mut faults = vec![Fault {
            skip: 1,
            times: 2,
            ..Fault::always(IoKind::Read, 100..200, MEDIA)
        }];
        let mut read = |at| strike(&mut faults, IoKind::Read, at, 50);
        assert_eq!(read(51), None, "touches, and is skipped");
        assert_eq!(read(50), None, "ends where the range begins");
        assert_eq!(read(199), Some(MEDIA));
        assert_eq!(read(100), Some(MEDIA));
        assert_eq!(read(100), None, "used up");
        assert!(faults.is_empty());
    }

    #[test]
    fn kinds_are_kept_apart() {
        let mut faults = vec![Fault::once(IoKind::Flush, MEDIA)];
        assert_eq!(strike(&mut faults, IoKind::Write, 0, 1), None);
        assert_eq!(strike(&mut faults, IoKind::Flush, 0, 0), Some(MEDIA));
    }
}
