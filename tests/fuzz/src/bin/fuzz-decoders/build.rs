//! Builds the fuzzer: our crates with counters at every edge, by options of the stable compiler, and with assertions; the
//! packages they use as in any release, so that they are built once and run fast.
//!
//! Cargo runs this program itself in front of the compiler, for crates of the workspace only.

use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use blockhaul_fuzz::Result;

/// What `cargo fuzz` of the nightly toolchain gives the compiler, without the sanitizers, which are not stable.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions=yes";

/// Variable that tells this program that it is run in front of the compiler.
const WRAPS: &str = "FUZZ_DECODERS_WRAPS";

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
    let folder = target_folder()?;
    let wrapper = std::env::current_exe().map_err(|error| format!("This program does not know where it is: {error}."))?;
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let about_us = |name: &str| ABOUT_US.iter().any(|prefix| name.starts_with(prefix));
        if name.to_str().is_some_and(about_us) {
            build.env_remove(name);
        }
    }
    build
        .args(["build", "--release", "--package", "blockhaul-fuzz"])
        .args(["--features", "engine", "--bin", "engine", "--target-dir"])
        .arg(&folder)
        .env("RUSTC_WORKSPACE_WRAPPER", wrapper)
        .env(WRAPS, "1")
        .stdin(Stdio::null());
    let status = build.status().map_err(|error| format!("cargo cannot be run: {error}."))?;
    if !status.success() {
        return Err("The fuzzer does not build; why is above. It needs a C++ compiler (package g++).".into());
    }
    Ok(folder.join("release/engine"))
}

/// If cargo runs this program in front of the compiler: the compiler's exit code, after it ran with the counters.
pub fn wrapped() -> Option<ExitCode> {
    std::env::var_os(WRAPS)?;
    let mut arguments = std::env::args_os().skip(1);
    let compiler = arguments.next()?;
    let flags = FLAGS.split_ascii_whitespace();
    let status = Command::new(compiler).args(arguments).args(flags).status();
    let code = status
        .ok()
        .and_then(|status| status.code())
        .and_then(|code| u8::try_from(code).ok());
    Some(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
