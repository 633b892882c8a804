//! What every kind of file system holds comes out as it went in.

use std::path::Path;

use drivers_cards::Card;
use hal::{CardForm, IoError};

use crate::image::{Image, content, copy_in, delete, fat, file, make_folder, paths, read, run};

const LONG: &str = "Räume – Eingang 2026-11-21 22.46.28 (ünïcode, and a name that takes many pieces of thirteen).mp4";

/// A tree with a short name, a long one, an empty file, a deleted one and one in fragments.
fn fill_fat(folder: &Path, image: &Path) -> Vec<(String, Vec<u8>)> {
    make_folder(image, "DCIM");
    make_folder(image, "DCIM/100MEDIA");
    let mut files = Vec::new();
    let mut put = |name: &str, bytes: Vec<u8>| {
        let from = file(folder, "one", &bytes);
        copy_in(image, &from, name);
        files.push((name.to_owned(), bytes));
    };
    put("DCIM/100MEDIA/CLIP0001.MP4", content(1, 300_000));
    put(&format!("DCIM/100MEDIA/{LONG}"), content(2, 70_001));
    put("DCIM/EMPTY.TXT", Vec::new());
    // Every second one is deleted, so that the next large one lies in pieces.
    for number in 0..20 {
        put(&format!("DCIM/S{number:02}.TS"), content(100 + number, 9_000));
    }
    for number in (0..20).step_by(2) {
        delete(image, &format!("DCIM/S{number:02}.TS"));
    }
    put("DCIM/pieces.mp4", content(3, 200_000));
    files.retain(|(name, _)| !(name.starts_with("DCIM/S") && name.as_bytes()[7] % 2 == 0));
    files
}

fn compare(card: &mut dyn Card, files: &[(String, Vec<u8>)]) {
    let listing = card.list().unwrap();
    assert_eq!((listing.damaged, listing.more), (0, false), "{:?}", listing.damage);
    let mut names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(paths(&listing), names);
    for (name, bytes) in files {
        let listed = listing.files.iter().find(|file| file.path == *name).unwrap();
        assert_eq!(listed.size_bytes, bytes.len() as u64, "{name}");
        assert!(listed.modified_ns.unwrap() > 1_700_000_000_000_000_000, "{name}");
        assert!(read(card, name).unwrap() == *bytes, "{name} has other bytes");
        let again = card.look(name).unwrap();
        assert_eq!((&again.file, again.place), (listed, card.look(name).unwrap().place));
    }
    assert_eq!(card.look("DCIM/none.mp4").unwrap_err(), IoError::NotFound);
    assert_eq!(card.look("DCIM").unwrap_err(), IoError::NotFound);
    assert_eq!(card.look("").unwrap_err(), IoError::NotFound);
}

#[test]
fn fat_of_every_width() {
    for (bits, size, per_cluster, form) in [
        ("12", 4 << 20, "4", CardForm::Fat12),
        ("16", 24 << 20, "4", CardForm::Fat16),
        ("32", 40 << 20, "1", CardForm::Fat32),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let image = fat(folder.path(), bits, size, per_cluster);
        let files = fill_fat(folder.path(), &image);
        let mut card = Image::of(&image).open();
        let facts = card.facts().clone();
        assert_eq!((facts.form, facts.volume_id.as_str()), (form, "1234-5678"));
        assert_eq!((facts.label.as_str(), facts.dirty), ("CAMERA", false));
        compare(card.as_mut(), &files);
    }
}

#[test]
fn formatting_anew_makes_another_card_and_a_copy_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let image = fat(folder.path(), "32", 40 << 20, "1");
    let first = Image::of(&image).open().facts().identity;
    assert_eq!(first, Image::of(&image).open().facts().identity);
    run(
        "mkfs.fat",
        &["-F", "32", "-s", "1", "-i", "12345679", image.to_str().unwrap()],
    );
    assert_ne!(first, Image::of(&image).open().facts().identity);
}

#[test]
fn ext4_with_its_journal() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    let mut files = Vec::new();
    for (name, bytes) in [
        (format!("axis/20261121/22/{LONG}"), content(5, 3_000_000)),
        ("axis/empty".to_owned(), Vec::new()),
        ("DCIM/none".to_owned(), content(6, 4097)),
    ] {
        file(&tree, &name, &bytes);
        files.push((name, bytes));
    }
    std::os::unix::fs::symlink("/etc/passwd", tree.join("link")).unwrap();
    for kind in ["ext2", "ext3", "ext4"] {
        let image = folder.path().join(kind);
        let arguments = [
            "-q",
            "-t",
            kind,
            "-L",
            "CAMERA",
            "-d",
            tree.to_str().unwrap(),
            image.to_str().unwrap(),
            "24M",
        ];
        run("mke2fs", &arguments);
        let mut card = Image::of(&image).open();
        assert_eq!((card.facts().form, card.facts().label.as_str()), (CardForm::Ext4, "CAMERA"));
        let listing = card.list().unwrap();
        assert_eq!(listing.damaged, 0, "{:?}", listing.damage);
        for (name, bytes) in &files {
            assert!(paths(&listing).contains(&name.as_str()));
            assert!(read(card.as_mut(), name).unwrap() == *bytes, "{name} has other bytes");
        }
        assert_eq!(listing.files.len(), files.len());
        assert_eq!(card.look("link").unwrap_err(), IoError::NotFound);
    }
}

#[test]
fn a_folder_that_is_mounted_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    file(folder.path(), "secret", b"not on the card");
    let bytes = content(9, 123_456);
    file(&tree, "records/20261121/22/00-01.mp4", &bytes);
    std::os::unix::fs::symlink(folder.path(), tree.join("out")).unwrap();
    let mut card = drivers_cards::open_folder(&tree).unwrap();
    assert_eq!((card.facts().form, card.facts().identity), (CardForm::Folder, None));
    assert_eq!(paths(&card.list().unwrap()), ["records/20261121/22/00-01.mp4"]);
    assert!(read(card.as_mut(), "records/20261121/22/00-01.mp4").unwrap() == bytes);
    for outside in ["../secret", "out/secret", "records/../../secret", "/etc/passwd"] {
        assert_eq!(card.look(outside).unwrap_err(), IoError::NotFound, "{outside}");
    }
    let before = card.look("records/20261121/22/00-01.mp4").unwrap().place;
    file(&tree, "records/20261121/22/00-01.mp4", &content(10, 123_456));
    assert_ne!(before, card.look("records/20261121/22/00-01.mp4").unwrap().place);
    assert!(drivers_cards::open_folder(&folder.path().join("nowhere")).is_err());
}

#[test]
fn what_is_no_file_system() {
    let folder = tempfile::tempdir().unwrap();
    let open = |bytes: Vec<u8>| {
        let path = file(folder.path(), "bytes", &bytes);
        drivers_cards::open(Box::new(Image::of(&path))).map(|_| ()).unwrap_err()
    };
    assert_eq!(open(vec![0; 1 << 20]), IoError::Unsupported);
    assert_eq!(open(content(1, 1 << 20)), IoError::Unsupported);
    assert_eq!(open(vec![0; 100]), IoError::Unsupported);
}

/// A card with a partition table of that kind, and the images in its partitions.
fn partitioned(folder: &Path, table: &str, images: &[&Path]) -> Vec<u8> {
    const UNIT: usize = 1 << 20;
    let path = folder.join("whole.img");
    let parts: Vec<Vec<u8>> = images.iter().map(|image| std::fs::read(image).unwrap()).collect();
    let size: usize = parts.iter().map(|part| part.len().next_multiple_of(UNIT)).sum();
    std::fs::write(&path, vec![0; size + 2 * UNIT]).unwrap();
    let (mut lines, mut at, mut places) = (format!("label: {table}\n"), UNIT, Vec::new());
    for part in &parts {
        let kind = if table == "gpt" {
            "EBD0A0A2-B9E5-4433-87C0-68B6B72699C7"
        } else {
            "c"
        };
        lines += &format!("start={}, size={}, type={kind}\n", at / 512, part.len() / 512);
        places.push(at);
        at += part.len().next_multiple_of(UNIT);
    }
    let script = file(folder, "script", lines.as_bytes());
    run("sh", &["-c", &format!("sfdisk -q {} < {}", path.display(), script.display())]);
    let mut whole = std::fs::read(&path).unwrap();
    for (at, part) in places.into_iter().zip(parts) {
        whole[at..at + part.len()].copy_from_slice(&part);
    }
    whole
}

#[test]
fn the_file_system_of_a_partition_is_the_card() {
    let folder = tempfile::tempdir().unwrap();
    let image = fat(folder.path(), "32", 40 << 20, "1");
    let files = fill_fat(folder.path(), &image);
    let alone = Image::of(&image).open().facts().clone();
    // One that says how a camera starts, and nothing of what it recorded.
    let boot = fat(folder.path(), "12", 4 << 20, "4");
    for table in ["dos", "gpt"] {
        for images in [&[image.as_path()][..], &[&boot, &image]] {
            let whole = partitioned(folder.path(), table, images);
            let whole = Image(std::sync::Arc::new(std::sync::Mutex::new(whole)));
            let mut card = whole.open();
            assert_eq!(*card.facts(), alone, "{table}: the same identity, wherever it lies");
            compare(card.as_mut(), &files);
            let bare = drivers_cards::open_whole(Box::new(whole.clone()));
            assert_eq!(bare.err(), Some(IoError::Unsupported));
        }
    }
    // exFAT and ext4 say where they are by themselves, and are believed where they lie.
    let ext = folder.path().join("ext.img");
    let tree = folder.path().join("tree");
    let bytes = content(7, 100_000);
    file(&tree, "a.mkv", &bytes);
    run(
        "mke2fs",
        &["-q", "-t", "ext4", "-d", tree.to_str().unwrap(), ext.to_str().unwrap(), "8M"],
    );
    let exfat = folder.path().join("exfat.img");
    std::fs::File::create(&exfat).unwrap().set_len(8 << 20).unwrap();
    run("mkfs.exfat", &[exfat.to_str().unwrap()]);
    for (image, form) in [(&ext, CardForm::Ext4), (&exfat, CardForm::Exfat)] {
        for table in ["dos", "gpt"] {
            let whole = partitioned(folder.path(), table, &[image]);
            let mut card = Image(std::sync::Arc::new(std::sync::Mutex::new(whole))).open();
            assert_eq!(card.facts().form, form);
            assert_eq!(card.facts().identity, Image::of(image).open().facts().identity);
            if form == CardForm::Ext4 {
                assert!(read(card.as_mut(), "a.mkv").unwrap() == bytes);
            }
        }
    }
}
