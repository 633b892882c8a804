//! The golden bytes of `tests/tests/formats` as inputs to begin with.

use std::fs;
use std::path::Path;

/// Bytes of a golden file: a line `size N`, then lines of an offset and bytes, both hexadecimal; what no line holds is zero.
pub fn bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/formats").join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("the golden file {name} cannot be read: {error}"));
    parse(&text).unwrap_or_else(|| panic!("the golden file {name} is not lines of offset and bytes"))
}

fn parse(text: &str) -> Option<Vec<u8>> {
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
