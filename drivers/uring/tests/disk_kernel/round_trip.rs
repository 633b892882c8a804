//! What was written is read back, also through another opening.

use std::path::Path;

use hal::{Access, Memory};

use crate::bench::{Bench, MIB, span};
use crate::loops::Loop;

fn round_trip(path: &Path) {
    let mut bench = Bench::new(8 * MIB);
    let (volume, _) = bench.open(path, Access::Exclusive).unwrap();
    bench.flush(volume).unwrap();
    for (length_bytes, at_bytes) in [(MIB, 1 << 20), (MIB, 0), (64 << 10, 5 << 20), (MIB + 4096, 6 << 20)] {
        let from = span(0, length_bytes);
        let into = span(4 * MIB, length_bytes);
        bench.fill(from, at_bytes + u64::from(length_bytes));
        bench.memory.bytes_mut(into).fill(0);
        bench.write(volume, at_bytes, from).unwrap();
        bench.flush(volume).unwrap();
        bench.read(volume, at_bytes, into).unwrap();
        assert!(
            bench.memory.bytes(from) == bench.memory.bytes(into),
            "{length_bytes} bytes at {at_bytes}"
        );
    }
    bench.close(volume).unwrap();

    let (again, _) = bench.open(path, Access::ReadOnly).unwrap();
    bench.read(again, 6 << 20, span(2 * MIB, MIB + 4096)).unwrap();
    assert!(bench.memory.bytes(span(0, MIB + 4096)) == bench.memory.bytes(span(2 * MIB, MIB + 4096)));
    bench.close(again).unwrap();
    assert_eq!(bench.disks.in_flight(), 0);
}

#[test]
fn sectors_of_512() {
    round_trip(&Loop::new(16 << 20, 512).path);
}

#[test]
fn sectors_of_4096() {
    round_trip(&Loop::new(16 << 20, 4096).path);
}

#[test]
fn a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut bench = Bench::new(2 * MIB);
    bench.create(&path, 16 << 20).unwrap();
    round_trip(&path);
}

#[test]
fn a_span_across_registered_pieces() {
    // The kernel registers a gibibyte at most in one piece.
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new((1 << 30) + 2 * MIB);
    let across = span((1 << 30) - (64 << 10), 128 << 10);
    bench.fill(across, 7);
    let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
    bench.write(volume, 4096, across).unwrap();
    bench.read(volume, 4096, span(0, 128 << 10)).unwrap();
    assert!(bench.memory.bytes(across) == bench.memory.bytes(span(0, 128 << 10)));
    bench.memory.bytes_mut(across).fill(0);
    bench.read(volume, 4096, across).unwrap();
    assert!(bench.memory.bytes(across) == bench.memory.bytes(span(0, 128 << 10)));
}
