//! How a power cut treats the writes it finds on their way: all, none, most, few, or torn.
//!
//! Not the loss itself; that is `disk.rs`. Invariant: what survives of a write ends and begins at multiples of [`TEAR_BYTES`].

use crate::Random;

/// What a write is torn at.
pub(crate) const TEAR_BYTES: usize = 512;

/// How a power cut treats the writes it finds: the same for all, so that rare patterns are as likely as common ones.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mood {
    Everything,
    Nothing,
    Most,
    Few,
    Torn,
}

impl Mood {
    /// One of them.
    pub(crate) fn draw(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Mood::Everything,
            1 => Mood::Nothing,
            2 => Mood::Most,
            3 => Mood::Few,
            _ => Mood::Torn,
        }
    }

    /// The ranges of one write that survive.
    pub(crate) fn survivors(self, length: usize, random: &mut Random) -> Vec<(usize, usize)> {
        let whole = match self {
            Mood::Everything => Some(true),
            Mood::Nothing => Some(false),
            Mood::Most => Some(random.chance(85)),
            Mood::Few => Some(random.chance(15)),
            Mood::Torn => None,
        };
        let sectors = length.div_ceil(TEAR_BYTES);
        let sector = |n: usize| (n * TEAR_BYTES, length.min((n + 1) * TEAR_BYTES));
        match (whole, random.below(4)) {
            (Some(true), _) | (None, 0) => vec![(0, length)],
            (Some(false), _) | (None, 1) => Vec::new(),
            (None, 2) => {
                let kept = random.below(u64::try_from(sectors).expect("lengths fit in 64 bits"));
                vec![(0, usize::try_from(kept).expect("below a length") * TEAR_BYTES)]
            }
            (None, _) => {
                let percent = random.below(100);
                (0..sectors).filter(|_| random.chance(percent)).map(sector).collect()
            }
        }
    }
}
