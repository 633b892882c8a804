//! Volumes on the real kernel: loop devices and files, through the same door that the machine uses.
//!
//! Needs root and `/dev/loop-control`; without them the tests fail and say so. Everything is made in temporary folders
//! and taken down again, also when a test fails.
#![allow(clippy::unwrap_used)]

mod bench;
mod exclusive;
mod facts;
mod files;
mod flight;
mod loops;
mod model;
mod refusals;
mod round_trip;
