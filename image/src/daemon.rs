//! Builds programs for an image, above all the daemon: released, static, stripped, in a target directory of their own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tree::{Tree, read};
use crate::{Result, elf, process};

/// The package that is the daemon.
pub const DAEMON: &str = "blockhauld";

/// Builds the program of `package` for `target` and returns where it lies.
pub fn build(tree: &Tree, package: &str, target: &str) -> Result<PathBuf> {
    build_with(tree, package, target, &[])
}

/// The same with settings of the compiler that differ from those of the workspace, as in `profile.release.opt-level=1`.
pub fn build_with(tree: &Tree, package: &str, target: &str, settings: &[&str]) -> Result<PathBuf> {
    let folder = tree.images().join("cargo");
    // Paths of the machine it was built on have no place in an image.
    let registry = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        format!("--remap-path-prefix={}=blockhaul", tree.root.display()),
    ];
    flags.extend(registry.map(|path| format!("--remap-path-prefix={}=cargo", path.display())));
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(&tree.root)
        .args([
            "build",
            "--quiet",
            "--package",
            package,
            "--release",
            "--config",
            "profile.release.strip=true",
        ])
        .args(settings.iter().flat_map(|setting| ["--config", setting]))
        .args(["--target", target])
        .arg("--target-dir")
        .arg(&folder)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    process::run(&mut command, "cargo")
        .map_err(|error| format!("{package} cannot be built. {error} If the target is missing: rustup target add {target}"))?;
    Ok(folder.join(target).join("release").join(package))
}

/// Reads a daemon and makes sure that it runs where there is nothing but itself.
pub fn load(path: &Path) -> Result<Vec<u8>> {
    let bytes = read(path)?;
    if !bytes.starts_with(b"\x7fELF") {
        return Err(format!("{} is not a program.", path.display()));
    }
    if elf::section(&bytes, ".interp").is_some() {
        return Err(format!(
            "{} is not static; there are no libraries in the image. Build it with -C target-feature=+crt-static.",
            path.display()
        ));
    }
    Ok(bytes)
}

/// The formats that a daemon says it knows, see `firmware/service/src/formats.rs`; none of a program that does not say so.
pub fn formats(program: &[u8]) -> Option<String> {
    const BEGINNING: &[u8] = b"blockhaul-formats: ";
    let at = program.windows(BEGINNING.len()).position(|window| window == BEGINNING)? + BEGINNING.len();
    let line = program[at..].split(|byte| *byte == b'\n').next()?;
    let is_said = line.len() < 256
        && line
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b" -;".contains(byte));
    is_said.then(|| String::from_utf8_lossy(line).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_says_which_formats_it_knows() {
        let line = "writes volume-1; reads volume-1;";
        let program = format!("\0\0blockhaul-formats: {line}\nmore");
        assert_eq!(formats(program.as_bytes()).as_deref(), Some(line));
        assert_eq!(formats(b"\x7fELF and nothing of the kind"), None);
        assert_eq!(formats(b"blockhaul-formats: \xff\n"), None);
    }

    #[test]
    fn only_a_static_program_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon");
        std::fs::write(&path, "#!/bin/sh").unwrap();
        assert!(load(&path).unwrap_err().contains("not a program"));
        std::fs::write(&path, elf::sample(".interp", b"/lib64/ld-linux-x86-64.so.2\0")).unwrap();
        assert!(load(&path).unwrap_err().contains("not static"));
        std::fs::write(&path, elf::sample(".text", b"")).unwrap();
        load(&path).unwrap();
    }
}
