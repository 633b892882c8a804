//! Bakes blockhaul into appliance images: a board file in, a kernel and an initramfs out.
//!
//! It depends on no other crate of the product: the daemon is something it builds and packs, never something it calls.
//! Everything it makes lands under the target directory; the tree and the system it runs on are left as they are.
//! The same board file, kernel package and sources give the same bytes.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod again;
pub mod apt;
pub mod bake;
pub mod board;
pub mod boot;
pub mod compression;
pub mod cpio;
pub mod daemon;
pub mod deb;
pub mod disk;
pub mod elf;
pub mod gpt;
pub mod initramfs;
pub mod kernel;
pub mod modules;
pub mod process;
pub mod sbom;
pub mod tree;
pub mod uki;
pub mod vmlinux;

/// What went wrong, as a sentence that names the thing and says what to do next.
pub type Error = String;

/// A result whose error is meant for a person.
pub type Result<T> = std::result::Result<T, Error>;
