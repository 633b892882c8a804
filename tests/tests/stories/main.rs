//! Stories with two real processes: real daemons, the real command line, real volumes.
//!
//! Each file opens with its story. Every wait is bounded. The stories on block devices need root and `losetup`. A story that draws lots
//! prints its seed; `BLOCKHAUL_SEED` plays it again.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod borrowed;
mod card;
mod chain;
mod check;
mod configuration;
mod cut;
mod cutover;
mod damage;
mod dice;
mod errors;
mod faulty;
mod format;
mod frozen;
mod full;
mod guests;
mod holes;
mod kill;
mod macros;
mod manifest;
mod marks;
mod media;
mod opened;
mod overrun;
mod plans;
mod reader;
mod reconcile;
mod refusals;
mod removal;
mod replay;
mod service;
mod stage;
mod stream;
mod swap;
mod volume;
mod words;
mod writes;
