//! The scenarios, one file each. Each begins with blank disks and ends with a judgement from outside.

pub mod builds;
pub mod card;
pub mod clock;
pub mod crash;
pub mod disk;
pub mod figures;
pub mod full;
pub mod haul;
pub mod network;
pub mod power;
pub mod smoke;
pub mod stick;
pub mod update;
