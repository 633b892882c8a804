//! The emulator: is it there, and if not, where it comes from.

use std::os::unix::fs::MetadataExt;
use std::process::Command;

use image::apt::{self, Apt};
use image::tree::Tree;
use image::{Result, process};

/// The program that is a virtual machine.
pub const EMULATOR: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
/// UEFI firmware, and the state of its variables in a new machine.
pub const FIRMWARE: &str = "/usr/share/OVMF/OVMF_CODE_4M.fd";
/// See there.
pub const FIRMWARE_VARIABLES: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";
const FIRMWARE_PACKAGE: &str = "ovmf";

/// Makes sure that the emulator is there.
pub fn check() -> Result<()> {
    version()
        .map(drop)
        .map_err(|_| format!("{EMULATOR} is missing. Run `cargo qemu setup` as root, or: apt-get install {PACKAGE}"))?;
    if !std::path::Path::new(FIRMWARE).exists() {
        return Err(format!(
            "{FIRMWARE} is missing. Run `cargo qemu setup` as root, or: apt-get install {FIRMWARE_PACKAGE}"
        ));
    }
    Ok(())
}

/// Installs the emulator if it is missing.
pub fn install(tree: &Tree) -> Result<()> {
    if version().is_err() {
        if !is_root() {
            return Err(format!(
                "{EMULATOR} is missing, and only root can install it: apt-get install {PACKAGE}"
            ));
        }
        eprintln!("Installing {PACKAGE} ...");
        from_packages(tree)?;
    }
    if !std::path::Path::new(FIRMWARE).exists() {
        eprintln!("Installing {FIRMWARE_PACKAGE} ...");
        let of_system = Apt::of_system().install(&[FIRMWARE_PACKAGE], None);
        of_system.or_else(|_| Apt::private(&tree.target.join("qemu/apt"), false)?.install(&[FIRMWARE_PACKAGE], None))?;
    }
    println!("{}", version()?);
    check()
}

/// Backports first: where a part of that emulator is installed already, the release's own package is refused beside it.
/// Package lists are kept beside the build, so that the system's sources and lists stay as they are.
fn from_packages(tree: &Tree) -> Result<()> {
    let folder = tree.target.join("qemu/apt");
    let backports = format!("{}-backports", apt::codename()?);
    let newer = Apt::private(&folder, true).and_then(|apt| apt.install(&[PACKAGE], Some(&backports)));
    newer.or_else(|first| {
        eprintln!("{first}\nNot from {backports}; trying the release itself ...");
        Apt::private(&folder, false)?.install(&[PACKAGE], None)
    })
}

fn version() -> Result<String> {
    let output = process::output(Command::new(EMULATOR).arg("--version"), PACKAGE)?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned())
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
