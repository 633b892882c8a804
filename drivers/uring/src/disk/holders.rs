//! Who holds a block device: mounts, swap, and devices built on it.
//!
//! A snapshot for people. What decides is the exclusive open.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::sysfs::{DeviceNumber, Node};

/// Mounts and swaps at one moment.
pub(super) struct Holders {
    mounts: Vec<Mount>,
    swaps: Vec<DeviceNumber>,
}

struct Mount {
    /// Number of the file system's device.
    number: String,
    /// What was mounted: a node for file systems that number themselves, such as btrfs.
    source: String,
    place: String,
}

impl Holders {
    pub(super) fn read(proc: &Path) -> Holders {
        let mountinfo = fs::read(proc.join("self/mountinfo")).unwrap_or_default();
        let swaps = fs::read(proc.join("swaps")).unwrap_or_default();
        Holders {
            mounts: String::from_utf8_lossy(&mountinfo).lines().filter_map(mount).collect(),
            swaps: String::from_utf8_lossy(&swaps).lines().skip(1).filter_map(swap).collect(),
        }
    }

    /// Who holds a disk, one of its partitions, or the disk that a partition lies on; empty if nobody.
    pub(super) fn of(&self, node: &Node) -> String {
        let own = self.direct(node);
        if !own.is_empty() {
            return own;
        }
        let parts = node.partitions().into_iter().map(|part| (part.name(), self.direct(&part)));
        let parts: Vec<String> = parts
            .filter(|(_, held)| !held.is_empty())
            .map(|(name, held)| format!("{name} {held}"))
            .collect();
        if !parts.is_empty() {
            return parts.join(", ");
        }
        let whole = self.direct(&node.disk());
        if whole.is_empty() {
            whole
        } else {
            format!("{} {whole}", node.disk().name())
        }
    }

    fn direct(&self, node: &Node) -> String {
        let number = node.number();
        let name = number.map(|number| number.to_string());
        let path = node.path();
        let mounted = self
            .mounts
            .iter()
            .find(|mount| Some(&mount.number) == name.as_ref() || mount.source == path)
            .map(|mount| format!("mounted at {}", mount.place));
        let swapped = self
            .swaps
            .iter()
            .any(|swap| Some(*swap) == number)
            .then(|| "used as swap".to_owned());
        let built_on = node.holders().into_iter().map(|holder| format!("held by {holder}"));
        mounted
            .into_iter()
            .chain(swapped)
            .chain(built_on)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// One line of mountinfo: number in field 3, place in field 5, source behind the dash.
fn mount(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ');
    let number = fields.nth(2)?.to_owned();
    let place = unescape(fields.nth(1)?);
    let source = unescape(line.split_once(" - ")?.1.split(' ').nth(1)?);
    Some(Mount { number, source, place })
}

/// One line of the list of swaps: a device, if it is one.
fn swap(line: &str) -> Option<DeviceNumber> {
    let node = fs::metadata(unescape(line.split_whitespace().next()?)).ok()?;
    node.file_type().is_block_device().then(|| DeviceNumber::new(node.rdev()))
}

/// The kernel writes spaces and the like as three octal digits.
fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let octal = match rest {
            [b'\\', digits @ ..] if digits.len() >= 3 => std::str::from_utf8(&digits[..3])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 8).ok()),
            _ => None,
        };
        bytes.push(octal.unwrap_or(*first));
        rest = if octal.is_some() { &rest[4..] } else { behind };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_lines() {
        let found = mount("36 35 8:1 / /mnt/my\\040disk rw,noatime shared:1 - ext4 /dev/sda1 rw").unwrap();
        assert_eq!(found.number, "8:1");
        assert_eq!(found.place, "/mnt/my disk");
        assert_eq!(found.source, "/dev/sda1");
        assert!(mount("").is_none());
        assert!(mount("36 35 8:1 / /mnt").is_none());
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape("a\\040b\\134c"), "a b\\c");
        assert_eq!(unescape("a\\04"), "a\\04");
        assert_eq!(unescape("\\xyz"), "\\xyz");
    }
}
