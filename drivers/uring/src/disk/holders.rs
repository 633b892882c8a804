//! Who holds a block device: mounts, swap, and devices built on it.
//!
//! A snapshot for people. What decides is the exclusive open.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use super::sysfs::{DeviceNumber, Node};
use super::told::{Mount, mount, unescape};

/// Mounts and swaps at one moment.
pub(super) struct Holders {
    mounts: Vec<Mount>,
    swaps: Vec<DeviceNumber>,
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

/// One line of the list of swaps: a device, if it is one.
fn swap(line: &str) -> Option<DeviceNumber> {
    let node = fs::metadata(unescape(line.split_whitespace().next()?)).ok()?;
    node.file_type().is_block_device().then(|| DeviceNumber::new(node.rdev()))
}
