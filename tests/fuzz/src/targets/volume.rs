//! A whole volume with bytes changed by somebody who can make every checksum right: it is opened, recovered, read.
//!
//! An input is a byte of flags (bit 0 mends headers and superblock copies, bit 1 also CRC and digest of payloads), then changes:
//! a place (0 to 3: copy of the superblock, 4 to 35: slot, 255: a slot is copied to another), then offset (two bytes), length
//! (one byte) and bytes, or the two slots.

use std::collections::BTreeSet;
use std::time::Duration;

use blockhaul_core::format::superblock::{COPIES, copy_offsets};
use hal::{ClientId, Role};
use serde_json::Value;

use super::superblock;
use crate::desk::{BLOCK_BYTES, DISK_BYTES, Disk, PIECES, SLOTS, SLOTS_AT_BYTES, begin, piece_bytes};
use crate::sector::{MENDED, SECTOR, mend_crc};
use crate::{Seed, Target, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "volume",
    what: "a changed volume is opened and read",
    longest: 1024,
    check: |input| {
        // Made before anything is counted.
        begin();
        heap::of_appliance(|| drop(read(input)));
    },
    seeds,
    words: &["bhsuper\\x00", "bhblock\\x00"],
};

const PAYLOADS: u8 = 2;
const COPY_SLOT: u8 = 255;
/// Changes of one input: more would only make it slow.
const CHANGES_MAX: usize = 16;
/// What opening and reading take at most: no op takes any time here.
const WHILE: Duration = Duration::from_secs(2);
/// Header and the beginning of the payload: what changes may reach.
const REACH: usize = 2 * SECTOR;

/// The last answer to each call, after the volume was changed and opened.
fn read(input: &[u8]) -> Vec<Value> {
    let Some((&flags, changes)) = input.split_first() else {
        return Vec::new();
    };
    let (desk, _) = begin();
    let mut disk = desk.disk();
    let changed = change(&mut disk, changes);
    if flags & MENDED != 0 {
        changed
            .iter()
            .for_each(|place| mend(&mut disk, *place, flags & PAYLOADS != 0));
    }
    let mut desk = desk.again(disk);
    desk.pass(WHILE);
    let calls = [
        r#"{"method":"io.blockhaul.Appliance.Status"}"#,
        r#"{"method":"io.blockhaul.Archive.Info","parameters":{"name":"yard"}}"#,
        r#"{"method":"io.blockhaul.Archive.Verify","parameters":{"name":"yard"}}"#,
        r#"{"method":"io.blockhaul.Archive.Gaps","parameters":{"archive":"yard","camera":"gate"}}"#,
        r#"{"method":"io.blockhaul.Archive.Export","parameters":{"archive":"yard","camera":"gate"}}"#,
    ];
    let mut answers = Vec::new();
    for (client, call) in calls.into_iter().enumerate() {
        desk.replies.clear();
        desk.call(ClientId(client as u64), Role::Admin, call.as_bytes());
        desk.pass(WHILE);
        let answer = desk.replies.pop();
        let (_, answer) = answer.unwrap_or_else(|| panic!("not answered: {call}"));
        answers.push(answer);
    }
    if flags & MENDED == 0 {
        nothing_is_made_up(&desk.delivered);
    }
    answers
}

/// Whatever was changed, without right checksums only what was recorded is exported, in its order.
fn nothing_is_made_up(exported: &[Vec<u8>]) {
    let place = |chunk: &Vec<u8>| (0..PIECES).find(|piece| chunk[..] == piece_bytes(*piece));
    let places: Option<Vec<usize>> = exported.iter().map(place).collect();
    let places = places.expect("something was exported that was never recorded");
    assert!(
        places.is_sorted_by(|one, next| one < next),
        "blocks were exported out of order or twice: {places:?}"
    );
}

/// Where a place begins, if there is one.
fn begins(place: u8) -> Option<u64> {
    let slot = u64::from(place).checked_sub(COPIES as u64);
    match slot {
        None => copy_offsets(DISK_BYTES).get(usize::from(place)).copied(),
        Some(slot) => (slot < SLOTS).then(|| SLOTS_AT_BYTES + slot * u64::from(BLOCK_BYTES)),
    }
}

/// Makes the changes; returns the places.
fn change(disk: &mut Disk, mut changes: &[u8]) -> BTreeSet<u8> {
    let mut changed = BTreeSet::new();
    for _ in 0..CHANGES_MAX {
        let Some((&[place, first, second], rest)) = changes.split_first_chunk() else {
            break;
        };
        changes = rest;
        if place == COPY_SLOT {
            let place = |slot: u8| COPIES as u8 + slot % SLOTS as u8;
            if let (Some(from), Some(to)) = (begins(place(first)), begins(place(second))) {
                let block = disk.bytes(from, BLOCK_BYTES as usize);
                disk.put(to, &block);
                changed.insert(place(second));
            }
            continue;
        }
        let Some((&length, rest)) = changes.split_first() else { break };
        let Some((bytes, rest)) = rest.split_at_checked(usize::from(length)) else {
            break;
        };
        changes = rest;
        let at = usize::from(u16::from_le_bytes([first, second])) % REACH;
        let room = if usize::from(place) < COPIES { SECTOR } else { REACH };
        if let Some(begin) = begins(place)
            && at + bytes.len() <= room
        {
            disk.put(begin + at as u64, bytes);
            changed.insert(place);
        }
    }
    changed
}

/// Makes the checksums of a place right.
fn mend(disk: &mut Disk, place: u8, payload_too: bool) {
    let Some(begin) = begins(place) else { return };
    let mut sector = [0; SECTOR];
    sector.copy_from_slice(&disk.bytes(begin, SECTOR));
    if usize::from(place) < COPIES {
        superblock::mend(&mut sector);
    } else {
        if payload_too {
            let length = u32::from_le_bytes([sector[128], sector[129], sector[130], sector[131]]);
            let length = length.min(BLOCK_BYTES - SECTOR as u32) as usize;
            let payload = disk.bytes(begin + SECTOR as u64, length);
            sector[132..136].copy_from_slice(&crate::sector::crc32c(&payload).to_le_bytes());
            sector[392..424].copy_from_slice(blake3::hash(&payload).as_bytes());
        }
        mend_crc(&mut sector);
    }
    disk.put(begin, &sector);
}

fn seeds() -> Vec<Seed> {
    let put = |place: u8, at: u16, bytes: &[u8]| [&[place][..], &at.to_le_bytes(), &[bytes.len() as u8], bytes].concat();
    let slot = |slot: u8| COPIES as u8 + slot;
    let all = |bytes: &[u8], at: u16| (0..COPIES as u8).flat_map(|copy| put(copy, at, bytes)).collect::<Vec<u8>>();
    let input = |flags: u8, changes: &[&[u8]]| [&[flags], &changes.concat()[..]].concat();
    let seeds = [
        ("as-it-is", input(0, &[])),
        ("copy-damaged", input(0, &[&put(1, 40, b"x")])),
        ("later-durable", input(MENDED, &[&all(&20u64.to_le_bytes(), 144)])),
        ("other-checkpoint", input(MENDED, &[&all(&2u64.to_le_bytes(), 152)])),
        ("no-checkpoint", input(MENDED, &[&all(&u64::MAX.to_le_bytes(), 152)])),
        ("later-epoch", input(MENDED, &[&all(&9u64.to_le_bytes(), 120)])),
        ("header-damaged", input(0, &[&put(slot(2), 300, b"x")])),
        ("payload-damaged", input(0, &[&put(slot(1), 4096, b"x")])),
        ("payload-other", input(MENDED | PAYLOADS, &[&put(slot(1), 4096, b"another")])),
        ("payload-long", input(MENDED, &[&put(slot(1), 128, &u32::MAX.to_le_bytes())])),
        (
            "checkpoint-head",
            input(MENDED | PAYLOADS, &[&put(slot(4), 4096, &[0, 0, 0, 0, 2])]),
        ),
        (
            "checkpoint-counts",
            input(MENDED | PAYLOADS, &[&put(slot(4), 4096 + 24, &[4, 0, 0, 0, 0xff, 0xff])]),
        ),
        (
            "track-sequence",
            input(MENDED, &[&put(slot(2), 360, &u64::MAX.to_le_bytes())]),
        ),
        ("log-sequence", input(MENDED, &[&put(slot(3), 32, &35u64.to_le_bytes())])),
        ("slot-copied", input(0, &[&[COPY_SLOT, 1, 7]])),
        ("slot-lost", input(0, &[&[COPY_SLOT, 20, 2]])),
    ];
    seeds.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verified(seed: &str) -> (Value, Value) {
        let seeds = seeds();
        let input = seeds.iter().find(|(name, _)| name == seed).map(|(_, input)| input);
        let answers = read(input.expect("a seed of that name"));
        (
            answers[0]["parameters"]["archives"][0]["state"].clone(),
            answers[2]["parameters"].clone(),
        )
    }

    #[test]
    fn changes_are_seen_and_only_where_they_are() {
        let (state, untouched) = verified("as-it-is");
        assert_eq!(state, "ready");
        let good = untouched["good"].as_u64();
        assert!(good >= Some(6), "{untouched}");
        assert_eq!(untouched["damaged_count"], 0);
        let exported = &read(&[0])[4]["parameters"]["blocks"];
        assert_eq!(exported, PIECES);
        let (state, damaged) = verified("payload-damaged");
        assert_eq!((state, &damaged["damaged_count"]), ("ready".into(), &1.into()));
        assert_eq!(damaged["good"].as_u64(), good.map(|good| good - 1));
        assert_eq!(verified("copy-damaged").0, "ready");
    }
}
