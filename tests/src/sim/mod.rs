//! Whole appliances, core and settings as shipped, on simulated machines: one seed, one history, one judgement.
//!
//! `stage` builds sites and links them by real control calls; `history` lets them run with faults and then without; `oracle`
//! judges what is on the disks, which `volume` reads with a parser of its own. `stream` makes what is recorded.
//!
//! Invariant: everything follows from the seed.

mod control;
mod history;
mod oracle;
mod product;
mod stage;
mod stream;
pub(crate) mod volume;

pub use drivers_sim::Echo;
pub use history::{Failure, Report, replay, run};
