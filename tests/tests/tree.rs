//! The rules of the source tree, checked: what lies where, who depends on whom, and what no file may hold.
//!
//! Not checked here: formatting and lints (`cargo ci` runs the tools for those).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use blockhaul_tests::programs::{cargo, tree};
use serde_json::Value;

/// Everything visible at the top.
const TOP: [&str; 12] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "docs",
    "drivers",
    "firmware",
    "hal",
    "image",
    "qemu",
    "tests",
];

/// Which of our crates each of our crates may use (`docs/architecture.md`).
const MAY_USE: [(&str, &[&str]); 13] = [
    ("hal", &[]),
    ("blockhaul-core", &["hal"]),
    ("drivers-cards", &["hal"]),
    ("drivers-uring", &["hal", "drivers-cards"]),
    ("drivers-sim", &["hal"]),
    ("blockhauld", &["hal", "blockhaul-core", "drivers-uring"]),
    ("blockhaul", &["hal", "blockhaul-core"]),
    ("image", &[]),
    ("qemu", &["hal", "blockhaul-core", "image", "blockhaul-tests"]),
    ("qemu-agent", &[]),
    ("blockhaul-tests", &["hal", "blockhaul-core", "drivers-sim"]),
    ("blockhaul-bench", &["hal", "drivers-uring", "blockhaul-tests"]),
    ("blockhaul-fuzz", &["hal", "blockhaul-core", "drivers-cards"]),
];

/// The only crate with `unsafe`.
const UNSAFE_CRATE: &str = "drivers-uring";
const UNSAFE_FOLDER: &str = "drivers/uring/";

/// A file that is longer is about more than one thing.
const LINES_MAX: usize = 600;

/// Files that git knows or would take, and that are there.
fn files() -> Vec<String> {
    let mut list = Command::new("git");
    list.current_dir(tree()).args([
        "-c",
        "safe.directory=*",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let output = list.output().expect("git cannot be run: install the package git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let files: Vec<_> = names
        .lines()
        .filter(|name| tree().join(name).is_file())
        .map(str::to_owned)
        .collect();
    assert!(files.len() > 50, "git lists next to nothing: {files:?}");
    files
}

/// Path and text of every file of Rust.
fn sources() -> Vec<(String, String)> {
    let rust = files().into_iter().filter(|name| name.ends_with(".rs"));
    rust.map(|name| (name.clone(), fs::read_to_string(tree().join(name)).unwrap()))
        .collect()
}

fn packages() -> Vec<Value> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

fn assert_none(found: Vec<String>, rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

#[test]
fn the_top_level_is_what_was_agreed() {
    let files = files();
    let top: BTreeSet<_> = files.iter().filter_map(|name| name.split('/').next()).collect();
    let visible: BTreeSet<_> = top.into_iter().filter(|name| !name.starts_with('.')).collect();
    let agreed: BTreeSet<_> = TOP.into_iter().collect();
    assert_eq!(visible, agreed);
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    let ours: BTreeSet<_> = packages.iter().map(name).collect();
    let known: BTreeMap<_, _> = MAY_USE.into_iter().collect();
    assert_eq!(ours, known.keys().copied().collect(), "crates of the workspace");
    let mut wrong = Vec::new();
    for package in &packages {
        let used = package["dependencies"].as_array().unwrap().iter().map(name);
        let not_allowed = used.filter(|used| ours.contains(used) && !known[name(package)].contains(used));
        wrong.extend(not_allowed.map(|used| format!("{} uses {used}", name(package))));
    }
    assert_none(wrong, "a dependency that the architecture does not have");
}

#[test]
fn unsafe_is_in_one_crate_only() {
    let mut wrong = Vec::new();
    for package in packages().iter().filter(|package| name(package) != UNSAFE_CRATE) {
        for target in package["targets"].as_array().unwrap() {
            let path = target["src_path"].as_str().unwrap();
            if !fs::read_to_string(path).unwrap().contains("#![forbid(unsafe_code)]") {
                wrong.push(Path::new(path).strip_prefix(tree()).unwrap().display().to_string());
            }
        }
    }
    assert_none(wrong, "a crate, program or test without #![forbid(unsafe_code)]");

    let keyword = |line: &&str| {
        let code = line.trim_start();
        !code.starts_with("//")
            && ["{", "fn", "impl", "extern", "trait"]
                .iter()
                .any(|what| code.contains(&format!("unsafe {what}")))
    };
    let elsewhere = sources().into_iter().filter(|(path, _)| !path.starts_with(UNSAFE_FOLDER));
    let this_file = |path: &str| path.ends_with("tests/tests/tree.rs");
    let wrong = elsewhere.filter(|(path, text)| !this_file(path) && text.lines().any(|line| keyword(&line)));
    assert_none(wrong.map(|(path, _)| path).collect(), "unsafe code outside drivers/uring");
}

#[test]
fn the_seam_and_the_core_need_no_operating_system() {
    for root in ["hal/src/lib.rs", "firmware/core/src/lib.rs"] {
        let text = fs::read_to_string(tree().join(root)).unwrap();
        assert!(text.lines().any(|line| line == "#![no_std]"), "{root} is not #![no_std]");
    }
    let core = sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("firmware/core/src/"));
    let wrong = core.filter(|(_, text)| text.lines().any(|line| line.trim_start().starts_with("extern crate std")));
    assert_none(wrong.map(|(path, _)| path).collect(), "std in the core");
}

#[test]
fn every_file_says_what_it_is() {
    let wrong = sources().into_iter().filter(|(_, text)| !text.starts_with("//!"));
    assert_none(wrong.map(|(path, _)| path).collect(), "a file that does not begin with //!");
}

#[test]
fn no_file_is_about_everything() {
    let long = sources().into_iter().map(|(path, text)| (path, text.lines().count()));
    let long = long.filter(|(_, lines)| *lines > LINES_MAX);
    let long = long.map(|(path, lines)| format!("{path}: {lines} lines"));
    assert_none(long.collect(), "a file of more than 600 lines: split it by noun");
}

/// Only the tests may ask the core for bugs; the core refuses them in a release besides.
#[test]
fn nobody_but_the_tests_asks_for_seeded_bugs() {
    const MAY: [&str; 3] = ["Cargo.toml", "firmware/core/Cargo.toml", "tests/Cargo.toml"];
    let manifests = files().into_iter().filter(|name| name.ends_with("Cargo.toml"));
    let asking: Vec<String> = manifests
        .filter(|name| fs::read_to_string(tree().join(name)).unwrap().contains("seeded-bugs"))
        .collect();
    assert_eq!(asking, MAY);
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not hold them.
    let unfinished = [
        ["to", "do!("],
        ["unimple", "mented!("],
        ["db", "g!("],
        ["FIX", "ME"],
        ["TO", "DO"],
        ["XX", "X:"],
    ];
    let unfinished = unfinished.map(|halves| halves.concat());
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            if unfinished.iter().any(|word| line.contains(word)) {
                wrong.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_none(wrong, "something unfinished");
}

#[test]
fn no_path_of_a_machine_is_in_a_file() {
    let here = tree().display().to_string();
    let mut paths = vec![
        ["/work", "/"].concat(),
        ["/tmp/", "bash_jobs"].concat(),
        ["/home", "/"].concat(),
    ];
    if here.matches('/').count() > 1 {
        paths.push(here);
    }
    let mut wrong = Vec::new();
    for path in files() {
        let Ok(text) = fs::read_to_string(tree().join(&path)) else {
            continue;
        };
        let found = paths.iter().filter(|machine| text.contains(*machine));
        wrong.extend(found.map(|machine| format!("{path} holds {machine}")));
    }
    assert_none(wrong, "a path of a machine");
}

#[test]
fn every_dependency_has_its_reason_and_every_reason_its_dependency() {
    let document = "docs/decisions/dependencies.md";
    let text = fs::read_to_string(tree().join(document)).unwrap();
    let explained: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("- `")?.split_once('`'))
        .filter(|(_, reason)| reason.trim_start_matches(':').trim().len() > 20)
        .map(|(name, _)| name.to_owned())
        .collect();
    let packages = packages();
    let used: BTreeSet<String> = packages
        .iter()
        .flat_map(|package| package["dependencies"].as_array().unwrap())
        .filter(|dependency| !dependency["source"].is_null())
        .map(|dependency| name(dependency).to_owned())
        .collect();
    let unexplained: Vec<_> = used.difference(&explained).cloned().collect();
    assert_none(unexplained, &format!("a dependency without a line in {document}"));
    let unused: Vec<_> = explained.difference(&used).cloned().collect();
    assert_none(unused, &format!("a line in {document} about what is not used"));
}

#[test]
fn both_licences_are_there_and_every_crate_names_them() {
    for package in &packages() {
        assert_eq!(package["license"], "MIT OR Apache-2.0", "{}", name(package));
    }
    let mit = fs::read_to_string(tree().join("LICENSE-MIT")).unwrap();
    assert!(mit.contains("Permission is hereby granted, free of charge"));
    let apache = fs::read_to_string(tree().join("LICENSE-APACHE")).unwrap();
    assert!(apache.contains("Version 2.0, January 2004") && apache.contains("END OF TERMS AND CONDITIONS"));
}
