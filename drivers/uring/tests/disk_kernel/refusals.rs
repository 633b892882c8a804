//! What cannot be done is said, with its meaning, and nothing else is disturbed by it.

use std::os::unix::net::UnixListener;

use hal::{Access, IoError, Op, Tag, VolumeId};

use crate::bench::{Bench, MIB, span};
use crate::loops::{Loop, run};

#[test]
fn places_outside_and_between_sectors() {
    let device = Loop::new(4 << 20, 4096);
    let mut bench = Bench::new(4 * MIB);
    let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
    let refused = [
        (4 << 20, span(0, 4096)),
        ((4 << 20) - 4096, span(0, 8192)),
        (u64::MAX - 4095, span(0, 4096)),
        (512, span(0, 4096)),
        (0, span(0, 512)),
        (0, span(512, 4096)),
        (0, span(0, 0)),
    ];
    for (at_bytes, place) in refused {
        assert_eq!(
            bench.read(volume, at_bytes, place),
            Err(IoError::Unsupported),
            "{at_bytes} {place:?}"
        );
        assert_eq!(
            bench.write(volume, at_bytes, place),
            Err(IoError::Unsupported),
            "{at_bytes} {place:?}"
        );
    }
    assert_eq!(bench.discard(volume, 0, 8 << 20), Err(IoError::Unsupported));
    assert_eq!(bench.discard(volume, u64::MAX - 4095, 8192), Err(IoError::Unsupported));
    assert_eq!(bench.discard(volume, 0, 0), Err(IoError::Unsupported));
    bench.read(volume, (4 << 20) - 4096, span(0, 4096)).unwrap();
}

#[test]
fn volumes_that_are_not_open() {
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new(2 * MIB);
    let (volume, _) = bench.open(&device.path, Access::ReadOnly).unwrap();
    assert_eq!(bench.write(volume, 0, span(0, 4096)), Err(IoError::ReadOnly));
    assert_eq!(bench.flush(volume), Err(IoError::ReadOnly));
    assert_eq!(bench.discard(volume, 0, 4096), Err(IoError::ReadOnly));
    bench.close(volume).unwrap();
    for closed in [volume, VolumeId(99)] {
        assert_eq!(bench.read(closed, 0, span(0, 4096)), Err(IoError::Unsupported));
        assert_eq!(bench.close(closed), Err(IoError::Unsupported));
    }
}

#[test]
fn things_that_are_no_volume() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    run("mkfifo", &[fifo.to_str().unwrap()]);
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let mut bench = Bench::new(2 * MIB);
    for path in [
        folder.path().to_str().unwrap(),
        "/dev/null",
        fifo.to_str().unwrap(),
        socket.to_str().unwrap(),
        "x",
    ] {
        for access in [Access::Exclusive, Access::ReadOnly] {
            assert_eq!(bench.open(path, access).err(), Some(IoError::Unsupported), "{path}");
        }
    }
    assert_eq!(
        bench.open("/dev/no-such-disk", Access::Exclusive).err(),
        Some(IoError::NotFound)
    );
    assert_eq!(bench.open("/dev/null/x", Access::Exclusive).err(), Some(IoError::NotFound));
}

#[test]
fn a_bad_sector_is_a_media_error() {
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new(2 * MIB);
    let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
    // What the file does not have any more, the device cannot read.
    std::fs::OpenOptions::new()
        .write(true)
        .open(&device.backing)
        .unwrap()
        .set_len(1 << 20)
        .unwrap();
    assert_eq!(bench.read(volume, 2 << 20, span(0, 4096)), Err(IoError::Media));
    bench.read(volume, 0, span(0, 4096)).unwrap();
}

#[test]
fn a_medium_that_was_taken_out_is_gone() {
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new(2 * MIB);
    let (volume, _) = bench.open(&device.path, Access::Exclusive).unwrap();
    // As a card reader without its card: the device stays, its size is nothing.
    std::fs::OpenOptions::new()
        .write(true)
        .open(&device.backing)
        .unwrap()
        .set_len(0)
        .unwrap();
    run("losetup", &["--set-capacity", device.text()]);
    assert_eq!(bench.read(volume, 0, span(0, 4096)), Err(IoError::Gone));
    assert_eq!(bench.write(volume, 0, span(0, 4096)), Err(IoError::Gone));
    bench.close(volume).unwrap();
    assert_eq!(bench.open(&device.path, Access::Exclusive).err(), Some(IoError::Gone));
}

#[test]
fn a_file_that_shrank_is_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut bench = Bench::new(2 * MIB);
    bench.create(&path, 1 << 20).unwrap();
    let (volume, _) = bench.open(&path, Access::Exclusive).unwrap();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(512 << 10)
        .unwrap();
    assert_eq!(bench.read(volume, 0, span(0, MIB)), Err(IoError::Short));
    bench.read(volume, 0, span(0, MIB / 2)).unwrap();
}

#[test]
#[should_panic(expected = "is lent")]
fn memory_is_lent_once() {
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new(2 * MIB);
    let (volume, _) = bench.open(&device.path, Access::ReadOnly).unwrap();
    bench.disks.submit(Op::Read {
        tag: Tag(100),
        volume,
        at_bytes: 0,
        into: span(0, MIB),
    });
    bench.disks.submit(Op::Read {
        tag: Tag(101),
        volume,
        at_bytes: 0,
        into: span(MIB - 4096, 8192),
    });
}
