//! exFAT: the boot sector and the entries of folders (Microsoft, exFAT file system specification, 2019).

use hal::{CardFacts, CardForm, Uuid};

use crate::bytes::{u16_at, u32_at, u64_at};
use crate::cluster::{ENTRY_BYTES, Entries, Node, Root, Step, Style, Volume, Width};
use crate::limits::NAME_UNITS_MAX;
use crate::{name, time};

const ENTRY_LABEL: u8 = 0x83;
const ENTRY_FILE: u8 = 0x85;
const ENTRY_STREAM: u8 = 0xc0;
const ENTRY_NAME: u8 = 0xc1;
/// The bit of entries that are in use.
const IN_USE: u8 = 0x80;
/// The bit of entries that belong to the one before.
const SECONDARY: u8 = 0x40;
/// Of a stream: its clusters follow each other.
const CONTIGUOUS: u8 = 0x02;
const ATTRIBUTE_FOLDER: u16 = 0x10;
/// Units of a name in one entry.
const UNITS: usize = 15;

/// A boot sector whose numbers fit each other.
pub struct Boot(Volume);

impl Boot {
    /// From the first bytes of a card; none if that is no exFAT.
    pub fn parse(head: &[u8]) -> Option<Boot> {
        if &head[3..11] != b"EXFAT   " || head[510..512] != [0x55, 0xaa] {
            return None;
        }
        let (sector_shift, cluster_shift) = (u32::from(head[108]), u32::from(head[109]));
        if !(9..=12).contains(&sector_shift) || cluster_shift > 25 - sector_shift || !(1..=2).contains(&head[110]) {
            return None;
        }
        let sectors = u64_at(head, 72);
        let table = u64::from(u32_at(head, 80));
        let table_length = u64::from(u32_at(head, 84));
        let heap = u64::from(u32_at(head, 88));
        let count = u32_at(head, 92);
        let serial = u32_at(head, 100);
        let size_bytes = sectors.checked_mul(1 << sector_shift)?;
        let by_room = sectors.checked_sub(heap)? >> cluster_shift;
        let by_table = (table_length << sector_shift) / 4;
        if table < 24 || table_length == 0 || heap < table.checked_add(table_length)? {
            return None;
        }
        // Claims are bounded by what they lie in.
        let clusters = u32::try_from(u64::from(count).min(by_room).min(by_table.saturating_sub(2))).ok()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"exFAT");
        hasher.update(&head[72..80]);
        hasher.update(&head[80..104]);
        hasher.update(&head[108..111]);
        let mut identity = [0; 16];
        identity.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        let facts = CardFacts {
            form: CardForm::Exfat,
            identity: Some(Uuid(identity)),
            volume_id: format!("{:04X}-{:04X}", serial >> 16, serial & 0xffff),
            label: String::new(),
            size_bytes,
            dirty: u16_at(head, 106) & 2 != 0,
            serial: String::new(),
            same_as: 0,
        };
        // With two tables, a bit says which one is in use.
        let second = u64::from(head[110] == 2 && u16_at(head, 106) & 1 != 0);
        Some(Boot(Volume {
            facts,
            style: Style::Exfat,
            width: Width::Exfat,
            table_at: (table + second * table_length) << sector_shift,
            data_at: heap << sector_shift,
            cluster_bytes: 1 << (sector_shift + cluster_shift),
            clusters,
            root: Root::Chain(u32_at(head, 96)),
        }))
    }

    pub fn volume(self) -> Volume {
        self.0
    }
}

/// The name of the volume, if this entry is it.
pub fn label(entry: &[u8; ENTRY_BYTES]) -> Option<String> {
    let units: Vec<u16> = (0..usize::from(entry[1]).min(11))
        .map(|place| u16_at(entry, 2 + place * 2))
        .collect();
    (entry[0] == ENTRY_LABEL).then(|| name::long(&units))
}

/// A set of entries that is being put together.
struct Set {
    /// Entries that must still come.
    awaited: u8,
    /// What the first one says all of them add up to.
    checksum: u16,
    sum: u16,
    head: [u8; ENTRY_BYTES],
    stream: Option<[u8; ENTRY_BYTES]>,
    units: Vec<u16>,
    hasher: blake3::Hasher,
}

/// The state of reading a folder.
#[derive(Default)]
pub struct Reading {
    set: Option<Set>,
}

fn add(sum: u16, entry: &[u8; ENTRY_BYTES], is_first: bool) -> u16 {
    let bytes = entry.iter().enumerate();
    // The checksum is not part of itself.
    bytes
        .filter(|(place, _)| !(is_first && matches!(place, 2 | 3)))
        .fold(sum, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u16::from(*byte)))
}

impl Entries for Reading {
    fn take(&mut self, entry: &[u8; ENTRY_BYTES]) -> Step {
        let kind = entry[0];
        let was_open = self.set.is_some();
        if kind == 0 {
            self.set = None;
            return if was_open {
                Step::Damaged("has an entry that is cut off")
            } else {
                Step::End
            };
        }
        if kind & IN_USE == 0 || kind & SECONDARY == 0 {
            self.set = None;
            if kind == ENTRY_FILE && entry[1] >= 2 {
                let mut hashed = *entry;
                // The last access, and the marks of whoever makes backups.
                hashed[16..20].fill(0);
                hashed[24] = 0;
                hashed[4] &= !0x20;
                hashed[2..4].fill(0);
                let mut hasher = blake3::Hasher::new();
                hasher.update(&hashed);
                self.set = Some(Set {
                    awaited: entry[1],
                    checksum: u16_at(entry, 2),
                    sum: add(0, entry, true),
                    head: *entry,
                    stream: None,
                    units: Vec::new(),
                    hasher,
                });
            }
            return if was_open {
                Step::Damaged("has an entry that is cut off")
            } else {
                Step::On
            };
        }
        // One without its file belongs to what was deleted.
        let Some(set) = &mut self.set else { return Step::On };
        set.awaited -= 1;
        set.sum = add(set.sum, entry, false);
        set.hasher.update(entry);
        match kind {
            ENTRY_STREAM if set.stream.is_none() => set.stream = Some(*entry),
            ENTRY_NAME if set.units.len() < NAME_UNITS_MAX => {
                set.units.extend((0..UNITS).map(|place| u16_at(entry, 2 + place * 2)));
            }
            _ => {}
        }
        if set.awaited > 0 {
            return Step::On;
        }
        match self.set.take().and_then(node) {
            Some(node) => Step::Node(node),
            None => Step::Damaged("has an entry that contradicts itself"),
        }
    }
}

/// A set that is whole.
fn node(set: Set) -> Option<Node> {
    let stream = set.stream?;
    let length = usize::from(stream[3]);
    if set.sum != set.checksum || length == 0 || length > set.units.len() {
        return None;
    }
    let (valid_bytes, size_bytes) = (u64_at(&stream, 8), u64_at(&stream, 24));
    if valid_bytes > size_bytes {
        return None;
    }
    let head = &set.head;
    let (created_ns, local_created) = time::exfat(u32_at(head, 8), head[20], head[22]);
    let (modified_ns, local_modified) = time::exfat(u32_at(head, 12), head[21], head[23]);
    Some(Node {
        name: name::long(&set.units[..length]),
        is_folder: u16_at(head, 4) & ATTRIBUTE_FOLDER != 0,
        first_cluster: u32_at(&stream, 20),
        size_bytes,
        valid_bytes,
        contiguous: stream[1] & CONTIGUOUS != 0,
        created_ns,
        modified_ns,
        local_time: local_created || local_modified,
        entry: u64_at(set.hasher.finalize().as_bytes(), 0),
    })
}
