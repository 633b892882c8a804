//! What a job takes, when, and how fast: the product on simulated machines, whose clocks can be set, judged by what lies on the
//! target's disk (`tests/src/reader`) and by what both ends say.
//!
//! - `filled`: what a full run brings. `holes`: what a card brings beside a recorder. `holders`: one source for each camera. `removed`: archives that leave. `plans`: filters, periods, delays, freezing, rates. `runs`: schedules, bounds, switching, histories. `tags`: chains. `tenants`: whose cameras.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

mod filled;
mod holders;
mod holes;
mod plans;
mod removed;
mod runs;
mod tags;
mod target;
mod tenants;
