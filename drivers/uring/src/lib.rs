//! The machine on a Linux kernel: io_uring and direct I/O for disks, sockets for the rest. Moves bytes, decides nothing.
//!
//! The only crate with `unsafe`. What is bounded, and why, is in [`limits`].
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod calls;
mod card;
mod clock;
mod control;
mod dial;
pub mod disk;
mod doors;
mod errno;
mod feed;
pub mod frame;
mod hotplug;
mod identity;
pub mod limits;
mod link;
mod listener;
mod local_socket;
mod machine;
pub mod memory;
mod netlink;
mod nic;
mod programs;
mod readiness;
mod role;
mod scribe;
mod setup;
mod state;
mod tls;
mod world;

pub use drivers_cards::is_guarded as reads_damaged_card;
pub use identity::IdentityError;
pub use machine::UringMachine;
pub use nic::list_nics;
pub use setup::{Found, Setup, StartError};
pub use state::StateError;
