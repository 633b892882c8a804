//! The real programs: builds them, and says where they are.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;

/// How programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// As tests are: quick to build.
    Dev,
    /// As they are shipped.
    Release,
}

/// Paths of the two programs.
#[derive(Clone, Debug)]
pub struct Programs {
    /// The daemon, `blockhauld`.
    pub daemon: PathBuf,
    /// The command, `blockhaul`.
    pub command: PathBuf,
}

impl Programs {
    /// Builds both, unless they are up to date. The progress is cargo's own.
    pub fn build(profile: Profile) -> Result<Programs> {
        let mut build = cargo();
        build.args(["build", "--package", "blockhauld", "--package", "blockhaul"]);
        if profile == Profile::Release {
            build.arg("--release");
        }
        let status = build
            .stdin(Stdio::null())
            .status()
            .map_err(|error| format!("cargo cannot be run: {error}"))?;
        if !status.success() {
            return Err("blockhauld and blockhaul do not build; what the compiler says is above.".into());
        }
        let folder = target_folder()?.join(if profile == Profile::Release { "release" } else { "debug" });
        Ok(Programs {
            daemon: folder.join("blockhauld"),
            command: folder.join("blockhaul"),
        })
    }
}

/// The top of the source tree.
pub fn tree() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests).to_path_buf()
}

/// The cargo that runs us, at the top of the source tree.
///
/// Without what `cargo run` and `cargo test` tell us about our own package: build scripts of dependencies look at these
/// variables, and would be run again, with all that depends on them, whenever a build comes from here and not from a shell.
pub fn cargo() -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(tree());
    for (name, _) in std::env::vars_os() {
        let about_us = |name: &str| ABOUT_US.iter().any(|prefix| name.starts_with(prefix));
        if name.to_str().is_some_and(about_us) {
            command.env_remove(name);
        }
    }
    command
}

/// Beginnings of the names of variables that describe the package that is run.
const ABOUT_US: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_NAME",
    "CARGO_PRIMARY_PACKAGE",
];

/// Where cargo puts what it builds, whoever decides that.
pub fn target_folder() -> Result<PathBuf> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .map_err(|error| format!("cargo cannot be run: {error}"))?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("cargo metadata fails: {}", String::from_utf8_lossy(&output.stderr).trim()))?;
    let folder = metadata["target_directory"]
        .as_str()
        .ok_or("cargo metadata names no target directory")?;
    Ok(folder.into())
}

/// Where a program is that may be in a folder for administrators.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(administrators)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}
