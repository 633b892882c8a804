//! Texts and pages in which the kernel and devices tell of themselves. Not where they are read: `holders.rs`, `sysfs.rs`.
//!
//! Invariant: any bytes whatever are taken apart or refused; labels of file systems and serial numbers come from strangers.

/// A file system that is mounted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Number of the file system's device.
    pub number: String,
    /// What was mounted: a node for file systems that number themselves, such as btrfs.
    pub source: String,
    /// Where.
    pub place: String,
}

/// One line of mountinfo: number in field 3, place in field 5, source behind the dash.
pub fn mount(line: &str) -> Option<Mount> {
    let mut fields = line.split(' ');
    let number = fields.nth(2)?.to_owned();
    let place = unescape(fields.nth(1)?);
    let source = unescape(line.split_once(" - ")?.1.split(' ').nth(1)?);
    Some(Mount { number, source, place })
}

/// The kernel writes spaces and the like as three octal digits.
pub fn unescape(text: &str) -> String {
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

/// The serial number in a SCSI unit serial number page: four bytes of header, then text.
pub fn serial_of_page(page: &[u8]) -> Option<String> {
    let length_bytes = usize::from(u16::from_be_bytes([*page.get(2)?, *page.get(3)?]));
    let text = String::from_utf8_lossy(page.get(4..4 + length_bytes)?).trim().to_owned();
    (!text.is_empty()).then_some(text)
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

    #[test]
    fn a_scsi_serial_is_cut_to_its_length() {
        assert_eq!(serial_of_page(b"\0\x80\0\x05 AB12garbage"), Some("AB12".to_owned()));
        assert_eq!(serial_of_page(b"\0\x80\0\x09AB"), None);
        assert_eq!(serial_of_page(b""), None);
    }
}
