//! Much in flight: nothing is lost, a close comes last, and the end waits.

use std::rc::Rc;

use hal::{Access, Event, Memory, Op, Tag};

use crate::bench::{Bench, MIB, span};
use crate::loops::Loop;

#[test]
fn more_than_the_ring_takes() {
    let device = Loop::new(16 << 20, 512);
    let mut bench = Bench::new(8 * MIB);
    let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
    let pages = 1000;
    for page in 0..pages {
        bench.fill(span(page * 4096, 4096), u64::from(page) + 1);
        let from = span(page * 4096, 4096);
        bench.disks.submit(Op::Write {
            tag: Tag(u64::from(page)),
            volume,
            at_bytes: u64::from(page) * 8192,
            from,
        });
    }
    assert_eq!(bench.disks.in_flight(), pages as usize);
    let mut done: Vec<u64> = (0..pages)
        .map(|_| match bench.next() {
            Event::Done { tag, result: Ok(()) } => tag.0,
            event => panic!("another event: {event:?}"),
        })
        .collect();
    done.sort_unstable();
    assert!(done.into_iter().eq(0..u64::from(pages)));
    for page in 0..pages {
        bench.read(volume, u64::from(page) * 8192, span(4 * MIB, 4096)).unwrap();
        assert!(
            bench.memory.bytes(span(page * 4096, 4096)) == bench.memory.bytes(span(4 * MIB, 4096)),
            "page {page}"
        );
    }
}

#[test]
fn a_close_comes_after_everything() {
    let device = Loop::new(64 << 20, 512);
    let mut bench = Bench::new(64 * MIB);
    let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
    for part in 0..64 {
        let into = span(part * MIB, MIB);
        bench.disks.submit(Op::Read {
            tag: Tag(1000 + u64::from(part)),
            volume,
            at_bytes: into.offset_bytes.into(),
            into,
        });
    }
    bench.disks.submit(Op::Flush { tag: Tag(1064), volume });
    bench.disks.submit(Op::Close { tag: Tag(1065), volume });
    bench.disks.submit(Op::Read {
        tag: Tag(1066),
        volume,
        at_bytes: 0,
        into: span(0, 4096),
    });
    let mut order = Vec::new();
    for _ in 0..67 {
        match bench.next() {
            Event::Done { tag: Tag(1066), result } => assert_eq!(result, Err(hal::IoError::Unsupported)),
            Event::Done { tag, result } => {
                assert_eq!(result, Ok(()));
                order.push(tag.0);
            }
            event => panic!("another event: {event:?}"),
        }
    }
    assert_eq!((order.len(), order.last()), (66, Some(&1065)));
    bench
        .open(&device.path, Access::Exclusive)
        .expect("nothing holds the device any more");
}

#[test]
fn a_write_after_a_discard_stays() {
    let device = Loop::new(16 << 20, 4096);
    let mut bench = Bench::new(8 * MIB);
    let (volume, facts) = bench.open(&device.path, Access::Exclusive).unwrap();
    assert!(facts.discard_bytes > 0, "a loop device on this file system discards");
    bench.fill(span(0, MIB), 5);
    for round in 0..50 {
        let discard = Op::Discard {
            tag: Tag(1),
            volume,
            at_bytes: 0,
            length_bytes: 8 << 20,
        };
        let write = Op::Write {
            tag: Tag(2),
            volume,
            at_bytes: 2 << 20,
            from: span(0, MIB),
        };
        let before = Op::Write {
            tag: Tag(0),
            volume,
            at_bytes: 4 << 20,
            from: span(4 * MIB, MIB),
        };
        for op in [before, discard, write] {
            bench.disks.submit(op);
        }
        for _ in 0..3 {
            assert!(matches!(bench.next(), Event::Done { result: Ok(()), .. }));
        }
        bench.read(volume, 2 << 20, span(MIB, MIB)).unwrap();
        assert!(
            bench.memory.bytes(span(0, MIB)) == bench.memory.bytes(span(MIB, MIB)),
            "round {round}"
        );
        bench.read(volume, 4 << 20, span(MIB, MIB)).unwrap();
        assert!(
            bench.memory.bytes(span(MIB, MIB)).iter().all(|byte| *byte == 0),
            "round {round}"
        );
    }
}

#[test]
fn the_end_waits_for_the_kernel() {
    let device = Loop::new(64 << 20, 512);
    let Bench {
        mut disks,
        arena,
        memory,
        ..
    } = {
        let mut bench = Bench::new(64 * MIB);
        let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
        for part in 0..64 {
            let from = span(part * MIB, MIB);
            let at_bytes = from.offset_bytes.into();
            bench.disks.submit(Op::Write {
                tag: Tag(u64::from(part) + 100),
                volume,
                at_bytes,
                from,
            });
        }
        bench
    };
    disks.flush_submissions();
    drop(disks);
    assert_eq!(Rc::strong_count(&arena), 2, "nothing is lent and nothing was leaked");
    memory.bytes(span(0, 64 * MIB));
    // The device is free again.
    let mut bench = Bench::new(2 * MIB);
    bench.open(&device.path, Access::Exclusive).unwrap();
}

#[test]
fn opens_and_closes_again_and_again() {
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new(2 * MIB);
    // More often than there are slots.
    for _ in 0..300 {
        let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
        bench.read(volume, 0, span(0, 4096)).unwrap();
        bench.close(volume).unwrap();
    }
}
