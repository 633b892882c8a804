//! Bits of an H.264 syntax structure, and the NAL unit around them (ITU-T H.264, 7.3 and 9.1).

/// Writes bits, first the most significant one.
#[derive(Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are in use; 0 if it is full.
    used: u32,
}

impl Bits {
    /// `u(count)`: the low `count` bits of `value`.
    pub(super) fn put(&mut self, value: u32, count: u32) {
        for shift in (0..count).rev() {
            if self.used == 0 {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                let bit = u8::from(value >> shift & 1 == 1);
                *last |= bit << (7 - self.used);
            }
            self.used = (self.used + 1) % 8;
        }
    }

    /// `ue(v)`: unsigned Exp-Golomb.
    pub(super) fn golomb(&mut self, value: u32) {
        let code = value + 1;
        let length = 32 - code.leading_zeros();
        self.put(0, length - 1);
        self.put(code, length);
    }

    /// Zero bits up to the next byte.
    pub(super) fn align(&mut self) {
        self.used = 0;
    }

    /// Whole bytes. The writer stands at the beginning of a byte.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        assert_eq!(self.used, 0, "in the middle of a byte");
        self.bytes.extend_from_slice(bytes);
    }

    /// The NAL unit of these bits, with trailing bits, start code and emulation prevention.
    pub(super) fn into_nal_unit(mut self, header: u8) -> Vec<u8> {
        self.put(1, 1);
        let mut unit = Vec::with_capacity(self.bytes.len() + self.bytes.len() / 64 + 5);
        unit.extend_from_slice(&[0, 0, 0, 1, header]);
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros == 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            unit.push(byte);
        }
        unit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golomb_codes_are_those_of_the_standard() {
        let mut bits = Bits::default();
        for value in [0, 1, 2, 3, 7] {
            bits.golomb(value);
        }
        // 1 010 011 00100 0001000, then the stop bit.
        assert_eq!(bits.into_nal_unit(9), [0, 0, 0, 1, 9, 0b1010_0110, 0b0100_0001, 0b0001_0000]);
    }

    #[test]
    fn nothing_inside_looks_like_a_start_code() {
        let mut bits = Bits::default();
        bits.bytes(&[0, 0, 0, 0, 1, 0, 0, 3]);
        assert_eq!(bits.into_nal_unit(1)[5..], [0, 0, 3, 0, 0, 3, 1, 0, 0, 3, 3, 0x80]);
    }
}
