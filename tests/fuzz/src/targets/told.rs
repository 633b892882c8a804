//! Lines of mountinfo, and the serial number page of a SCSI device.

use crate::told::{mount, serial_of_page, unescape};
use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "told",
    what: "what /proc and devices tell of themselves",
    longest: 1024,
    check,
    seeds,
    words: &["\\x5c040", "\\x5c134", " - ext4 ", " / "],
};

/// Bytes that are no text become three, and a vector doubles.
const TIMES: usize = 32;

fn check(bytes: &[u8]) {
    let serial = heap::within(TIMES, bytes, || serial_of_page(bytes));
    assert!(serial.is_none_or(|text| !text.is_empty() && text.trim() == text && text.len() <= 3 * bytes.len()));
    let text = String::from_utf8_lossy(bytes);
    for line in text.lines() {
        let plain = heap::within(TIMES, bytes, || unescape(line));
        assert!(line.contains('\\') || plain == line, "what is not escaped stays as it is");
        let Some(mount) = heap::within(TIMES, bytes, || mount(line)) else {
            continue;
        };
        assert!(line.contains(&mount.number) && !mount.number.contains(' '));
        for field in [&mount.place, &mount.source] {
            assert!(field.len() <= 3 * line.len(), "a field is longer than its line");
        }
    }
}

fn seeds() -> Vec<Seed> {
    let lines = "36 35 8:1 / /mnt/my\\040disk rw,noatime shared:1 - ext4 /dev/sda1 rw\n22 1 0:21 / /proc rw - proc proc rw\n";
    vec![
        ("mountinfo".to_owned(), lines.as_bytes().to_vec()),
        ("serial-page".to_owned(), b"\0\x80\0\x08 AB12CD ".to_vec()),
    ]
}
