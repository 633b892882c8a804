//! Takes the kernel proper out of an x86 boot image, for machines that start it directly (PVH) and save its unpacking.

use crate::{Result, compression};

/// Where the boot protocol keeps what is needed (Linux x86 boot protocol, version 2.08 and later).
const SETUP_SECTORS: usize = 0x1f1;
const SIGNATURE: usize = 0x202;
const VERSION: usize = 0x206;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR_BYTES: usize = 512;

/// Returns the ELF kernel in `image`. `what` names the file in errors.
pub fn extract(image: &[u8], what: &str) -> Result<Vec<u8>> {
    let payload = payload(image).ok_or_else(|| format!("{what} is not an x86 kernel image. Choose another kernel package."))?;
    compression::unpack(payload, &format!("The kernel in {what}"))
}

fn payload(image: &[u8]) -> Option<&[u8]> {
    let number = |at: usize| Some(u32::from_le_bytes(image.get(at..at + 4)?.try_into().ok()?));
    let version = u16::from_le_bytes(image.get(VERSION..VERSION + 2)?.try_into().ok()?);
    if image.get(SIGNATURE..SIGNATURE + 4)? != b"HdrS" || version < 0x208 {
        return None;
    }
    // 0 setup sectors mean 4, for the oldest of boot loaders; the boot sector itself is not counted.
    let setup_sectors = match *image.get(SETUP_SECTORS)? {
        0 => 4,
        count => usize::from(count),
    };
    let start = (setup_sectors + 1) * SECTOR_BYTES + usize::try_from(number(PAYLOAD_OFFSET)?).ok()?;
    let length = usize::try_from(number(PAYLOAD_LENGTH)?).ok()?;
    // The last four bytes are the unpacked size, appended by the kernel's build.
    image.get(start..start.checked_add(length)?.checked_sub(4)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(setup_sectors: u8, content: &[u8]) -> Vec<u8> {
        let protected = (if setup_sectors == 0 { 4 } else { usize::from(setup_sectors) } + 1) * SECTOR_BYTES;
        let mut image = vec![0_u8; protected + 0x40];
        image[SETUP_SECTORS] = setup_sectors;
        image[SIGNATURE..SIGNATURE + 4].copy_from_slice(b"HdrS");
        image[VERSION..VERSION + 2].copy_from_slice(&0x20f_u16.to_le_bytes());
        image[PAYLOAD_OFFSET..PAYLOAD_OFFSET + 4].copy_from_slice(&0x40_u32.to_le_bytes());
        let length = u32::try_from(content.len() + 4).unwrap();
        image[PAYLOAD_LENGTH..PAYLOAD_LENGTH + 4].copy_from_slice(&length.to_le_bytes());
        image.extend_from_slice(content);
        image.extend_from_slice(&[9, 9, 9, 9, 7, 7]);
        image
    }

    #[test]
    fn the_payload_is_found_whatever_the_size_of_the_setup() {
        for sectors in [0, 1, 4, 31] {
            assert_eq!(extract(&image(sectors, b"\x7fELFkernel"), "it").unwrap(), b"\x7fELFkernel");
        }
    }

    #[test]
    fn other_files_and_cut_ones_are_refused() {
        assert!(extract(b"MZ", "it").is_err());
        let whole = image(4, b"\x7fELFkernel");
        for end in 0..whole.len() - 6 {
            assert!(extract(&whole[..end], "it").is_err());
        }
    }
}
