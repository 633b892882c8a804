//! Fuzz targets for every decoder of the product: what each must hold for any bytes whatever, and the inputs to begin with.
//!
//! Not the fuzzer (`bin/engine.rs`) and not the command (`bin/fuzz-decoders`): a target is a function from bytes, and a plain
//! `cargo test` replays every input in the tree. Invariants: a target has no state that outlives one input, and asks no clock
//! and no operating system; a target that panics has found something.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod corpus;
mod desk;
mod golden;
mod heap;
mod sector;
mod targets;

// The driver's decoders are compiled in here, and not the driver: it needs a hundred packages that the fuzzer would be built with.
#[path = "../../../drivers/uring/src/calls.rs"]
mod calls;
#[path = "../../../drivers/uring/src/hotplug/change.rs"]
mod change;
#[path = "../../../drivers/uring/src/nic/facts.rs"]
mod facts;
#[path = "../../../drivers/uring/src/frame.rs"]
mod frame;
#[allow(dead_code)]
#[path = "../../../drivers/uring/src/limits.rs"]
mod limits;
#[allow(dead_code)]
#[path = "../../../drivers/uring/src/netlink/messages.rs"]
mod netlink;
#[path = "../../../drivers/uring/src/disk/told.rs"]
mod told;

/// A result whose error is a sentence for people.
pub type Result<T> = std::result::Result<T, String>;

/// An input to begin with: name and bytes.
pub type Seed = (String, Vec<u8>);

/// One decoder, or a few that belong together.
pub struct Target {
    /// What it is called on the command line and in folders.
    pub name: &'static str,
    /// What it decodes.
    pub what: &'static str,
    /// Longest input in bytes that is tried.
    pub longest: usize,
    /// Panics if anything does not hold for these bytes.
    pub check: fn(&[u8]),
    /// Inputs to begin with, the same at every call.
    pub seeds: fn() -> Vec<Seed>,
    /// Words that the decoder knows and a machine would not guess.
    pub words: &'static [&'static str],
}

/// All targets.
pub const TARGETS: [&Target; 21] = [
    &targets::superblock::TARGET,
    &targets::header::TARGET,
    &targets::record::TARGET,
    &targets::checkpoint::TARGET,
    &targets::message::TARGET,
    &targets::frame::TARGET,
    &targets::settings::TARGET,
    &targets::container::TARGET,
    &targets::control::TARGET,
    &targets::haul::TARGET,
    &targets::volume::TARGET,
    &targets::event::TARGET,
    &targets::netlink::TARGET,
    &targets::told::TARGET,
    &targets::calls::TARGET,
    &targets::calendar::TARGET,
    &targets::words::TARGET,
    &targets::card::FAT,
    &targets::card::EXFAT,
    &targets::card::EXT,
    &targets::sidecar::TARGET,
];

/// The target of that name.
pub fn target(name: &str) -> Result<&'static Target> {
    TARGETS.into_iter().find(|target| target.name == name).ok_or_else(|| {
        let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
        format!("There is no target {name}. Choose from: {}.", names.join(", "))
    })
}
