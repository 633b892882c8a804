//! The payload of a system block: leases, gaps, tags, marks. Its digest is the header's, so there is no checksum here.

use blockhaul_core::format::Record;
use blockhaul_core::format::record::{RECORD_BYTES, decode_records, encode_records};

use crate::sector::differ;
use crate::{Seed, Target, golden, heap};

/// The target.
pub const TARGET: Target = Target {
    name: "record",
    what: "leases, gaps, tags and marks of system blocks",
    longest: 8 + 8 * RECORD_BYTES,
    check,
    seeds,
    words: &[],
};

fn check(payload: &[u8]) {
    // A record in memory takes a little more than its bytes, and a vector grows by doubling.
    let Ok(records) = heap::within(4, payload, || decode_records(payload)) else {
        return;
    };
    for record in &records {
        match record {
            Record::Lease { key, .. } => assert!((1..=63).contains(&key.camera.len())),
            Record::Gap { key, gap, .. } => {
                assert!((1..=63).contains(&key.camera.len()));
                assert!(gap.from < gap.to, "a gap of nothing was accepted");
            }
            Record::Tag { key, from, to, name, .. } => {
                assert!((1..=63).contains(&key.camera.len()) && (1..=63).contains(&name.len()));
                assert!(from < to, "a tag on nothing was accepted");
            }
            Record::Mark(mark) => assert!((1..=63).contains(&mark.name.len())),
            Record::Point { key, .. } => assert!((1..=63).contains(&key.camera.len())),
            Record::Unmark(_) | Record::Scrub(_) => {}
        }
    }
    let mut again = vec![0xff; payload.len()];
    let length = encode_records(records.iter(), &mut again);
    assert_eq!(length as usize, payload.len());
    assert_eq!(
        differ(payload, &again),
        None,
        "records are encoded in another way than they were decoded"
    );
}

fn seeds() -> Vec<Seed> {
    let golden = golden::bytes("system.txt");
    let one = |index: usize| {
        let record = &golden[8 + index * RECORD_BYTES..][..RECORD_BYTES];
        [&[1, 0, 0, 0, 0, 0, 0, 0], record].concat()
    };
    vec![
        ("none".to_owned(), vec![0; 8]),
        ("lease".to_owned(), one(0)),
        ("gap".to_owned(), one(1)),
        ("tag".to_owned(), one(2)),
        ("mark".to_owned(), one(4)),
        ("point".to_owned(), one(5)),
        ("unmark".to_owned(), one(6)),
        ("scrub".to_owned(), one(7)),
        ("all".to_owned(), golden.clone()),
    ]
}
