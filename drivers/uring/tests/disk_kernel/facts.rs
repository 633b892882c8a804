//! What is found at opening and listing is what the device is.

use std::os::unix::fs::symlink;

use drivers_uring::disk::list_disks;
use hal::{Access, DeviceFacts, Event, FlushClass, Op, VolumeForm};

use crate::bench::{Bench, MIB};
use crate::loops::{Loop, Mounted, run};

fn listed(path: &str) -> Option<DeviceFacts> {
    list_disks().into_iter().find(|device| device.path == path)
}

#[test]
fn a_device() {
    for sector_bytes in [512, 4096] {
        let device = Loop::new(4 << 20, sector_bytes);
        let mut bench = Bench::new(2 * MIB);
        let (volume, facts) = bench.open(&device.path, Access::Exclusive).unwrap();
        assert_eq!(
            (facts.form, facts.size_bytes, facts.serial.as_str()),
            (VolumeForm::Disk, 4 << 20, "")
        );
        assert_eq!(facts.logical_sector_bytes, sector_bytes);
        assert!(facts.physical_sector_bytes >= sector_bytes);
        assert!(
            facts.alignment_bytes >= sector_bytes && facts.alignment_bytes <= 4096,
            "{facts:?}"
        );
        assert_ne!(facts.flush, FlushClass::Unknown);
        bench.close(volume).unwrap();

        let listed = listed(device.text()).expect("the device is in the list");
        assert_eq!(
            (listed.form, listed.size_bytes, listed.logical_sector_bytes),
            (VolumeForm::Disk, 4 << 20, sector_bytes)
        );
        assert_eq!((listed.flush, listed.discard_bytes), (facts.flush, facts.discard_bytes));
        assert_eq!(listed.model, format!("loop file {}", device.backing.display()));
        assert_eq!(listed.held_by, "");
    }
}

#[test]
fn a_name_is_no_identity() {
    let device = Loop::new(4 << 20, 512);
    let other = Loop::new(4 << 20, 512);
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("by-id");
    symlink(&device.path, &link).unwrap();
    let mut bench = Bench::new(2 * MIB);
    let (_, by_name) = bench.open(&device.path, Access::ReadOnly).unwrap();
    let (_, by_link) = bench.open(&link, Access::ReadOnly).unwrap();
    let (_, another) = bench.open(&other.path, Access::ReadOnly).unwrap();
    assert_eq!(by_name.same_as, by_link.same_as);
    assert_ne!(by_name.same_as, another.same_as);
}

#[test]
fn a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, other) = (folder.path().join("volume"), folder.path().join("other"));
    let mut bench = Bench::new(2 * MIB);
    bench.create(&path, 3 << 20).unwrap();
    bench.create(&other, 3 << 20).unwrap();
    std::fs::hard_link(&path, folder.path().join("alias")).unwrap();
    let (_, facts) = bench.open(&path, Access::ReadOnly).unwrap();
    assert_eq!(
        (facts.form, facts.size_bytes, facts.serial.as_str()),
        (VolumeForm::File, 3 << 20, "")
    );
    assert_eq!((facts.discard_bytes, facts.fua), (0, false));
    assert!(facts.alignment_bytes >= 512 && facts.alignment_bytes <= 4096);
    let (_, alias) = bench.open(folder.path().join("alias"), Access::ReadOnly).unwrap();
    let (_, another) = bench.open(&other, Access::ReadOnly).unwrap();
    assert_eq!(facts.same_as, alias.same_as);
    assert_ne!(facts.same_as, another.same_as);
    assert!(facts.same_as >> 63 == 1);
}

#[test]
fn a_partition() {
    let device = Loop::with(8 << 20, 512, &["--partscan"]);
    run("addpart", &[device.text(), "1", "2048", "4096"]);
    let path = format!("{}p1", device.text());
    let mut bench = Bench::new(2 * MIB);
    let (volume, facts) = bench.open(&path, Access::Exclusive).unwrap();
    assert_eq!((facts.form, facts.size_bytes), (VolumeForm::Partition, 2 << 20));
    // The disk below is held with it.
    assert_eq!(bench.open(&device.path, Access::Exclusive).err(), Some(hal::IoError::Busy));
    assert_eq!(
        listed(&path).map(|part| (part.form, part.size_bytes)),
        Some((VolumeForm::Partition, 2 << 20))
    );
    bench.close(volume).unwrap();
}

#[test]
fn who_holds_a_device_is_named() {
    let mounted = Mounted::ext4(16 << 20);
    let held_by = listed(mounted.device.text()).expect("the device is in the list").held_by;
    assert_eq!(held_by, format!("mounted at {}", mounted.place.path().display()));
}

#[test]
fn the_list_comes_as_an_event() {
    let device = Loop::new(4 << 20, 512);
    let mut bench = Bench::new(2 * MIB);
    let asked = bench.tag();
    bench.disks.submit(Op::ListDevices { tag: asked });
    let Event::Devices { tag, disks, nics } = bench.next() else {
        panic!("another event")
    };
    assert_eq!((tag, nics.len()), (asked, 0));
    assert!(disks.iter().any(|disk| disk.path == device.text()));
}
