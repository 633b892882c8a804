//! Preallocated files are made whole or not at all, and only our own are removed.

use std::os::unix::fs::MetadataExt;

use hal::{Access, IoError};

use crate::bench::{Bench, MIB};
use crate::loops::Mounted;

#[test]
fn made_once_with_its_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume");
    let mut bench = Bench::new(2 * MIB);
    bench.create(&path, 5 << 20).unwrap();
    let made = std::fs::metadata(&path).unwrap();
    assert_eq!((made.len(), made.mode() & 0o777), (5 << 20, 0o600));
    assert!(made.blocks() * 512 >= 5 << 20, "the blocks are allocated");
    assert_eq!(bench.create(&path, 5 << 20), Err(IoError::Exists));
    assert_eq!(std::fs::metadata(&path).unwrap().ino(), made.ino());
}

#[test]
fn nothing_is_left_when_there_is_no_room() {
    let mounted = Mounted::ext4(16 << 20);
    let path = mounted.place.path().join("volume");
    let mut bench = Bench::new(2 * MIB);
    assert_eq!(bench.create(&path, 64 << 20), Err(IoError::Full));
    assert!(!path.exists());
    bench.create(&path, 4 << 20).unwrap();
    bench.remove(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn only_what_we_made_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
    std::fs::write(&theirs, "recordings").unwrap();
    let mut bench = Bench::new(2 * MIB);
    assert_eq!(bench.remove(&theirs), Err(IoError::Refused));
    assert!(theirs.exists());
    assert_eq!(bench.remove(folder.path().join("nothing")), Err(IoError::NotFound));
    bench.create(&ours, 1 << 20).unwrap();
    // Another file took its place meanwhile.
    std::fs::rename(&theirs, &ours).unwrap();
    assert_eq!(bench.remove(&ours), Err(IoError::Refused));
    assert_eq!(std::fs::read(&ours).unwrap(), b"recordings");
}

#[test]
fn paths_and_sizes_that_make_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(2 * MIB);
    assert_eq!(
        bench.create(folder.path().join("missing/volume"), 1 << 20),
        Err(IoError::NotFound)
    );
    assert_eq!(bench.create("volume", 1 << 20), Err(IoError::Unsupported));
    assert_eq!(bench.create("/", 1 << 20), Err(IoError::Unsupported));
    assert_eq!(bench.create(folder.path().join("empty"), 0), Err(IoError::Unsupported));
    assert!(!folder.path().join("empty").exists());
    assert_eq!(bench.create(folder.path().join("huge"), u64::MAX), Err(IoError::Unsupported));
    assert!(!folder.path().join("huge").exists());
    assert_eq!(
        bench.open(folder.path().join("huge"), Access::Exclusive).err(),
        Some(IoError::NotFound)
    );
}
