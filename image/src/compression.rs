//! Unpacking of what kernels and modules are packed with, chosen by the first bytes.

use std::io::Read;

use crate::Result;

const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const ELF: [u8; 4] = [0x7f, b'E', b'L', b'F'];

/// Returns the ELF file that `bytes` holds, packed or not. `what` names it in errors.
pub fn unpack(bytes: &[u8], what: &str) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    let outcome = if bytes.starts_with(&XZ) {
        lzma_rust2::XzReader::new(bytes, false)
            .read_to_end(&mut plain)
            .map_err(|error| error.to_string())
    } else if bytes.starts_with(&ZSTD) {
        ruzstd::decoding::StreamingDecoder::new(bytes)
            .map_err(|error| error.to_string())
            .and_then(|mut reader| reader.read_to_end(&mut plain).map_err(|error| error.to_string()))
    } else if bytes.starts_with(&ELF) {
        return Ok(bytes.to_vec());
    } else {
        return Err(format!(
            "{what} is packed in a way that is not known here (xz and zstd are). Choose another kernel package."
        ));
    };
    outcome.map_err(|error| format!("{what} cannot be unpacked: {error}. Delete it and build again."))?;
    if plain.starts_with(&ELF) {
        Ok(plain)
    } else {
        Err(format!("{what} does not hold an ELF file. Choose another kernel package."))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_files_pass_and_unknown_ones_are_refused() {
        assert_eq!(unpack(b"\x7fELFabc", "it").unwrap(), b"\x7fELFabc");
        assert!(unpack(b"\x1f\x8babc", "it").unwrap_err().contains("xz and zstd"));
        assert!(unpack(&ZSTD, "it").unwrap_err().contains("cannot be unpacked"));
    }
}
