//! Builds the fuzzer: every crate with counters at every edge, by options of the stable compiler.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use blockhaul_fuzz::Result;

/// What `cargo fuzz` of the nightly toolchain gives the compiler, without the sanitizers, which are not stable.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Beginnings of the names of variables that tell a program of cargo's about its own package: build scripts look at them, and
/// would be run again.
const ABOUT_US: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_NAME"];

/// Where cargo builds, from where this program lies.
fn target_folder() -> Result<PathBuf> {
    let program = std::env::current_exe().map_err(|error| format!("This program does not know where it is: {error}."))?;
    let folder = program.ancestors().nth(2);
    folder
        .map(PathBuf::from)
        .ok_or_else(|| "Run this with cargo fuzz-decoders.".into())
}

/// Where inputs, dictionaries and what the fuzzer says are kept between runs; not in the tree.
pub fn work_folder() -> Result<PathBuf> {
    Ok(target_folder()?.join("fuzz-decoders"))
}

/// Builds the fuzzer unless it is up to date. The progress is cargo's own.
pub fn engine() -> Result<PathBuf> {
    let host = host()?;
    let folder = target_folder()?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let about_us = |name: &str| ABOUT_US.iter().any(|prefix| name.starts_with(prefix));
        if name.to_str().is_some_and(about_us) {
            build.env_remove(name);
        }
    }
    // A target is named so that the flags are not for build scripts and macros, which run in the compiler.
    build
        .args(["build", "--profile", "fuzz", "--target", &host, "--package", "blockhaul-fuzz"])
        .args([
            "--no-default-features",
            "--features",
            "engine",
            "--bin",
            "engine",
            "--target-dir",
        ])
        .arg(&folder)
        .env("RUSTFLAGS", FLAGS)
        .stdin(Stdio::null());
    let status = build.status().map_err(|error| format!("cargo cannot be run: {error}."))?;
    if !status.success() {
        return Err("The fuzzer does not build; why is above. It needs a C++ compiler (package g++).".into());
    }
    Ok(folder.join(host).join("fuzz/engine"))
}

/// What the compiler calls this machine.
fn host() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .arg("-vV")
        .output()
        .map_err(|error| format!("rustc cannot be run: {error}."))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc -vV does not name its host.".into())
}
