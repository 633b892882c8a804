//! What the simulated machines do, seen through the seam with toys in place of the appliance.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod clients;
mod determinism;
mod disks;
mod feeds;
mod links;
mod toys;
