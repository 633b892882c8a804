//! The disks that are there, for the console, the search for one by what it is called, whatever its device name, and looking into card
//! readers.

use std::fs;
use std::path::{Path, PathBuf};

use drivers_uring::disk::serial_of_disk;

use super::say;

const SECTOR_BYTES: u64 = 512;
const MIB: u64 = 1024 * 1024;

/// Devices that are made of memory or of other devices.
const NO_DISKS: [&str; 5] = ["loop", "ram", "zram", "dm-", "md"];

/// How often the kernel looks into readers whose cards come and go without a word, in milliseconds, and where it is told. Until it is
/// told it never looks: that is left to whoever is in the place of udev, whose own rules say the same.
const READERS_EVERY_MS: &str = "2000";
const READERS_FILE: &str = "/sys/module/block/parameters/events_dfl_poll_msecs";

/// Has the kernel look into card readers.
pub(super) fn look_into_readers() {
    if let Err(error) = fs::write(READERS_FILE, READERS_EVERY_MS) {
        say(&format!(
            "cards that come and go in a reader are not noticed: {READERS_FILE} cannot be written ({error})"
        ));
    }
}

/// Says which disks there are.
pub(super) fn report() {
    let mut found = false;
    for folder in entries("/sys/block") {
        let name = name_of(&folder);
        let bytes = value(&folder.join("size")).parse().unwrap_or(0_u64) * SECTOR_BYTES;
        if bytes == 0 || NO_DISKS.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        found = true;
        let serial = serial(&folder).unwrap_or_else(|| "unknown".to_owned());
        say(&format!("disk {name}: {} MiB, serial {serial}", bytes / MIB));
    }
    if !found {
        say("no disk found: is one attached, and is its driver among the modules of the image?");
    }
}

/// The device of the disk with this serial, or of the partition with this name.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    let is_it = |folder: &PathBuf| serial(folder).as_deref() == Some(name) || partition_name(folder).as_deref() == Some(name);
    entries("/sys/class/block")
        .iter()
        .find(|folder| is_it(folder))
        .map(|folder| Path::new("/dev").join(name_of(folder)))
}

/// As the daemon tells it, so that what `device list` shows can be baked in.
fn serial(folder: &Path) -> Option<String> {
    Some(serial_of_disk(folder)).filter(|serial| !serial.is_empty())
}

fn partition_name(folder: &Path) -> Option<String> {
    value(&folder.join("uevent"))
        .lines()
        .find_map(|line| line.strip_prefix("PARTNAME="))
        .map(str::to_owned)
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort();
    found
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn value(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_known_by_its_name_and_a_disk_by_its_serial() {
        let folder = std::env::temp_dir().join(format!("blockhaul-disks-{}", std::process::id()));
        fs::create_dir_all(folder.join("device")).expect("a folder");
        fs::write(folder.join("uevent"), "MAJOR=8\nPARTN=2\nPARTNAME=blockhaul-state\n").expect("a file");
        fs::write(folder.join("device/serial"), "N0   \n").expect("a file");
        assert_eq!(partition_name(&folder).as_deref(), Some("blockhaul-state"));
        assert_eq!(serial(&folder).as_deref(), Some("N0"));
        fs::remove_file(folder.join("device/serial")).expect("a file");
        fs::write(folder.join("device/vpd_pg80"), b"\0\x80\0\x06SATA0 ").expect("a file");
        assert_eq!(serial(&folder).as_deref(), Some("SATA0"));
        fs::remove_dir_all(&folder).expect("it goes");
    }
}
