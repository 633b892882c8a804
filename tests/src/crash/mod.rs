//! Crash states: what may be on a disk when power goes, for scripted workloads of whole appliances; each is opened and judged.
//!
//! `workloads` are played once by `take`, with the writes recorded by the simulated disk and the claims by `watched`. `cuts` are the
//! moments, `states` what may be there, `judge` what must hold, `truth` what is known. `run` does it all on several threads.
//! Not the histories of `sim`, which draw their crashes.
//!
//! Invariant: a workload and a number name one state, always the same.

pub mod bits;
mod crew;
mod cuts;
mod hauling;
pub mod io;
mod judge;
mod lineage;
mod run;
mod states;
mod take;
mod truth;
mod watched;
mod workloads;

pub use judge::Counts;
pub use lineage::lineage;
pub use run::{Extent, Row, count_states, one, say_state_on_panic, workload};
pub use workloads::{WORKLOADS, Workload};
