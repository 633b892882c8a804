//! Hauling: blocks of an archive here go to an archive there, in order, once.
//!
//! `job` is the source's side and dials; `incoming` is the target's side. The target's log is the only position there is.

pub mod compare;
pub mod cover;
pub mod done;
pub mod history;
pub mod incoming;
pub mod job;
pub mod pace;
pub mod plan;
pub mod run;
mod session;
pub mod sieve;
pub mod wire;
