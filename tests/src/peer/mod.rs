//! An appliance among peers that are wrong, on purpose or by mistake: the other ends of its links are puppets, and a seed says what
//! they do.
//!
//! `source` plays sources against an appliance that is their target, with every message of `wrong`; `stage` is the world, `actor`
//! what runs in it, `wire` a puppet's end of a link, `block` makes what it sends, `books` reads what is on the disk. Peers that are right
//! are in `crate::sim`.
//!
//! Invariants: everything follows from the seed; what must hold is said by `docs/protocol.md` and by the durable bytes, not by the
//! product.

mod actor;
mod block;
mod books;
mod source;
mod stage;
mod wire;
mod wrong;

use drivers_sim::Echo;

use crate::sim::Report;

/// Plays the history of a seed.
pub(crate) fn play(seed: u64, echo: Echo) -> Result<Report, String> {
    source::play(seed, echo)
}
