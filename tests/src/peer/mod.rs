//! An appliance among peers that are wrong, on purpose or by mistake: the other ends of its links are puppets, and a seed says what
//! they do.
//!
//! `source` plays sources against an appliance that is their target, with every message of `wrong`; `target` plays a target against an
//! appliance whose job hauls to it. `stage` is the world, `actor`
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
mod target;
mod wire;
mod wrong;

use drivers_sim::Echo;

use crate::sim::Report;

/// Plays the history of a seed: of even ones the sources are wrong, of odd ones the target.
pub(crate) fn play(seed: u64, echo: Echo) -> Result<Report, String> {
    if seed.is_multiple_of(2) {
        source::play(seed, echo)
    } else {
        target::play(seed, echo)
    }
}
