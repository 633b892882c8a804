//! Names on cards: eight and three in a code page of 1981, UTF-16 behind that.

use crate::limits::NAME_UNITS_MAX;

/// The upper half of code page 437, which cameras write unless they write long names.
const UPPER: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

fn character(byte: u8) -> char {
    match byte.checked_sub(0x80) {
        None => char::from(byte),
        Some(place) => UPPER.chars().nth(usize::from(place)).unwrap_or('_'),
    }
}

/// A short name of eleven bytes. `case` is what Windows NT put into byte 12: 8 for a small base, 16 for a small extension.
pub fn short(bytes: &[u8; 11], case: u8) -> String {
    let mut raw = *bytes;
    if raw[0] == 0x05 {
        // So that a name may begin with what marks a deleted entry.
        raw[0] = 0xe5;
    }
    let part = |bytes: &[u8], small: bool| {
        let end = bytes.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
        let text: String = bytes[..end].iter().map(|byte| character(*byte)).collect();
        if small { text.to_lowercase() } else { text }
    };
    let base = part(&raw[..8], case & 8 != 0);
    let extension = part(&raw[8..], case & 16 != 0);
    if extension.is_empty() {
        base
    } else {
        format!("{base}.{extension}")
    }
}

/// What a long name's entries hold against the short name that they belong to.
pub fn short_checksum(bytes: &[u8; 11]) -> u8 {
    bytes.iter().fold(0u8, |sum, byte| sum.rotate_right(1).wrapping_add(*byte))
}

/// A name in UTF-16 units. Halves of pairs become the sign for what cannot be read.
pub fn long(units: &[u16]) -> String {
    char::decode_utf16(units.iter().copied().take(NAME_UNITS_MAX))
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Whether a name can be part of a path.
pub fn is_usable(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(|c: char| c == '/' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_names() {
        assert_eq!(UPPER.chars().count(), 128);
        assert_eq!(short(b"CLIP0001MP4", 0), "CLIP0001.MP4");
        assert_eq!(short(b"CLIP    MP4", 24), "clip.mp4");
        assert_eq!(short(b"DCIM       ", 0), "DCIM");
        assert_eq!(short(b"\x05A\x81     TXT", 0), "σAü.TXT");
        assert_eq!(short_checksum(b"CLIP0001MP4"), {
            let mut sum = 0u8;
            for byte in b"CLIP0001MP4" {
                sum = ((sum & 1) << 7).wrapping_add(sum >> 1).wrapping_add(*byte);
            }
            sum
        });
    }

    #[test]
    fn what_cannot_be_a_name() {
        assert!(is_usable("a b.mp4") && is_usable("é"));
        assert!(!is_usable("") && !is_usable("..") && !is_usable("a/b") && !is_usable("a\u{0}"));
    }
}
