//! Every decision of blockhaul, and no I/O.
//!
//! One event goes in, a bounded list of operations comes out. Time and randomness are arguments; block memory belongs to the
//! machine and is named by spans. Builds for a target without an operating system.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod control;
mod name;

pub use name::{Kind, NAME_BYTES_MAX, Name, NameError};
