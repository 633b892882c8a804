//! A unified kernel image: kernel, first file system and command line in one program that UEFI firmware starts.
//!
//! The stub is systemd's; ours is only to append its sections (the format is Microsoft's PE/COFF, the section names are those of
//! the UAPI group's UKI specification).

use crate::Result;

const SECTION_HEADER_BYTES: usize = 40;
/// Initialised data that is only read.
const CHARACTERISTICS: u32 = 0x4000_0040;

/// The stub with sections appended; each has a name of eight characters at most.
pub fn append(stub: &[u8], sections: &[(&str, &[u8])]) -> Result<Vec<u8>> {
    let wrong =
        || "The UEFI stub is not a program of the kind that is known; is the package systemd-boot-efi damaged?".to_owned();
    let pe = word(stub, 0x3C).ok_or_else(wrong)? as usize;
    if stub.get(pe..pe + 4) != Some(b"PE\0\0") {
        return Err(wrong());
    }
    let optional = pe + 24;
    let count = usize::from(half(stub, pe + 6).ok_or_else(wrong)?);
    let table = optional + usize::from(half(stub, pe + 20).ok_or_else(wrong)?);
    let field = |at: usize| word(stub, optional + at).map(|value| value as usize).ok_or_else(wrong);
    let (section_alignment, file_alignment, headers_bytes) = (field(32)?, field(36)?, field(60)?);
    let mut at = table + count * SECTION_HEADER_BYTES;
    if !section_alignment.is_power_of_two() || !file_alignment.is_power_of_two() {
        return Err(wrong());
    }
    if at + sections.len() * SECTION_HEADER_BYTES > headers_bytes {
        return Err("The UEFI stub has no room for more sections.".to_owned());
    }
    let mut address = 0;
    for index in 0..count {
        let header = table + index * SECTION_HEADER_BYTES;
        let end = word(stub, header + 12).zip(word(stub, header + 8)).ok_or_else(wrong)?;
        address = address.max(end.0 as usize + end.1 as usize);
    }
    let mut image = stub.to_vec();
    for (name, content) in sections {
        image.resize(image.len().next_multiple_of(file_alignment), 0);
        address = address.next_multiple_of(section_alignment);
        let mut header = [0; SECTION_HEADER_BYTES];
        header[..name.len()].copy_from_slice(name.as_bytes());
        let raw_bytes = content.len().next_multiple_of(file_alignment);
        let numbers = [content.len(), address, raw_bytes, image.len()];
        for (place, number) in (8..).step_by(4).zip(numbers) {
            let number = u32::try_from(number).map_err(|_| format!("The section {name} is too large for UEFI."))?;
            header[place..place + 4].copy_from_slice(&number.to_le_bytes());
        }
        header[36..].copy_from_slice(&CHARACTERISTICS.to_le_bytes());
        image[at..at + SECTION_HEADER_BYTES].copy_from_slice(&header);
        at += SECTION_HEADER_BYTES;
        address += content.len();
        image.extend_from_slice(content);
    }
    image.resize(image.len().next_multiple_of(file_alignment), 0);
    let count = (count + sections.len()) as u16;
    image[pe + 6..pe + 8].copy_from_slice(&count.to_le_bytes());
    let size =
        u32::try_from(address.next_multiple_of(section_alignment)).map_err(|_| "The image is too large for UEFI.".to_owned())?;
    image[optional + 56..optional + 60].copy_from_slice(&size.to_le_bytes());
    Ok(image)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest stub: one section at 0x1000, room for headers up to 0x400.
    fn stub() -> Vec<u8> {
        let mut stub = vec![0; 0x600];
        let mut put = |at: usize, bytes: &[u8]| stub[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x3C, &0x80_u32.to_le_bytes());
        put(0x80, b"PE\0\0");
        put(0x86, &1_u16.to_le_bytes());
        put(0x94, &240_u16.to_le_bytes());
        put(0x98 + 32, &0x1000_u32.to_le_bytes());
        put(0x98 + 36, &0x200_u32.to_le_bytes());
        put(0x98 + 60, &0x400_u32.to_le_bytes());
        put(0x98 + 240 + 8, &0x123_u32.to_le_bytes());
        put(0x98 + 240 + 12, &0x1000_u32.to_le_bytes());
        stub
    }

    #[test]
    fn sections_follow_each_other_in_file_and_memory() {
        let image = append(&stub(), &[(".osrel", b"ID=x"), (".linux", &[7; 0x1234])]).unwrap();
        assert_eq!(half(&image, 0x86), Some(3));
        let header = |index: usize| 0x98 + 240 + index * SECTION_HEADER_BYTES;
        assert_eq!(&image[header(1)..header(1) + 6], b".osrel");
        assert_eq!(word(&image, header(1) + 12), Some(0x2000));
        assert_eq!(word(&image, header(2) + 12), Some(0x3000));
        let at = word(&image, header(2) + 20).unwrap() as usize;
        assert_eq!(image[at..at + 0x1234], [7; 0x1234]);
        assert_eq!(word(&image, 0x98 + 56), Some(0x5000));
    }

    #[test]
    fn what_is_no_stub_is_refused() {
        assert!(append(b"MZ", &[]).is_err());
        assert!(append(&[0; 4096], &[]).is_err());
        let many = vec![(".a", &b""[..]); 20];
        assert!(append(&stub(), &many).unwrap_err().contains("no room"));
    }
}
