//! A camera's card with films on it, as a file on the host: FAT32, with a partition table in front or without one.
//!
//! The films are bytes that nobody can guess, so that whatever comes back of them is theirs.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use image::tree::{make_folder, read, write};
use image::{Result, process};

use crate::dice::Dice;

const MIB: u64 = 1024 * 1024;
/// The emulator takes only cards whose size is a power of two.
const CARD_BYTES: u64 = 64 * MIB;
const SECTOR_BYTES: u64 = 512;
/// Where a partition begins, if there is one: as cameras and computers do it.
const PARTITION_AT_BYTES: u64 = MIB;
/// FAT32 with addresses of sectors, in the table of partitions.
const PARTITION_TYPE: u8 = 0x0C;

/// The names of all films end like this.
pub const PATTERN: &str = "DCIM/%Y%m%d_%H%M%S.ts";

/// What a camera leaves behind.
pub struct Footage {
    /// Its name here.
    pub name: &'static str,
    /// Its films, in the order of their times.
    pub films: Vec<Vec<u8>>,
    path: PathBuf,
    written: blake3::Hash,
}

impl Footage {
    /// A card with so many films of some 600 kB, taken on `day` (`20261119`), an hour ago and more by the clock of the card.
    pub fn shoot(
        folder: &Path,
        name: &'static str,
        day: &str,
        partitioned: bool,
        films: usize,
        dice: &mut Dice,
    ) -> Result<Footage> {
        let path = folder.join(format!("{name}.card.img"));
        let wrong = |error: std::io::Error| format!("The card {} cannot be written: {error}.", path.display());
        let file = File::create_new(&path).map_err(wrong)?;
        file.set_len(CARD_BYTES).map_err(wrong)?;
        let at_bytes = if partitioned {
            file.write_all_at(&table(PARTITION_AT_BYTES, CARD_BYTES - PARTITION_AT_BYTES), 0)
                .map_err(wrong)?;
            PARTITION_AT_BYTES
        } else {
            0
        };
        let serial = format!("{:08x}", dice.below(1 << 32));
        let mut format = Command::new("mkfs.vfat");
        format.args(["-F", "32", "-s", "1", "-n", &name.to_uppercase(), "-i", &serial]);
        let kib = (CARD_BYTES - at_bytes) / 1024;
        format.args(["--offset", &(at_bytes / SECTOR_BYTES).to_string()]);
        format.arg(&path).arg(kib.to_string());
        process::output(&mut format, "dosfstools")?;
        let original = folder.join(format!("{name}.card"));
        make_folder(&original)?;
        mtools(&path, at_bytes, "mmd", &["::DCIM"])?;
        let mut all = Vec::new();
        for number in 0..films {
            let length = 500_000 + dice.below(200_000) as usize;
            let film: Vec<u8> = (0..length).map(|_| dice.below(256) as u8).collect();
            let source = original.join(format!("{day}_22{number:02}00.ts"));
            write(&source, &film)?;
            let old = SystemTime::now() - Duration::from_secs(3600);
            let opened = File::options().write(true).open(&source).map_err(wrong)?;
            opened.set_modified(old).map_err(wrong)?;
            mtools(&path, at_bytes, "mcopy", &["-m", &source.display().to_string(), "::DCIM/"])?;
            all.push(film);
        }
        Ok(Footage {
            name,
            films: all,
            written: blake3::hash(&read(&path)?),
            path,
        })
    }

    /// Its file in the folder of the scenario.
    pub fn file(&self) -> String {
        format!("{}.card.img", self.name)
    }

    /// All that is on it.
    pub fn bytes(&self) -> u64 {
        self.films.iter().map(|film| film.len() as u64).sum()
    }

    /// Not a byte of the card was written since the camera had it.
    pub fn untouched(&self) -> Result<()> {
        if blake3::hash(&read(&self.path)?) == self.written {
            return Ok(());
        }
        Err(format!("The card {} was written to.", self.name))
    }

    /// Blocks are exactly the films, each byte once and in order. Each is given by its length and the hash of what it carries.
    pub fn is_in(&self, blocks: &[(usize, String)]) -> Result<()> {
        let mut blocks = blocks.iter();
        for (number, film) in self.films.iter().enumerate() {
            let mut at = 0;
            while at < film.len() {
                let (length, hash) = blocks
                    .next()
                    .ok_or_else(|| format!("Of film {number} of {} only {at} bytes are there.", self.name))?;
                let here = film.get(at..at + length);
                if here.is_none_or(|bytes| blake3::hash(bytes).to_hex().as_str() != hash) {
                    return Err(format!(
                        "In place of film {number} of {}, from byte {at} on, is something else: {length} bytes.",
                        self.name
                    ));
                }
                at += length;
            }
        }
        match blocks.count() {
            0 => Ok(()),
            more => Err(format!("{more} blocks more are there than the films of {} have.", self.name)),
        }
    }
}

/// A first sector with one partition.
fn table(at_bytes: u64, bytes: u64) -> [u8; SECTOR_BYTES as usize] {
    let mut sector = [0; SECTOR_BYTES as usize];
    // One entry of 16 bytes at 446: type at 4, first sector at 8, sectors at 12; cylinders and heads are long forgotten.
    sector[450] = PARTITION_TYPE;
    sector[454..458].copy_from_slice(&((at_bytes / SECTOR_BYTES) as u32).to_le_bytes());
    sector[458..462].copy_from_slice(&((bytes / SECTOR_BYTES) as u32).to_le_bytes());
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    sector
}

fn mtools(card: &Path, at_bytes: u64, program: &str, words: &[&str]) -> Result<()> {
    let mut command = Command::new(program);
    // Times in FAT are local.
    command.env("TZ", "UTC").env("MTOOLS_SKIP_CHECK", "1");
    command.arg("-i").arg(format!("{}@@{at_bytes}", card.display())).args(words);
    process::output(&mut command, "mtools").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_must_be_the_films_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let card = Footage::shoot(folder.path(), "front", "20261119", true, 2, &mut Dice::new(1)).unwrap();
        card.untouched().unwrap();
        let mut blocks: Vec<(usize, String)> = card
            .films
            .iter()
            .flat_map(|film| film.chunks(60_000))
            .map(|bytes| (bytes.len(), blake3::hash(bytes).to_hex().to_string()))
            .collect();
        card.is_in(&blocks).unwrap();
        let last = blocks.pop().unwrap();
        assert!(card.is_in(&blocks).unwrap_err().contains("only"));
        blocks.extend([last.clone(), last]);
        assert!(card.is_in(&blocks).unwrap_err().contains("1 blocks more"));
        blocks.swap(0, 1);
        assert!(card.is_in(&blocks).unwrap_err().contains("something else"));
        File::options()
            .write(true)
            .open(&card.path)
            .unwrap()
            .write_all_at(b"x", 99)
            .unwrap();
        assert!(card.untouched().is_err());
    }
}
