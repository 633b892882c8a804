//! The seam of blockhaul from a seed: disks, network, power, clocks, recorders and control clients, and their faults.
//!
//! A [`World`] holds several machines ("sites") with everything between them and runs the appliances on them, one event
//! at a time, in virtual time. The same seed gives the same history, down to the byte; [`Machines::trace_hash`] shows it.
//! [`SimMachine`] is a single site behind [`hal::Machine`].
//!
//! It knows nothing of archives, jobs or protocols, and it judges nothing: what must hold is the tests' business. It
//! gives them the bytes of every disk, as they are and as they would be after a power cut.
//!
//! Invariants:
//! - One thread, one source of chance, no clock, no map with an order of its own.
//! - What an appliance may not do by [`hal`]'s contract panics here: using lent memory, naming what is not open,
//!   submitting after [`hal::Op::Stop`].
//! - A power cut leaves on a disk what was flushed, and of the rest any part, down to single sectors.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod card;
mod client;
mod disk;
mod due;
mod fault;
mod feed;
mod feeder;
mod handshake;
mod image;
mod link;
mod machine;
mod machines;
mod memory;
mod model;
mod mood;
mod network;
mod power;
mod program;
mod random;
mod site;
mod state;
mod submit;
mod trace;
mod volume;
mod wire;
mod world;
mod wound;
mod writes;

pub use card::{OTHER_BYTE, SimCard, SimFile};
pub use client::CallerId;
pub use disk::{Beyond, Disk, DiskId, Snapshot};
pub use fault::{Effect, FailedReads, Fault, IoKind, Struck};
pub use feeder::{Fate, FeederId, Script, Stretch};
pub use image::Image;
pub use machine::SimMachine;
pub use machines::Machines;
pub use memory::BlockMemory;
pub use model::{DiskLatency, DiskModel};
pub use network::Path;
pub use program::Program;
pub use random::Random;
pub use site::{Site, SiteId};
pub use state::StateFolder;
pub use trace::{Echo, Trace};
pub use world::{Board, Brain, World};
pub use wound::{Cause, Wound, Wounds};
pub use writes::Logged;
