//! Single structures with fixed values, every field another one: encoded by the product, byte for byte as in the golden files.

use blockhaul_core::Kind;
use blockhaul_core::control::types::{GapReason, Mode};
use blockhaul_core::format::checkpoint::{Fills, NO_TRACK, PART_HEAD_BYTES, PartHead};
use blockhaul_core::format::header::{self, Epoch, FromFile};
use blockhaul_core::format::notes::{MarkHead, MarkPoint, TagRange};
use blockhaul_core::format::record::{GapRange, decode_records, encode_records};
use blockhaul_core::format::{
    BlockKind, Checkpoint, Entry, Lease, Notes, Origin, Placement, Record, SECTOR_BYTES, ScrubState, Superblock, Tip, TrackKey,
};
use blockhaul_core::recorder::container::Container;
use hal::{ClockQuality, Digest, Fingerprint, Uuid};

use crate::{NEW_VERSION, dump};

const SECTOR: usize = SECTOR_BYTES as usize;
/// Payload room of the smallest block.
const PAYLOAD_BYTES: usize = (64 << 10) - SECTOR;

/// Number of the superblock copy.
pub const COPY: usize = 2;
/// Log sequence of the checkpoint.
pub const CHECKPOINT_SEQUENCE: u64 = 0x1008;
/// Init data of the block.
pub const INIT: &[u8] = b"what a decoder needs first";

/// Files and what they must hold.
pub fn all() -> [(&'static str, Vec<u8>); 4] {
    [
        ("superblock.txt", superblock_sector()),
        ("header.txt", header_sector()),
        ("system.txt", system_payload()),
        ("checkpoint.txt", checkpoint_payload()),
    ]
}

/// Bytes that count up from `first`.
fn counting<const N: usize>(first: u8) -> [u8; N] {
    std::array::from_fn(|place| first.wrapping_add(u8::try_from(place).unwrap()))
}

/// A superblock.
pub fn superblock() -> Superblock {
    let epoch = |counter| Epoch {
        counter,
        nonce: 0x0102_0304_0506_0700 + counter,
    };
    Superblock {
        archive: Uuid(counting(0x10)),
        label: "yard-7".parse().unwrap(),
        mode: Mode::Ring,
        generation: 0x0708,
        parent: Digest(counting(0x20)),
        block_bytes: 1 << 20,
        logical_sector_bytes: 512,
        volume_bytes: (100 << 20) + 0x1200,
        slots_at_bytes: 4 << 20,
        slots: 88,
        segment_blocks: 8,
        made_utc_ns: 1_763_700_000_000_000_001,
        epoch: epoch(3),
        epoch_start: 0x0201,
        durable_sequence: 0x0302,
        checkpoint_sequence: 0x0300,
        freed_sequence: 0x0100,
        released_sequence: 0x0202,
        guard_set: 0x1112_1314_1516_1718,
        closed: true,
        history: vec![(epoch(2), 0x0101), (epoch(3), 0x0201)],
    }
}

fn superblock_sector() -> Vec<u8> {
    let mut sector = vec![0xff; SECTOR];
    superblock().encode(COPY, &mut sector);
    sector
}

/// A track.
pub fn track() -> TrackKey {
    TrackKey {
        origin: Uuid(counting(0x40)),
        camera: "gate-2".parse().unwrap(),
        kind: Kind::Metadata,
    }
}

/// The two parts of a header.
pub fn header_parts() -> (Placement, Origin) {
    let origin = Origin {
        key: track(),
        epoch: Epoch {
            counter: 0x1112,
            nonce: 0x1122_3344_5566_7788,
        },
        track_sequence: 0x2122,
        container: Container::Fmp4,
        clock: ClockQuality::Free,
        key_frame: true,
        sealed_early: false,
        discontinuity: true,
        payload_bytes: 0x3132,
        begin_utc_ns: 1_763_700_000_000_000_002,
        end_utc_ns: 1_763_700_001_000_000_003,
        begin_boot_ns: 0x4142,
        payload_digest: Digest(counting(0x50)),
        previous_origin: Digest(counting(0x70)),
        file: Some(FromFile {
            path: 0xf1f2_f3f4,
            begin_ns: 0xf5f6_f7f8,
            size_bytes: 0x7fff_ffff,
            at_bytes: 0xfafb,
        }),
    };
    let placement = Placement {
        kind: BlockKind::Data,
        archive: Uuid(counting(0x90)),
        log_sequence: 0x5152,
        slot: 0x6162,
        epoch: Epoch {
            counter: 0x7172,
            nonce: 0x8877_6655_4433_2211,
        },
        epoch_start: 0x5101,
        durable_sequence: 0x5131,
        previous_header: Digest(counting(0xa0)),
        lease: Lease {
            counter: 0x8182,
            nonce: 0x9192_9394_9596_9798,
        },
        fill: true,
        payload_bytes: 0x3132,
        payload_crc: 0xdead_beef,
    };
    (placement, origin)
}

fn header_sector() -> Vec<u8> {
    let (placement, origin) = header_parts();
    let mut sector = vec![0xff; SECTOR];
    header::encode_origin(&mut sector, &origin, INIT);
    header::encode_placement(&mut sector, &placement);
    sector
}

/// A mark, without its points.
pub fn mark() -> MarkHead {
    MarkHead {
        mark: Uuid(counting(0xa1)),
        name: "before-the-update".parse().unwrap(),
        made_in: Uuid(counting(0xb1)),
        utc_ns: 1_763_700_004_000_000_006,
        points: 0x1819,
    }
}

/// How far a scrub has come.
pub fn scrub() -> ScrubState {
    ScrubState {
        position: 0x2a2b,
        began_utc_ns: 1_763_700_005_000_000_007,
        damaged: 0x2c2d,
        ended_utc_ns: 1_763_700_006_000_000_008,
        ended_at: 0x2e2f,
        ended_blocks: 0x3a3b,
        ended_damaged: 0x3c3d,
    }
}

/// One of each kind.
pub fn records() -> [Record; 8] {
    let lease = Lease {
        counter: 0x0a0b,
        nonce: 0x0c0d_0e0f_1011_1213,
    };
    let gap = GapRange {
        from: 0x1415,
        to: 0x1617,
        reason: GapReason::Filtered,
    };
    [
        Record::Lease {
            key: track(),
            lease,
            holder: Fingerprint(counting(0xb0)),
        },
        Record::Gap {
            key: track(),
            gap,
            hash_after: Digest(counting(0xc0)),
        },
        tag(true),
        tag(false),
        Record::Mark(mark()),
        Record::Point {
            mark: mark().mark,
            key: track(),
            next: 0x1a1b,
            hash: Digest(counting(0xc1)),
        },
        Record::Unmark(mark().mark),
        Record::Scrub(scrub()),
    ]
}

fn tag(set: bool) -> Record {
    Record::Tag {
        key: track(),
        from: 0x1c1d,
        to: 0x1e1f,
        name: "n".repeat(63).parse().unwrap(),
        set,
    }
}

fn system_payload() -> Vec<u8> {
    let mut payload = vec![0xff; PAYLOAD_BYTES];
    let length = encode_records(records().iter(), &mut payload);
    payload.truncate(length as usize);
    payload
}

/// A checkpoint of one part.
pub fn checkpoint() -> Checkpoint {
    let entry = |track_sequence| Entry {
        track: 1,
        track_check: 0x2324_2526,
        track_sequence,
        fill: track_sequence == 0x4142,
        begin_utc_ns: 1_763_700_002_000_000_004,
        hash_prefix: 0x3132_3334_3536_3738,
    };
    let tip = Tip {
        key: track(),
        next: 0x4143,
        hash: Digest(counting(0xd0)),
        last_log_sequence: 0x1007,
        last_utc_ns: 1_763_700_003_000_000_005,
        lease: Lease {
            counter: 0x5152,
            nonce: 0x6162_6364_6566_6768,
        },
        holder: Fingerprint(counting(0xe0)),
    };
    let second = Tip::new(TrackKey {
        kind: Kind::Video,
        ..track()
    });
    Checkpoint {
        from_sequence: CHECKPOINT_SEQUENCE - 3,
        entries: vec![
            entry(0x4141),
            Entry {
                track: NO_TRACK,
                ..Entry::OTHER
            },
            entry(0x4142),
        ],
        tips: vec![tip, second],
        gaps: vec![(
            1,
            GapRange {
                from: 0x7172,
                to: 0x8182,
                reason: GapReason::Expired,
            },
        )],
        fills: vec![(
            1,
            Fills {
                from: 0x4142,
                to: 0x4145,
                log_from: 0x1001,
                log_to: 0x1006,
            },
        )],
        new_tracks_begin: 0x9192,
        notes: Notes {
            tag_names: vec!["motion".parse().unwrap(), "court".parse().unwrap()],
            tags: vec![TagRange {
                track: 1,
                name: 1,
                from: 0xa1a2,
                to: 0xa3a4,
                log_sequence: 0xa5a6,
            }],
            marks: vec![mark(), mark()],
            points: vec![MarkPoint {
                mark: 1,
                track: 1,
                next: 0xb1b2,
                hash: Digest(counting(0xf0)),
            }],
        },
        scrub: scrub(),
    }
}

fn checkpoint_payload() -> Vec<u8> {
    let checkpoint = checkpoint();
    let mut payload = vec![0xff; PAYLOAD_BYTES];
    let length = checkpoint.encode_part(CHECKPOINT_SEQUENCE, 0, &checkpoint.content(), &mut payload);
    payload.truncate(length as usize);
    payload
}

#[test]
fn the_product_writes_the_golden_bytes() {
    for (name, bytes) in all() {
        let golden = dump::read(name);
        let differs = (0..bytes.len().max(golden.len())).find(|at| bytes.get(*at) != golden.get(*at));
        if let Some(at) = differs {
            panic!(
                "{name}: byte {at} is written as {:?} and was {:?}. {NEW_VERSION}.",
                bytes.get(at),
                golden.get(at)
            );
        }
    }
}

#[test]
fn the_product_reads_the_golden_bytes() {
    let read = Superblock::decode(COPY, &dump::read("superblock.txt"));
    assert_eq!(read, Ok(superblock()), "superblock.txt. {NEW_VERSION}");

    let sector = dump::read("header.txt");
    let read = header::decode(&sector).unwrap_or_else(|error| panic!("header.txt: {error}. {NEW_VERSION}"));
    let (placement, origin) = header_parts();
    assert_eq!(
        (read.placement, read.origin),
        (placement, Some(origin)),
        "header.txt. {NEW_VERSION}"
    );
    assert_eq!(header::init_of(&sector), INIT, "header.txt. {NEW_VERSION}");
    // The links of log and track: as much a part of the format as the fields.
    assert_eq!(
        header::header_hash(&sector),
        Digest(*blake3::hash(&sector).as_bytes()),
        "{NEW_VERSION}"
    );
    assert_eq!(
        read.origin_hash,
        Digest(*blake3::hash(&sector[256..3584]).as_bytes()),
        "{NEW_VERSION}"
    );

    let read = decode_records(&dump::read("system.txt"));
    assert_eq!(read, Ok(records().to_vec()), "system.txt. {NEW_VERSION}");

    let payload = dump::read("checkpoint.txt");
    let head = PartHead::decode(&payload).unwrap_or_else(|error| panic!("checkpoint.txt: {error}. {NEW_VERSION}"));
    assert_eq!((head.part, head.parts, head.sequence), (0, 1, CHECKPOINT_SEQUENCE));
    let read = Checkpoint::decode(&head, &payload[PART_HEAD_BYTES..]);
    assert_eq!(read, Ok(checkpoint()), "checkpoint.txt. {NEW_VERSION}");
}
