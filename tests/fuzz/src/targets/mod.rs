//! The targets, one decoder a file.

pub mod checkpoint;
pub mod container;
pub mod frame;
pub mod header;
pub mod message;
pub mod record;
pub mod settings;
pub mod superblock;
