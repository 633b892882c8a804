//! Golden bytes as text: sparse, small, and readable in a review.
//!
//! First line: `size` and the number of bytes. Then lines of an offset and up to 32 bytes, both hexadecimal; what no line holds is
//! zero.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use blockhaul_tests::programs::tree;

const LINE_BYTES: usize = 32;

fn path(name: &str) -> PathBuf {
    tree().join("tests/tests/formats").join(name)
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    let mut text = format!("size {}\n", bytes.len());
    for (number, line) in bytes.chunks(LINE_BYTES).enumerate() {
        let length = line.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if length > 0 {
            let hex: String = line[..length].iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(text, "{:x} {hex}", number * LINE_BYTES).unwrap();
        }
    }
    text
}

/// Text of a golden file.
pub fn read_text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("the golden file {name} cannot be read: {error}"))
}

/// Bytes of a golden file.
pub fn read(name: &str) -> Vec<u8> {
    bytes(&read_text(name)).unwrap_or_else(|| panic!("the golden file {name} is not lines of offset and bytes"))
}

/// The reverse of [`text`].
fn bytes(text: &str) -> Option<Vec<u8>> {
    let mut lines = text.lines();
    let mut bytes = vec![0; lines.next()?.strip_prefix("size ")?.parse().ok()?];
    for line in lines {
        let (at, hex) = line.split_once(' ')?;
        let at = usize::from_str_radix(at, 16).ok()?;
        for (place, digits) in hex.as_bytes().chunks(2).enumerate() {
            *bytes.get_mut(at + place)? = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
    }
    Some(bytes)
}

/// Writes a golden file, unless there is one.
pub fn write_new(name: &str, text: &str) {
    let path = path(name);
    if path.exists() {
        eprintln!("{name} is there and stays as it is");
    } else {
        fs::write(&path, text).unwrap_or_else(|error| panic!("{} cannot be written: {error}", path.display()));
    }
}

#[test]
fn bytes_come_back_from_text() {
    let mut content = vec![0; 1000];
    content[0] = 1;
    content[500..600].fill(0xab);
    content[999] = 2;
    let text = text(&content);
    assert_eq!(text.lines().nth(1), Some("0 01"));
    assert_eq!(text.lines().next_back(), Some("3e0 0000000000000002"));
    assert_eq!(bytes(&text), Some(content));
}
