//! The targets, one decoder a file.

pub mod calendar;
pub mod calls;
pub mod card;
pub mod checkpoint;
pub mod container;
pub mod control;
pub mod event;
pub mod frame;
pub mod haul;
pub mod header;
pub mod message;
pub mod netlink;
pub mod record;
pub mod settings;
pub mod sidecar;
pub mod superblock;
pub mod told;
pub mod volume;
pub mod words;
