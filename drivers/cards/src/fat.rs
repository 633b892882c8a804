//! FAT12, FAT16 and FAT32: the boot sector and the entries of folders (Microsoft, FAT32 File System Specification 1.03, 2000).

use hal::{CardFacts, CardForm, Uuid};

use crate::bytes::{u16_at, u32_at};
use crate::cluster::{ENTRY_BYTES, Entries, Extent, Node, Root, Step, Style, Volume, Width};
use crate::{name, time};

const ATTRIBUTE_LABEL: u8 = 0x08;
const ATTRIBUTE_FOLDER: u8 = 0x10;
const ATTRIBUTE_LONG: u8 = 0x0f;
/// Units of a name in one entry, and where they are.
const UNITS_AT: [usize; 13] = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const LONG_ENTRIES_MAX: usize = 20;

/// A boot sector whose numbers fit each other.
pub struct Boot(Volume);

impl Boot {
    /// From the first bytes of a card; none if that is no FAT.
    pub fn parse(head: &[u8]) -> Option<Boot> {
        if head[510..512] != [0x55, 0xaa] {
            return None;
        }
        let sector = u64::from(u16_at(head, 11));
        let per_cluster = u64::from(head[13]);
        let reserved = u64::from(u16_at(head, 14));
        let tables = u64::from(head[16]);
        let root_entries = u64::from(u16_at(head, 17));
        if !matches!(sector, 512 | 1024 | 2048 | 4096) || !per_cluster.is_power_of_two() || reserved == 0 {
            return None;
        }
        if !(1..=2).contains(&tables) {
            return None;
        }
        let total = match u16_at(head, 19) {
            0 => u64::from(u32_at(head, 32)),
            few => u64::from(few),
        };
        let is_32 = u16_at(head, 22) == 0;
        let table = if is_32 {
            u64::from(u32_at(head, 36))
        } else {
            u64::from(u16_at(head, 22))
        };
        let root_sectors = (root_entries * ENTRY_BYTES as u64).div_ceil(sector);
        let data = reserved + tables * table + root_sectors;
        let by_room = total.checked_sub(data)? / per_cluster;
        if table == 0 || by_room == 0 || (!is_32 && root_entries == 0) {
            return None;
        }
        let (form, width, bits) = match (is_32, by_room) {
            (true, _) => (CardForm::Fat32, Width::Fat32, 32),
            (false, ..4085) => (CardForm::Fat12, Width::Fat12, 12),
            (false, _) => (CardForm::Fat16, Width::Fat16, 16),
        };
        // A table that is too short for its clusters bounds them.
        let by_table = (table * sector * 8 / bits).saturating_sub(2);
        let clusters = u32::try_from(by_room.min(by_table)).ok()?;
        let root_at = (reserved + tables * table) * sector;
        let root = if is_32 {
            Root::Chain(u32_at(head, 44) & 0x0fff_ffff)
        } else {
            Root::Fixed(Extent {
                at_bytes: root_at,
                bytes: root_entries * ENTRY_BYTES as u64,
            })
        };
        // Where the extended part begins: signature, serial, label.
        let extended = if is_32 { 66 } else { 38 };
        let has_serial = matches!(head[extended], 0x28 | 0x29);
        let serial = if has_serial { u32_at(head, extended + 1) } else { 0 };
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"FAT");
        hasher.update(&serial.to_le_bytes());
        for number in [sector, per_cluster, reserved, tables, root_entries, total, table] {
            hasher.update(&number.to_le_bytes());
        }
        let mut identity = [0; 16];
        identity.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let facts = CardFacts {
            form,
            identity: Some(Uuid(identity)),
            volume_id: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff),
            label: String::new(),
            size_bytes: total * sector,
            dirty: head[if is_32 { 65 } else { 37 }] & 1 != 0,
            serial: String::new(),
            same_as: 0,
        };
        Some(Boot(Volume {
            facts,
            style: Style::Fat,
            width,
            table_at: reserved * sector,
            data_at: data * sector,
            cluster_bytes: per_cluster * sector,
            clusters,
            root,
        }))
    }

    pub fn volume(self) -> Volume {
        self.0
    }
}

/// The name of the volume, if this entry is it.
pub fn label(entry: &[u8; ENTRY_BYTES]) -> Option<String> {
    let is_label = entry[11] & 0x3f != ATTRIBUTE_LONG && entry[11] & ATTRIBUTE_LABEL != 0 && !matches!(entry[0], 0 | 0xe5);
    let mut bytes = [0; 11];
    bytes.copy_from_slice(&entry[..11]);
    is_label.then(|| name::short(&bytes, 0).replace('.', ""))
}

/// A long name that is being put together, from its last piece on.
struct Long {
    checksum: u8,
    /// Number of the piece that must come next; 0 if all are there.
    awaited: u8,
    units: [u16; LONG_ENTRIES_MAX * 13],
    length: usize,
}

/// The state of reading a folder.
#[derive(Default)]
pub struct Reading {
    long: Option<Long>,
}

impl Reading {
    fn piece(&mut self, entry: &[u8; ENTRY_BYTES]) {
        let number = entry[0] & 0x1f;
        if entry[0] & 0x40 != 0 {
            self.long = (1..=LONG_ENTRIES_MAX as u8).contains(&number).then(|| Long {
                checksum: entry[13],
                awaited: number,
                units: [0; LONG_ENTRIES_MAX * 13],
                length: usize::from(number) * 13,
            });
        }
        let fits = |long: &Long| long.awaited == number && number > 0 && long.checksum == entry[13];
        let Some(mut long) = self.long.take().filter(fits) else {
            return;
        };
        let from = usize::from(number - 1) * 13;
        for (place, at) in UNITS_AT.iter().enumerate() {
            long.units[from + place] = u16_at(entry, *at);
        }
        long.awaited -= 1;
        self.long = Some(long);
    }
}

impl Entries for Reading {
    fn take(&mut self, entry: &[u8; ENTRY_BYTES]) -> Step {
        match entry[0] {
            0 => return Step::End,
            0xe5 => {
                self.long = None;
                return Step::On;
            }
            _ => {}
        }
        let attributes = entry[11];
        if attributes & 0x3f == ATTRIBUTE_LONG {
            self.piece(entry);
            return Step::On;
        }
        let long = self.long.take();
        if attributes & ATTRIBUTE_LABEL != 0 || entry[0] == b'.' {
            return Step::On;
        }
        let mut bytes = [0; 11];
        bytes.copy_from_slice(&entry[..11]);
        // One that was orphaned belongs to an entry that is gone.
        let long = long.filter(|long| long.awaited == 0 && long.checksum == name::short_checksum(&bytes));
        let name = match &long {
            Some(long) => {
                let units = &long.units[..long.length];
                let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
                name::long(&units[..end])
            }
            None => name::short(&bytes, entry[12]),
        };
        let mut hashed = *entry;
        // The day of the last access, and the marks of whoever makes backups.
        hashed[18..20].fill(0);
        hashed[11] &= !0x20;
        let is_folder = attributes & ATTRIBUTE_FOLDER != 0;
        let size_bytes = u64::from(u32_at(entry, 28));
        Step::Node(Node {
            name,
            is_folder,
            first_cluster: (u32::from(u16_at(entry, 20)) << 16 | u32::from(u16_at(entry, 26))) & 0x0fff_ffff,
            size_bytes: if is_folder { 0 } else { size_bytes },
            valid_bytes: size_bytes,
            contiguous: false,
            created_ns: time::dos(u16_at(entry, 16), u16_at(entry, 14), entry[13]),
            modified_ns: time::dos(u16_at(entry, 24), u16_at(entry, 22), 0),
            local_time: true,
            entry: crate::bytes::u64_at(blake3::hash(&hashed).as_bytes(), 0),
        })
    }
}
