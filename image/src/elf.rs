//! The one thing needed of ELF: the bytes of a section, by its name, in a 64-bit little-endian file.

/// Returns the section called `name`, or nothing if the file has none or is not what it should be.
pub fn section<'a>(file: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(u64_at(file, 0x28)?).ok()?;
    let entry_size = usize::from(u16_at(file, 0x3a)?);
    let count = usize::from(u16_at(file, 0x3c)?);
    let names_index = usize::from(u16_at(file, 0x3e)?);
    let header = |index: usize| table.checked_add(index.checked_mul(entry_size)?);
    let content = |at: usize| {
        let start = usize::try_from(u64_at(file, at.checked_add(0x18)?)?).ok()?;
        let size = usize::try_from(u64_at(file, at.checked_add(0x20)?)?).ok()?;
        file.get(start..start.checked_add(size)?)
    };
    let names = content(header(names_index)?)?;
    for index in 0..count {
        let at = header(index)?;
        let start = usize::try_from(u32_at(file, at)?).ok()?;
        let rest = names.get(start..)?;
        if rest.split(|byte| *byte == 0).next()? == name.as_bytes() {
            return content(at);
        }
    }
    None
}

fn bytes_at<const N: usize>(file: &[u8], at: usize) -> Option<[u8; N]> {
    file.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(file: &[u8], at: usize) -> Option<u16> {
    bytes_at(file, at).map(u16::from_le_bytes)
}

fn u32_at(file: &[u8], at: usize) -> Option<u32> {
    bytes_at(file, at).map(u32::from_le_bytes)
}

fn u64_at(file: &[u8], at: usize) -> Option<u64> {
    bytes_at(file, at).map(u64::from_le_bytes)
}

/// A file with one section beside the table of names, for tests here and in the neighbours.
#[cfg(test)]
pub(crate) fn sample(name: &str, content: &[u8]) -> Vec<u8> {
    let names = format!("\0.shstrtab\0{name}\0");
    let mut file = vec![0_u8; 64];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let names_at = file.len();
    file.extend_from_slice(names.as_bytes());
    let content_at = file.len();
    file.extend_from_slice(content);
    let table = file.len();
    for (name_at, at, size) in [(0, 0, 0), (1, names_at, names.len()), (11, content_at, content.len())] {
        let mut header = [0_u8; 64];
        header[..4].copy_from_slice(&u32::to_le_bytes(name_at));
        header[0x18..0x20].copy_from_slice(&(at as u64).to_le_bytes());
        header[0x20..0x28].copy_from_slice(&(size as u64).to_le_bytes());
        file.extend_from_slice(&header);
    }
    file[0x28..0x30].copy_from_slice(&(table as u64).to_le_bytes());
    file[0x3a..0x3c].copy_from_slice(&64_u16.to_le_bytes());
    file[0x3c..0x3e].copy_from_slice(&3_u16.to_le_bytes());
    file[0x3e..0x40].copy_from_slice(&1_u16.to_le_bytes());
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_found_by_name() {
        let file = sample(".modinfo", b"license=GPL\0");
        assert_eq!(section(&file, ".modinfo"), Some(&b"license=GPL\0"[..]));
        assert_eq!(section(&file, ".other"), None);
    }

    #[test]
    fn a_cut_or_damaged_file_never_panics() {
        let file = sample(".modinfo", b"license=GPL\0");
        for end in 0..file.len() {
            let _ = section(&file[..end], ".modinfo");
        }
        for at in 6..file.len() {
            let mut damaged = file.clone();
            damaged[at] = 0xff;
            let _ = section(&damaged, ".modinfo");
        }
    }
}
