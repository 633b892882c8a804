//! Loops, tables that lead nowhere, folders that hold themselves, giant folders, any single bit: an end and an answer, always.

use hal::IoError;

use crate::image::{Image, content, copy_in, fat, file, make_folder, paths, read};

const SECTOR: usize = 512;

/// Where the first table of a FAT image is, and its clusters.
fn places(bytes: &[u8]) -> (usize, usize) {
    let reserved = usize::from(u16::from_le_bytes([bytes[14], bytes[15]]));
    let table = u32::from_le_bytes(bytes[36..40].try_into().unwrap()) as usize;
    (reserved * SECTOR, (reserved + 2 * table) * SECTOR)
}

fn next(bytes: &[u8], cluster: u32) -> u32 {
    let at = places(bytes).0 + cluster as usize * 4;
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) & 0x0fff_ffff
}

fn set_next(bytes: &mut [u8], cluster: u32, value: u32) {
    let at = places(bytes).0 + cluster as usize * 4;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// First cluster of an entry with that short name in a folder's first cluster.
fn first_of(bytes: &[u8], folder: u32, name: &[u8; 11]) -> u32 {
    let at = places(bytes).1 + (folder as usize - 2) * SECTOR;
    let entry = bytes[at..at + SECTOR].chunks(32).find(|entry| entry[..11] == *name).unwrap();
    u32::from(u16::from_le_bytes([entry[20], entry[21]])) << 16 | u32::from(u16::from_le_bytes([entry[26], entry[27]]))
}

fn sample() -> (tempfile::TempDir, Image) {
    let folder = tempfile::tempdir().unwrap();
    let image = fat(folder.path(), "32", 40 << 20, "1");
    make_folder(&image, "A");
    make_folder(&image, "A/B");
    copy_in(&image, &file(folder.path(), "one", &content(1, 20_000)), "A/ONE.TS");
    copy_in(&image, &file(folder.path(), "two", &content(2, 20_000)), "A/B/TWO.TS");
    let image = Image::of(&image);
    (folder, image)
}

#[test]
fn a_loop_in_a_file_is_damage_and_never_bytes() {
    let (_folder, image) = sample();
    {
        let mut bytes = image.0.lock().unwrap();
        let folder = first_of(&bytes, 2, b"A          ");
        let first = first_of(&bytes, folder, b"ONE     TS ");
        let third = next(&bytes, next(&bytes, first));
        set_next(&mut bytes, third, first);
    }
    let mut card = image.open();
    assert_eq!(paths(&card.list().unwrap()), ["A/B/TWO.TS", "A/ONE.TS"]);
    assert_eq!(card.look("A/ONE.TS").unwrap_err(), IoError::Damaged);
    assert_eq!(card.read(0, &mut [0]).unwrap_err(), IoError::Short);
    assert!(read(card.as_mut(), "A/B/TWO.TS").unwrap() == content(2, 20_000));
}

#[test]
fn a_chain_that_is_cut_is_damage() {
    let (_folder, image) = sample();
    {
        let mut bytes = image.0.lock().unwrap();
        let folder = first_of(&bytes, 2, b"A          ");
        let first = first_of(&bytes, folder, b"ONE     TS ");
        set_next(&mut bytes, first, 0);
    }
    assert_eq!(image.open().look("A/ONE.TS").unwrap_err(), IoError::Damaged);
}

#[test]
fn folders_with_loops_and_in_themselves() {
    let (_folder, image) = sample();
    {
        let mut bytes = image.0.lock().unwrap();
        let folder = first_of(&bytes, 2, b"A          ");
        // A's clusters lead back to their beginning; B is A.
        set_next(&mut bytes, folder, folder);
        let at = places(&bytes).1 + (folder as usize - 2) * SECTOR;
        // The end of the folder is gone, so that reading goes on.
        for slot in 0..16 {
            if bytes[at + slot * 32] == 0 {
                bytes[at + slot * 32] = 0xe5;
            }
            if bytes[at + slot * 32..][..11] == *b"B          " {
                bytes[at + slot * 32 + 26] = folder as u8;
                bytes[at + slot * 32 + 27] = (folder >> 8) as u8;
            }
        }
    }
    let listing = image.open().list().unwrap();
    assert_eq!(paths(&listing), ["A/ONE.TS"]);
    assert!(
        listing.damage.iter().any(|what| what.contains("loop")),
        "{:?}",
        listing.damage
    );
    assert!(
        listing.damage.iter().any(|what| what.contains("same as another")),
        "{:?}",
        listing.damage
    );
}

#[test]
fn a_card_that_was_pulled_is_dirty_and_read() {
    let (_folder, image) = sample();
    {
        let mut bytes = image.0.lock().unwrap();
        let at = places(&bytes).0 + 7;
        bytes[at] &= !0x08;
    }
    let mut card = image.open();
    assert!(card.facts().dirty);
    assert!(read(card.as_mut(), "A/ONE.TS").unwrap() == content(1, 20_000));
}

/// mtools takes minutes for so many: the entries are written here.
#[test]
fn a_giant_folder_and_one_that_is_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let image = Image::of(&fat(folder.path(), "32", 64 << 20, "1"));
    let entries = 60_000u32;
    let clusters = entries * 32 / SECTOR as u32;
    {
        let mut bytes = image.0.lock().unwrap();
        let data = places(&bytes).1;
        // The root goes on at cluster 1,000, one behind the other.
        set_next(&mut bytes, 2, 1000);
        for cluster in 1000..1000 + clusters {
            set_next(&mut bytes, cluster, cluster + 1);
        }
        set_next(&mut bytes, 1000 + clusters, 0x0fff_ffff);
        for slot in bytes[data..data + SECTOR].chunks_mut(32).filter(|slot| slot[0] == 0) {
            slot[0] = 0xe5;
        }
        for number in 0..entries {
            let at = data + (1000 - 2) * SECTOR + number as usize * 32;
            bytes[at..at + 11].copy_from_slice(format!("F{number:07}TS ").as_bytes());
            bytes[at + 11] = 0x20;
        }
    }
    let mut card = image.open();
    let listing = card.list().unwrap();
    assert_eq!((listing.files.len(), listing.damaged, listing.more), (60_000, 0, false));
    assert_eq!(card.look("F0059999.TS").unwrap().file.size_bytes, 0);
    // Longer than a folder can be: what may be there is listed.
    {
        let mut bytes = image.0.lock().unwrap();
        for cluster in 1000 + clusters..10_000 {
            set_next(&mut bytes, cluster, cluster + 1);
            let at = places(&bytes).1 + (cluster as usize - 2) * SECTOR;
            bytes[at..at + SECTOR].fill(0xe5);
        }
    }
    let listing = image.open().list().unwrap();
    assert_eq!((listing.files.len(), listing.damaged), (60_000, 1), "{:?}", listing.damage);
}

/// Every call on a card whose bytes may be anything: it must come to an end, and not panic.
fn ask(image: &Image) {
    let Ok(mut card) = drivers_cards::open(Box::new(image.clone())) else {
        return;
    };
    let Ok(listing) = card.list() else { return };
    for file in listing.files.iter().take(4) {
        if let Ok(look) = card.look(&file.path) {
            let mut bytes = vec![0; look.file.size_bytes.min(5_000) as usize];
            let _ = card.read(0, &mut bytes);
        }
    }
}

#[test]
fn every_bit_of_the_boot_sector_the_table_and_a_folder() {
    let (_folder, image) = sample();
    let (table, data) = places(&image.0.lock().unwrap());
    for from in [0, table, data, data + SECTOR] {
        for bit in 0..96 * 8 {
            image.0.lock().unwrap()[from + bit / 8] ^= 1 << (bit % 8);
            ask(&image);
            image.0.lock().unwrap()[from + bit / 8] ^= 1 << (bit % 8);
        }
    }
}
