//! Writes the "newc" archive that the kernel unpacks as its first file system.
//!
//! Invariants: times are 0, owners are root, inode numbers count up, entries stand in the order in which they were added,
//! so that the same content gives the same bytes.

use std::collections::BTreeSet;

const FOLDER: u32 = 0o040_000;
const REGULAR: u32 = 0o100_000;
const CHARACTER_DEVICE: u32 = 0o020_000;

/// An archive in the making.
#[derive(Debug, Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// Adds a folder and the folders above it; one that is there already is left alone.
    pub fn folder(&mut self, path: &str, permissions: u32) {
        let path = path.trim_matches('/');
        if path.is_empty() || self.folders.contains(path) {
            return;
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.folder(parent, 0o755);
        }
        self.folders.insert(path.to_owned());
        self.entry(path, FOLDER | permissions, 2, (0, 0), &[]);
    }

    /// Adds a file, and its folder if that is missing.
    pub fn file(&mut self, path: &str, permissions: u32, content: &[u8]) {
        let path = path.trim_matches('/');
        if let Some((parent, _)) = path.rsplit_once('/') {
            self.folder(parent, 0o755);
        }
        self.entry(path, REGULAR | permissions, 1, (0, 0), content);
    }

    /// Adds a character device.
    pub fn character_device(&mut self, path: &str, permissions: u32, major: u32, minor: u32) {
        self.entry(path.trim_matches('/'), CHARACTER_DEVICE | permissions, 1, (major, minor), &[]);
    }

    /// The finished archive, padded to 512 bytes so that another one can follow it.
    pub fn finish(mut self) -> Vec<u8> {
        self.entries = u32::MAX; // The trailer has inode number 0.
        self.entry("TRAILER!!!", 0, 1, (0, 0), &[]);
        self.pad(512);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, links: u32, device: (u32, u32), content: &[u8]) {
        self.entries = self.entries.wrapping_add(1);
        let size = u32::try_from(content.len()).expect("a file in an initramfs is smaller than 4 GiB");
        let path_size = u32::try_from(path.len() + 1).expect("a path is short");
        // inode, mode, uid, gid, links, mtime, size, device (major, minor), special device (major, minor), path size, check
        let fields = [
            self.entries,
            mode,
            0,
            0,
            links,
            0,
            size,
            0,
            0,
            device.0,
            device.1,
            path_size,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad(4);
        self.bytes.extend_from_slice(content);
        self.pad(4);
    }

    fn pad(&mut self, unit: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(unit), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_format() {
        let mut archive = Archive::default();
        archive.file("a", 0o644, b"hello");
        archive.character_device("dev0", 0o600, 5, 1);
        let bytes = archive.finish();
        let fields = [1, 0o100_644, 0, 0, 1, 0, 5, 0, 0, 0, 0, 2, 0].map(|field: u32| format!("{field:08X}"));
        let expected = format!("070701{}", fields.concat());
        assert_eq!(std::str::from_utf8(&bytes[..110]).unwrap(), expected);
        assert_eq!(&bytes[110..112], b"a\0");
        assert_eq!(&bytes[112..117], b"hello");
        assert_eq!(&bytes[117..126], b"\0\0\x00070701");
        assert_eq!(&bytes[120 + 14..120 + 22], b"00002180");
        assert_eq!(&bytes[120 + 78..120 + 94], b"0000000500000001");
        assert_eq!(bytes.len() % 512, 0);
        assert!(bytes.windows(10).any(|window| window == b"TRAILER!!!"));
    }

    #[test]
    fn folders_come_once_and_before_what_they_hold() {
        let mut archive = Archive::default();
        archive.file("/etc/blockhaul/modules", 0o644, b"");
        archive.file("/etc/blockhaul/arguments", 0o644, b"");
        let bytes = archive.finish();
        let text = String::from_utf8(bytes).unwrap();
        assert_eq!(text.matches("etc\0").count(), 1);
        assert_eq!(text.matches("etc/blockhaul\0").count(), 1);
        assert!(text.find("etc\0") < text.find("etc/blockhaul\0"));
        assert!(text.find("etc/blockhaul\0") < text.find("etc/blockhaul/modules\0"));
    }
}
