//! The formats on a volume do not change by accident: bytes that lie in the tree, the tables of `docs/formats.md`, the product and
//! the independent reader `tests/reader.py` all say the same.
//!
//! - `structures`: single structures with fixed values, byte for byte.
//! - `document`: the tables of the document, field by field, against those bytes.
//! - `volumes`: whole small volumes, opened by the product on a simulated machine and read by the reader.
//! - `histories`: the volumes that simulated histories leave, with all that can happen to a disk, read by both.
//! - `scenario`: how those volumes came to be. `dump` is how they are kept.
//!
//! `cargo test -p blockhaul-tests --test formats -- --ignored` writes golden files that are not there; it never changes one.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

#[path = "formats/document.rs"]
mod document;
#[path = "formats/dump.rs"]
mod dump;
#[path = "formats/histories.rs"]
mod histories;
#[path = "formats/reader.rs"]
mod reader;
#[path = "formats/scenario.rs"]
mod scenario;
#[path = "formats/structures.rs"]
mod structures;
#[path = "formats/volumes.rs"]
mod volumes;

/// What anybody must know who sees a golden file differ.
const NEW_VERSION: &str = "Volumes in the field hold the old bytes: a change of them is a new format version (docs/formats.md, \
     Versions), with new golden files beside the old ones, which must stay readable";

#[test]
#[ignore = "writes golden files that are not there"]
fn write_golden_files() {
    for (name, bytes) in structures::all() {
        dump::write_new(name, &dump::text(&bytes));
    }
    scenario::write_new();
}
