//! A bootable disk image for real machines: GPT, an EFI system partition with a slot for each of two versions, a state partition
//! that both slots use, and the rest for data.
//!
//! A slot is a file, `EFI/Linux/blockhaul_VERSION.efi`. One that is new has a count behind its name (`+3`): systemd-boot takes one
//! off at each start and comes back to the other slot when none is left; the first process takes the count away when the slot has
//! proved good. The same inputs give the same bytes.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bake::Image;
use crate::boot::Boot;
use crate::gpt::{self, Partition};
use crate::tree::read;
use crate::{Result, process, uki};

const MIB: u64 = 1024 * 1024;

/// Names by which the first process finds its partitions.
pub const ESP: &str = "blockhaul-esp";
/// The state volume.
pub const STATE: &str = "blockhaul-state";
/// What archives are made on.
pub const DATA: &str = "blockhaul-data";

/// Room for two slots.
const ESP_BYTES: u64 = 128 * MIB;
const STATE_BYTES: u64 = 32 * MIB;

/// All files have this time, in seconds since 1970.
const TIME: &str = "1790000000";

/// A version that can be started.
#[derive(Debug)]
pub struct Slot {
    /// Its version; the higher one is started first.
    pub version: String,
    /// So many starts are tried before the other slot is; none: it has proved good.
    pub tries: Option<u32>,
    /// The unified kernel image.
    pub content: Vec<u8>,
}

impl Slot {
    /// From an image; `initramfs` is its own, or one with more laid over.
    pub fn new(boot: &Boot, image: &Image, initramfs: &[u8], version: &str, tries: Option<u32>) -> Result<Slot> {
        let mut release = format!(
            "ID=blockhaul\nNAME=blockhaul\nPRETTY_NAME=\"blockhaul {version}\"\nVERSION_ID={version}\nIMAGE_ID=blockhaul\n"
        );
        // Read by the first process of the slot beside it, `firmware/service/src/first/formats.rs`.
        if !image.formats.is_empty() {
            release += &format!("BLOCKHAUL_FORMATS=\"{}\"\n", image.formats);
        }
        let command_line = image.command_line.as_bytes();
        let sections = [
            (".osrel", release.as_bytes()),
            (".cmdline", command_line),
            (".linux", &read(&image.vmlinuz())?[..]),
            (".initrd", initramfs),
        ];
        Ok(Slot {
            version: version.to_owned(),
            tries,
            content: uki::append(&boot.stub, &sections)?,
        })
    }

    /// The name of its file.
    pub fn file_name(&self) -> String {
        let tries = self.tries.map_or(String::new(), |tries| format!("+{tries}"));
        format!("blockhaul_{}{tries}.efi", self.version)
    }
}

/// A disk image that was written.
#[derive(Debug)]
pub struct Disk {
    /// Where it is.
    pub path: PathBuf,
}

/// Where the partitions lie; the data partition takes the rest.
fn partitions(bytes: u64) -> [Partition; 3] {
    let partition = |name, kind, at_bytes, bytes| Partition {
        name,
        kind,
        at_bytes,
        bytes,
    };
    let data_at = MIB + ESP_BYTES + STATE_BYTES;
    [
        partition(ESP, gpt::TYPE_ESP, MIB, ESP_BYTES),
        partition(STATE, gpt::TYPE_LINUX, MIB + ESP_BYTES, STATE_BYTES),
        partition(DATA, gpt::TYPE_LINUX, data_at, (bytes - data_at - MIB) / MIB * MIB),
    ]
}

impl Disk {
    /// Writes a disk of so many bytes with one slot. The file is sparse.
    pub fn write(path: &Path, name: &str, bytes: u64, boot: &Boot, slot: &Slot) -> Result<Disk> {
        let needed = MIB + ESP_BYTES + STATE_BYTES + 64 * MIB;
        if bytes < needed {
            return Err(format!(
                "A disk image needs {} MiB at least, not {}.",
                needed / MIB,
                bytes / MIB
            ));
        }
        let wrong = |error: std::io::Error| format!("{} cannot be written: {error}.", path.display());
        let file = File::create(path).map_err(wrong)?;
        file.set_len(bytes).map_err(wrong)?;
        let parts = partitions(bytes);
        let (begin, end) = gpt::tables(name, bytes, &parts);
        file.write_all_at(&begin, 0).map_err(wrong)?;
        file.write_all_at(&end, bytes - end.len() as u64).map_err(wrong)?;
        let [esp, state, _] = &parts;
        let mut format = Command::new("mkfs.vfat");
        format.args(["--invariant", "-F", "32", "-s", "1", "-n", "BLOCKHAUL", "--offset"]);
        format
            .arg((esp.at_bytes / gpt::SECTOR_BYTES).to_string())
            .arg(path)
            .arg((esp.bytes / 1024).to_string());
        process::output(&mut format, "dosfstools")?;
        let mut format = Command::new("mke2fs");
        let uuid = uuid(name);
        format
            .env("E2FSPROGS_FAKE_TIME", TIME)
            .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-U", &uuid, "-L", "blockhaul"]);
        let place = format!(
            "offset={},hash_seed={uuid},lazy_itable_init=0,lazy_journal_init=0,root_owner=0:0",
            state.at_bytes
        );
        format.args(["-E", &place]).arg(path).arg((state.bytes / 4096).to_string());
        process::output(&mut format, "e2fsprogs")?;
        let disk = Disk {
            path: path.to_path_buf(),
        };
        for folder in ["EFI", "EFI/BOOT", "EFI/Linux", "loader"] {
            disk.mtools("mmd", &[&format!("::{folder}")])?;
        }
        disk.put("EFI/BOOT/BOOTX64.EFI", &boot.loader)?;
        disk.put("loader/loader.conf", b"timeout 0\neditor no\n")?;
        disk.put_slot(slot)?;
        Ok(disk)
    }

    /// Adds a slot, as an updater does on the machine.
    pub fn put_slot(&self, slot: &Slot) -> Result<()> {
        self.put(&format!("EFI/Linux/{}", slot.file_name()), &slot.content)
    }

    /// Removes a slot, as an updater does to make room.
    pub fn remove_slot(&self, file: &str) -> Result<()> {
        self.mtools("mdel", &[&format!("::EFI/Linux/{file}")]).map(drop)
    }

    /// The files of the slots there are.
    pub fn slots(&self) -> Result<Vec<String>> {
        let listed = self.mtools("mdir", &["-b", "::EFI/Linux"])?;
        Ok(listed
            .lines()
            .filter_map(|line| line.rsplit('/').next())
            .map(str::to_owned)
            .collect())
    }

    fn put(&self, to: &str, content: &[u8]) -> Result<()> {
        let file = self.path.with_extension("part");
        crate::tree::write(&file, content)?;
        let outcome = self.mtools("mcopy", &["-o", &file.display().to_string(), &format!("::{to}")]);
        let _ = std::fs::remove_file(&file);
        outcome.map(drop)
    }

    fn mtools(&self, program: &str, words: &[&str]) -> Result<String> {
        let mut command = Command::new(program);
        // Times in FAT are local.
        command
            .env("SOURCE_DATE_EPOCH", TIME)
            .env("TZ", "UTC")
            .env("MTOOLS_SKIP_CHECK", "1");
        command.arg("-i").arg(format!("{}@@{MIB}", self.path.display())).args(words);
        let printed = process::output(&mut command, "mtools")?.stdout;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }
}

fn uuid(name: &str) -> String {
    let hex: String = gpt::identity(name, STATE).iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(version: &str, tries: Option<u32>) -> Slot {
        Slot {
            version: version.into(),
            tries,
            content: b"a kernel".to_vec(),
        }
    }

    #[test]
    fn the_same_inputs_give_the_same_disk() {
        let folder = tempfile::tempdir().unwrap();
        let boot = Boot {
            stub: Vec::new(),
            loader: b"a loader".to_vec(),
        };
        let written = |name: &str| {
            let disk = Disk::write(&folder.path().join(name), "d", 256 * MIB, &boot, &slot("1.0", None)).unwrap();
            assert_eq!(disk.slots().unwrap(), ["blockhaul_1.0.efi"]);
            disk
        };
        let (a, b) = (written("a"), written("b"));
        assert!(read(&a.path).unwrap() == read(&b.path).unwrap());
        a.put_slot(&slot("1.1", Some(3))).unwrap();
        assert_eq!(a.slots().unwrap(), ["blockhaul_1.0.efi", "blockhaul_1.1+3.efi"]);
        a.remove_slot("blockhaul_1.0.efi").unwrap();
        assert_eq!(a.slots().unwrap(), ["blockhaul_1.1+3.efi"]);
        let small = Disk::write(&folder.path().join("c"), "d", 16 * MIB, &boot, &slot("1.0", None));
        assert!(small.unwrap_err().contains("at least"));
    }
}
