//! Hauling: blocks of an archive here go to an archive there, in order, once.
//!
//! `job` is the source's side and dials; `incoming` is the target's side. The target's log is the only position there is.

pub mod compare;
pub mod incoming;
pub mod job;
mod session;
pub mod wire;
