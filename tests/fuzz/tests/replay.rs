//! Every input in the tree, to begin with or once found, is given to its target; and the tree has what it should.
//!
//! Not fuzzing: `cargo fuzz-decoders` does that.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
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

#[test]
fn inputs_to_begin_with_are_what_the_command_makes() {
    for target in TARGETS {
        let made = (target.seeds)();
        assert!(!made.is_empty(), "{} has no inputs", target.name);
        let names: BTreeSet<String> = made.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(names.len(), made.len(), "{}: two inputs of one name", target.name);
        let folder = corpus::seeds_folder(target);
        let files = corpus::files(&folder).unwrap();
        let there = files
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, there, "{}: run cargo fuzz-decoders --make-corpus", target.name);
        for (name, bytes) in made {
            assert!(bytes.len() <= target.longest, "{name} is longer than what is tried");
            let kept = corpus::read(&folder.join(&name)).unwrap();
            assert_eq!(kept, bytes, "{} {name}: run cargo fuzz-decoders --make-corpus", target.name);
        }
    }
}

#[test]
fn no_input_lies_in_a_folder_of_no_target() {
    let known: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    for folder in ["corpus", "found"] {
        for entry in corpus::files(&corpus::package().join(folder)).unwrap() {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            assert!(known.contains(&name), "{folder}/{name}");
        }
    }
}
