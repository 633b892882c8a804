//! Random numbers from one seed: BLAKE3 in keyed mode over a counter. The seed is the machine's; the simulator's is its own.

/// A source of random numbers that nobody without the seed can guess.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entropy {
    seed: [u8; 32],
    drawn: u64,
}

impl core::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Entropy(drawn {})", self.drawn)
    }
}

impl Entropy {
    /// From 256 random bits.
    pub fn new(seed: [u8; 32]) -> Entropy {
        Entropy { seed, drawn: 0 }
    }

    /// The next 256 random bits.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        *blake3::keyed_hash(&self.seed, &self.drawn.to_le_bytes()).as_bytes()
    }

    /// The next 64 random bits.
    pub fn number(&mut self) -> u64 {
        let bytes = self.bytes();
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[..8]);
        u64::from_le_bytes(eight)
    }

    /// A new version 4 UUID (RFC 9562).
    pub fn uuid(&mut self) -> hal::Uuid {
        let bytes = self.bytes();
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&bytes[..16]);
        uuid[6] = uuid[6] & 0x0f | 0x40;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        hal::Uuid(uuid)
    }
}
