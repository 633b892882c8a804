//! exFAT as `mkfs.exfat` makes it, filled here: no tool puts files into such an image without mounting it. `fsck.exfat` says whether
//! what was put in is right.

use std::path::{Path, PathBuf};

use hal::CardForm;

use crate::image::{Image, content, paths, read, run};

/// The places of an image.
struct Places {
    table: usize,
    heap: usize,
    cluster: usize,
    root: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

impl Places {
    fn of(bytes: &[u8]) -> Places {
        let sector = 1usize << bytes[108];
        Places {
            table: u32_at(bytes, 80) as usize * sector,
            heap: u32_at(bytes, 88) as usize * sector,
            cluster: sector << bytes[109],
            root: u32_at(bytes, 96),
        }
    }

    fn at(&self, cluster: u32) -> usize {
        self.heap + (cluster as usize - 2) * self.cluster
    }
}

/// An empty image of 16 MiB with clusters of 4 KiB.
fn empty(folder: &Path) -> PathBuf {
    let path = folder.join("exfat.img");
    std::fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
    run("mkfs.exfat", &["-c", "4096", "-L", "CAMERA", path.to_str().unwrap()]);
    path
}

/// The sum that the first entry of a set holds.
fn sum(set: &[u8]) -> u16 {
    set.iter()
        .enumerate()
        .filter(|(place, _)| !matches!(place, 2 | 3))
        .fold(0u16, |sum, (_, byte)| sum.rotate_right(1).wrapping_add(u16::from(*byte)))
}

/// The hash of a name in capitals, for names of ASCII.
fn name_hash(units: &[u16]) -> u16 {
    let bytes = units
        .iter()
        .map(|unit| if (97..=122).contains(unit) { unit - 32 } else { *unit });
    bytes
        .flat_map(u16::to_le_bytes)
        .fold(0u16, |sum, byte| sum.rotate_right(1).wrapping_add(u16::from(byte)))
}

struct File<'a> {
    name: &'a str,
    is_folder: bool,
    clusters: &'a [u32],
    contiguous: bool,
    valid: u64,
    size: u64,
}

/// The entries of a file.
fn set(file: &File) -> Vec<u8> {
    let units: Vec<u16> = file.name.encode_utf16().collect();
    let names = units.len().div_ceil(15);
    let mut set = vec![0u8; 32 * (2 + names)];
    set[0] = 0x85;
    set[1] = 1 + names as u8;
    set[4] = if file.is_folder { 0x10 } else { 0x20 };
    let stamp: u32 = (46 << 25) | (11 << 21) | (21 << 16) | (22 << 11);
    for at in [8, 12, 16] {
        set[at..at + 4].copy_from_slice(&stamp.to_le_bytes());
    }
    // UTC+1, from UTC.
    set[22..25].fill(0x84);
    set[32] = 0xc0;
    set[33] = if file.contiguous { 3 } else { 1 };
    set[35] = units.len() as u8;
    set[36..38].copy_from_slice(&name_hash(&units).to_le_bytes());
    set[40..48].copy_from_slice(&file.valid.to_le_bytes());
    set[52..56].copy_from_slice(&file.clusters.first().copied().unwrap_or(0).to_le_bytes());
    set[56..64].copy_from_slice(&file.size.to_le_bytes());
    for (number, piece) in units.chunks(15).enumerate() {
        let at = 32 * (2 + number);
        set[at] = 0xc1;
        for (place, unit) in piece.iter().enumerate() {
            set[at + 2 + place * 2..][..2].copy_from_slice(&unit.to_le_bytes());
        }
    }
    let sum = sum(&set);
    set[2..4].copy_from_slice(&sum.to_le_bytes());
    set
}

/// Content into clusters, links into the table, bits into the map of what is taken.
fn put(bytes: &mut [u8], file: &File, content: &[u8]) {
    let places = Places::of(bytes);
    for (piece, cluster) in content.chunks(places.cluster).zip(file.clusters) {
        bytes[places.at(*cluster)..][..piece.len()].copy_from_slice(piece);
    }
    let root = places.at(places.root);
    let map = bytes[root..root + 512].chunks(32).find(|entry| entry[0] == 0x81).unwrap();
    let map = places.at(u32_at(map, 20));
    for (number, cluster) in file.clusters.iter().enumerate() {
        let bit = *cluster as usize - 2;
        bytes[map + bit / 8] |= 1 << (bit % 8);
        if !file.contiguous {
            let next = file.clusters.get(number + 1).copied().unwrap_or(0xffff_ffff);
            bytes[places.table + *cluster as usize * 4..][..4].copy_from_slice(&next.to_le_bytes());
        }
    }
}

fn append(bytes: &mut [u8], folder_at: usize, set: &[u8]) {
    let free = (0..).find(|slot| bytes[folder_at + slot * 32] == 0).unwrap();
    bytes[folder_at + free * 32..][..set.len()].copy_from_slice(set);
}

const LONG: &str = "2026-11-21 22.46.28 a name that takes more than one piece of fifteen.mp4";

/// A card with a folder, a file in pieces, one in one piece, and one that was allocated before it was written.
fn card(folder: &Path) -> (Image, Vec<(String, Vec<u8>)>) {
    let path = empty(folder);
    let mut bytes = std::fs::read(&path).unwrap();
    let places = Places::of(&bytes);
    let root = places.at(places.root);
    let directory = File {
        name: "DCIM",
        is_folder: true,
        clusters: &[100],
        contiguous: true,
        valid: places.cluster as u64,
        size: places.cluster as u64,
    };
    put(&mut bytes, &directory, &[]);
    append(&mut bytes, root, &set(&directory));
    let in_folder = places.at(100);
    let mut files = Vec::new();
    let pieces: Vec<u32> = (0..50).map(|number| 200 + number * 2 % 50 + number / 25).collect();
    let rows: [(&str, &[u32], bool, u64); 3] = [
        (LONG, &pieces, false, 204_000),
        ("straight.mp4", &[400, 401, 402], true, 12_000),
        ("growing.mp4", &[500, 501, 502, 503], true, 5_000),
    ];
    for (name, clusters, contiguous, valid) in rows {
        let is_growing = name == "growing.mp4";
        let file = File {
            name,
            is_folder: false,
            clusters,
            contiguous,
            valid,
            size: if is_growing { 16_000 } else { valid },
        };
        let mut content = content(valid, valid as usize);
        put(&mut bytes, &file, &content);
        // Old bytes behind what was written.
        if is_growing {
            bytes[places.at(502)..places.at(504)].fill(0xaa);
        }
        append(&mut bytes, in_folder, &set(&file));
        content.resize(file.size as usize, 0);
        files.push((format!("DCIM/{name}"), content));
    }
    std::fs::write(&path, &bytes).unwrap();
    run("fsck.exfat", &["-n", path.to_str().unwrap()]);
    (Image::of(&path), files)
}

#[test]
fn pieces_straight_ones_and_what_was_allocated_only() {
    let folder = tempfile::tempdir().unwrap();
    let (image, files) = card(folder.path());
    let mut card = image.open();
    assert_eq!((card.facts().form, card.facts().label.as_str()), (CardForm::Exfat, "CAMERA"));
    let listing = card.list().unwrap();
    assert_eq!((listing.damaged, listing.more), (0, false), "{:?}", listing.damage);
    let mut names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(paths(&listing), names);
    for (name, bytes) in &files {
        assert!(read(card.as_mut(), name).unwrap() == *bytes, "{name} has other bytes");
    }
    // 22:00 at UTC+1.
    let modified = listing.files[0].modified_ns.unwrap();
    assert_eq!((modified, listing.files[0].local_time), (1_795_294_800_000_000_000, false));
}

#[test]
fn a_set_that_is_being_written_is_damage_and_not_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (image, _) = card(folder.path());
    {
        let mut bytes = image.0.lock().unwrap();
        let places = Places::of(&bytes);
        // The size of the first file, without its sum.
        let at = places.at(100) + 32 + 24;
        bytes[at] ^= 1;
    }
    let listing = image.open().list().unwrap();
    assert_eq!((listing.files.len(), listing.damaged), (2, 1), "{:?}", listing.damage);
}
