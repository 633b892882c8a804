//! Every input in the tree, to begin with or once found, is given to its target.
//!
//! Not fuzzing: `cargo fuzz-decoders` does that. One test only: targets count what the whole process allocates.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::panic::catch_unwind;
use std::time::{Duration, Instant};

use blockhaul_fuzz::{TARGETS, corpus};

/// Longest time for one input in a build for tests.
const INPUT_WITHIN: Duration = Duration::from_secs(10);

#[test]
fn all_holds_for_every_input() {
    let mut wrong = Vec::new();
    for target in TARGETS {
        for path in corpus::inputs(target).unwrap() {
            let bytes = corpus::read(&path).unwrap();
            let begun = Instant::now();
            let held = catch_unwind(|| (target.check)(&bytes)).is_ok();
            if !held || begun.elapsed() > INPUT_WITHIN {
                let name = path.strip_prefix(corpus::package()).unwrap().display();
                wrong.push(format!("cargo fuzz-decoders {} --input tests/fuzz/{name}", target.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "found again, each to be seen with:\n  {}",
        wrong.join("\n  ")
    );
}
