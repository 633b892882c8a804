//! What the tests, the demo and `cargo ci` share. Nothing of this is in the product.
//!
//! Each module is made for tests that drive the real programs or the real core; there are no stand-ins for them here.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod appliance;
pub mod client;
pub mod command;
pub mod crash;
pub mod exhaust;
pub mod notes;
mod peer;
pub mod picture;
pub mod programs;
pub mod proxy;
pub mod reader;
#[cfg(feature = "seeded-bugs")]
pub mod seeded;
pub mod sim;
pub mod site;
pub mod stage;

/// A result whose error is a sentence for people.
pub type Result<T> = std::result::Result<T, String>;
