//! Every decision of blockhaul, and no I/O.
//!
//! One event goes in, a bounded list of operations comes out. Time and randomness are arguments; block memory belongs to the
//! machine and is named by spans. Builds for a target without an operating system.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

extern crate alloc;

mod appliance;
pub mod archive;
pub mod calendar;
pub mod card;
mod context;
pub mod control;
mod entropy;
pub mod format;
pub mod haul;
mod journal;
pub mod limits;
pub mod macros;
mod memory;
mod name;
mod purpose;
mod ready;
pub mod recorder;
pub mod retention;
pub mod seeded;
pub mod settings;
mod tags;
mod timers;
mod times;

pub use appliance::{Appliance, Board, StartError};
pub use name::{Kind, NAME_BYTES_MAX, Name, NameError};
