//! Nobody else holds what we hold, and what somebody else holds is refused.

use hal::{Access, IoError};

use crate::bench::{Bench, MIB, span};
use crate::loops::{Loop, Mounted};

#[test]
fn a_device_is_open_once() {
    let device = Loop::new(4 << 20, 512);
    let mut first = Bench::new(2 * MIB);
    let mut second = Bench::new(2 * MIB);
    let (volume, _) = first.open(&device.path, Access::Exclusive).unwrap();
    assert_eq!(first.open(&device.path, Access::Exclusive).err(), Some(IoError::Busy));
    assert_eq!(second.open(&device.path, Access::Exclusive).err(), Some(IoError::Busy));
    let (looked_at, _) = second.open(&device.path, Access::ReadOnly).unwrap();
    second.close(looked_at).unwrap();
    first.close(volume).unwrap();
    second.open(&device.path, Access::Exclusive).unwrap();
}

#[test]
fn a_file_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut first = Bench::new(2 * MIB);
    let mut second = Bench::new(2 * MIB);
    first.create(&path, 1 << 20).unwrap();
    let (volume, _) = first.open(&path, Access::Exclusive).unwrap();
    assert_eq!(first.open(&path, Access::Exclusive).err(), Some(IoError::Busy));
    assert_eq!(second.open(&path, Access::Exclusive).err(), Some(IoError::Busy));
    first.close(volume).unwrap();
    second.open(&path, Access::Exclusive).unwrap();
    // The end of the other's disks lets go, too.
    drop(second);
    first.open(&path, Access::Exclusive).unwrap();
}

#[test]
fn what_is_held_to_be_read_is_nobodys_to_write() {
    let device = Loop::with(4 << 20, 512, &["--read-only"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("volume");
    let mut reader = Bench::new(2 * MIB);
    let mut writer = Bench::new(2 * MIB);
    writer.create(&file, 1 << 20).unwrap();
    for path in [&device.path, &file] {
        let (volume, _) = reader.open(path, Access::ExclusiveToRead).unwrap();
        assert_eq!(reader.write(volume, 0, span(0, 4096)), Err(IoError::ReadOnly));
        assert_eq!(reader.discard(volume, 0, 4096), Err(IoError::ReadOnly));
        reader.read(volume, 0, span(0, 4096)).unwrap();
        reader.flush(volume).unwrap();
        let refused = writer.open(path, Access::Exclusive).err();
        assert!(matches!(refused, Some(IoError::Busy | IoError::ReadOnly)), "{refused:?}");
        reader.close(volume).unwrap();
    }
    let (volume, _) = writer.open(&file, Access::Exclusive).unwrap();
    assert_eq!(reader.open(&file, Access::ExclusiveToRead).err(), Some(IoError::Busy));
    writer.close(volume).unwrap();
}

#[test]
fn what_is_mounted_is_refused() {
    let mounted = Mounted::ext4(16 << 20);
    let mut bench = Bench::new(2 * MIB);
    for access in [Access::Exclusive, Access::ExclusiveToRead] {
        assert_eq!(bench.open(&mounted.device.path, access).err(), Some(IoError::Busy));
    }
}

#[test]
fn what_is_write_protected_is_refused() {
    let device = Loop::with(4 << 20, 512, &["--read-only"]);
    let mut bench = Bench::new(2 * MIB);
    assert_eq!(bench.open(&device.path, Access::Exclusive).err(), Some(IoError::ReadOnly));
    bench.open(&device.path, Access::ReadOnly).unwrap();
}
