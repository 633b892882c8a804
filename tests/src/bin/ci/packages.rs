//! Programs of the distribution that tests use, and the packages that have them.
//!
//! Not the emulator: `cargo qemu setup` knows how to get it without disturbing what is installed.

use std::process::Command;

use blockhaul_tests::Result;
use blockhaul_tests::programs::find;

use crate::steps;

/// A program, and the package of Debian and its children that has it.
const PROGRAMS: [(&str, &str); 17] = [
    ("git", "git"),
    ("ffmpeg", "ffmpeg"),
    ("ffprobe", "ffmpeg"),
    ("ip", "iproute2"),
    ("mke2fs", "e2fsprogs"),
    ("mkfs.fat", "dosfstools"),
    ("mkfs.exfat", "exfatprogs"),
    ("fsck.exfat", "exfatprogs"),
    ("mcopy", "mtools"),
    ("sfdisk", "fdisk"),
    ("addpart", "util-linux"),
    ("losetup", "mount"),
    ("qemu-storage-daemon", "qemu-utils"),
    ("zstd", "zstd"),
    ("valgrind", "valgrind"),
    ("c++", "g++"),
    ("dpkg-deb", "dpkg"),
];

/// Installs what is missing, or says what to install.
pub fn install() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        println!("All {} programs are there.", PROGRAMS.len());
        return Ok(());
    }
    let by_hand = format!("apt-get install {}", missing.join(" "));
    if find("apt-get").is_none() {
        return Err(format!(
            "Missing, and this is no Debian: install the packages of {}.",
            missing.join(", ")
        ));
    }
    if !rustix::process::geteuid().is_root() {
        return Err(format!("Missing, and only root can install it. Run as root: {by_hand}"));
    }
    println!("{by_hand}");
    if apt(&["install"], &missing).is_err() {
        println!("Once more with fresh package lists.");
        apt(&["update"], &[])?;
        apt(&["install"], &missing).map_err(|why| format!("{why} Run as root: {by_hand}"))?;
    }
    match self::missing().as_slice() {
        [] => Ok(()),
        still => Err(format!("Installed, and still not there: {}.", still.join(", "))),
    }
}

/// Packages of programs that are not there, each once.
fn missing() -> Vec<&'static str> {
    let mut packages: Vec<_> = PROGRAMS
        .iter()
        .filter(|(program, _)| find(program).is_none())
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    packages
}

fn apt(verb: &[&str], packages: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-qq", "-y", "--no-install-recommends"]);
    steps::run(command.args(verb).args(packages), &format!("apt-get {}", verb.join(" ")))
}
