//! The control socket as the core sees it: calls in, answers out.

pub mod types;
