//! The log of everything that was written to a [`crate::faulty::FaultyDisk`], in the format of dm-log-writes. Only read.
//!
//! A sector with the log's own facts, then entry after entry: a sector that says what, then the data. Zeros are the end.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use blockhaul_tests::Result;

/// The log's own sector, and the unit of places.
pub const SECTOR_BYTES: u64 = 512;
const MAGIC: u64 = 0x006a_7366_7773_6872;
const FLUSH: u64 = 1;

/// One entry.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Bytes were put somewhere.
    Write {
        /// Where.
        at_bytes: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Every write before is durable.
    Flush,
}

/// A log that may still grow.
pub struct Log {
    file: File,
    at_bytes: u64,
    entries: usize,
}

impl Log {
    /// At its beginning.
    pub fn open(path: &Path) -> Result<Log> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let log = Log {
            file,
            at_bytes: SECTOR_BYTES,
            entries: 0,
        };
        let [magic, ..] = log.numbers(0)?;
        (magic == MAGIC)
            .then_some(log)
            .ok_or_else(|| format!("{} is no log of writes", path.display()))
    }

    /// How many entries there are by now.
    pub fn count(&mut self) -> Result<usize> {
        while self.next()?.is_some() {}
        Ok(self.entries)
    }

    /// The next entry, if it is there.
    pub fn next(&mut self) -> Result<Option<Entry>> {
        let [sector, sectors, flags, _] = self.numbers(self.at_bytes)?;
        let entry = match (sectors, flags) {
            (0, 0) => return Ok(None),
            (0, FLUSH) => Entry::Flush,
            (_, 0) => {
                let length = usize::try_from(sectors * SECTOR_BYTES).map_err(|error| error.to_string())?;
                let mut bytes = vec![0; length];
                let read = self.file.read_exact_at(&mut bytes, self.at_bytes + SECTOR_BYTES);
                read.map_err(|error| error.to_string())?;
                let at_bytes = sector * SECTOR_BYTES;
                Entry::Write { at_bytes, bytes }
            }
            _ => return Err(format!("entry {} has {sectors} sectors and flags {flags}", self.entries)),
        };
        self.at_bytes += (1 + sectors) * SECTOR_BYTES;
        self.entries += 1;
        Ok(Some(entry))
    }

    fn numbers(&self, at_bytes: u64) -> Result<[u64; 4]> {
        let mut bytes = [0; 32];
        self.file
            .read_exact_at(&mut bytes, at_bytes)
            .map_err(|error| error.to_string())?;
        Ok(std::array::from_fn(|at| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[8 * at..8 * at + 8]);
            u64::from_le_bytes(number)
        }))
    }
}
