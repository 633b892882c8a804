//! Whether the slot to which this machine may come back knows the formats that this one writes: what must hold before anything is
//! written by a slot that has yet to prove itself.
//!
//! What a slot knows is a line in its image (`/etc/blockhaul/formats`) and in the `.osrel` section of its file on the boot partition.
//! One that says nothing is from before there was a second version of anything.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Of a slot that says nothing.
const FIRST: &str = "writes volume-1 settings-1; reads volume-1 settings-1;";
/// The line of `.osrel`.
const KEY: &str = "BLOCKHAUL_FORMATS=";
/// Nothing of a slot's head or of its `.osrel` is longer.
const HEAD_BYTES: usize = 4096;

/// What a slot writes that another does not read.
pub(super) fn unknown<'a>(this: &'a str, other: &str) -> Vec<&'a str> {
    let read = words(other, "reads");
    words(this, "writes")
        .into_iter()
        .filter(|format| !read.contains(format))
        .collect()
}

/// The formats behind `writes` or `reads`.
fn words<'a>(line: &'a str, verb: &str) -> Vec<&'a str> {
    let mut parts = line.split(';').map(|part| part.trim().split(' '));
    let found = parts.find_map(|mut words| words.any(|word| word == verb).then_some(words));
    found.map_or_else(Vec::new, |words| words.filter(|word| !word.is_empty()).collect())
}

/// What this image says of itself.
pub(super) fn of_this(lines: &[String]) -> String {
    lines.first().cloned().unwrap_or_else(|| FIRST.to_owned())
}

/// What the slot in a file says of itself; none if it is no slot.
pub(super) fn of_file(file: &Path) -> Option<String> {
    let file = File::open(file).ok()?;
    let mut head = vec![0; HEAD_BYTES];
    file.read_exact_at(&mut head, 0).ok()?;
    let (at, length) = section(&head, b".osrel\0\0")?;
    let mut release = vec![0; length.min(HEAD_BYTES)];
    file.read_exact_at(&mut release, at).ok()?;
    let release = String::from_utf8(release).ok()?;
    let said = release.lines().find_map(|line| line.strip_prefix(KEY));
    Some(said.map_or(FIRST, |said| said.trim_matches('"')).to_owned())
}

/// Where a section lies in a PE file, and its length; offsets are those of Microsoft's PE/COFF.
fn section(head: &[u8], name: &[u8; 8]) -> Option<(u64, usize)> {
    let half = |at: usize| Some(usize::from(u16::from_le_bytes(head.get(at..at + 2)?.try_into().ok()?)));
    let word = |at: usize| Some(u32::from_le_bytes(head.get(at..at + 4)?.try_into().ok()?));
    let pe = word(0x3c)? as usize;
    if head.get(pe..pe.checked_add(4)?)? != b"PE\0\0" {
        return None;
    }
    let table = pe + 24 + half(pe + 20)?;
    let headers = (0..half(pe + 6)?).map(|index| table + index * 40);
    let found = headers.into_iter().find(|at| head.get(*at..at + 8) == Some(name))?;
    Some((word(found + 20)?.into(), word(found + 8)? as usize))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWER: &str = "writes volume-2 settings-1; reads volume-1 volume-2 settings-1;";

    #[test]
    fn what_the_other_does_not_read_is_named() {
        assert_eq!(unknown(FIRST, FIRST), Vec::<&str>::new());
        assert_eq!(unknown(NEWER, FIRST), ["volume-2"]);
        assert_eq!(unknown(FIRST, NEWER), Vec::<&str>::new(), "back to the older one");
        assert_eq!(unknown(NEWER, ""), ["volume-2", "settings-1"]);
        assert_eq!(unknown(&of_this(&[]), FIRST), Vec::<&str>::new());
    }

    /// A file with one section, as `image/src/uki.rs` makes them.
    fn slot(release: &str) -> Vec<u8> {
        let mut file = vec![0; HEAD_BYTES + 512];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0x3c, &0x80_u32.to_le_bytes());
        put(0x80, b"PE\0\0");
        put(0x86, &1_u16.to_le_bytes());
        put(0x94, &240_u16.to_le_bytes());
        put(0x98 + 240, b".osrel");
        put(0x98 + 240 + 8, &(release.len() as u32).to_le_bytes());
        put(0x98 + 240 + 20, &(HEAD_BYTES as u32).to_le_bytes());
        put(HEAD_BYTES, release.as_bytes());
        file
    }

    #[test]
    fn a_slot_tells_what_it_knows() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("slot.efi");
        let of = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("written");
            of_file(&path)
        };
        assert_eq!(of(&slot(&format!("ID=x\n{KEY}\"{NEWER}\"\n"))).as_deref(), Some(NEWER));
        assert_eq!(of(&slot("ID=x\n")).as_deref(), Some(FIRST));
        assert_eq!(of(b"MZ"), None);
        let whole = slot("ID=x\n");
        for byte in 0..0x98 + 280 {
            let mut turned = whole.clone();
            turned[byte] ^= 0xff;
            // No panic, whatever it says.
            let _ = of(&turned);
        }
    }
}
