//! Nobody else holds what we hold, and what somebody else holds is refused.

use hal::{Access, IoError};

use crate::bench::{Bench, MIB};
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
fn what_is_mounted_is_refused() {
    let mounted = Mounted::ext4(16 << 20);
    let mut bench = Bench::new(2 * MIB);
    assert_eq!(bench.open(&mounted.device.path, Access::Exclusive).err(), Some(IoError::Busy));
}

#[test]
fn what_is_write_protected_is_refused() {
    let device = Loop::with(4 << 20, 512, &["--read-only"]);
    let mut bench = Bench::new(2 * MIB);
    assert_eq!(bench.open(&device.path, Access::Exclusive).err(), Some(IoError::ReadOnly));
    bench.open(&device.path, Access::ReadOnly).unwrap();
}
