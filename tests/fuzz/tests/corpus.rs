//! The inputs in the tree are those that the command makes, and lie in folders of targets.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use blockhaul_fuzz::{TARGETS, corpus};

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
            // Not assert_eq: kilobytes of numbers would hide the one line that helps.
            assert!(kept == bytes, "{} {name}: run cargo fuzz-decoders --make-corpus", target.name);
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
