//! A card that somebody writes to while it is read: what a careless reader takes for a file.

use crate::image::{Image, content, copy_in, delete, fat, file, read};

#[test]
fn clusters_that_were_deleted_and_used_again_are_noticed_by_the_second_look() {
    let folder = tempfile::tempdir().unwrap();
    let image = fat(folder.path(), "32", 48 << 20, "1");
    let old = content(1, 9_000_000);
    copy_in(&image, &file(folder.path(), "old", &old), "OLD.MP4");
    let live = Image::of(&image);
    let mut card = live.open();
    let before = card.look("OLD.MP4").unwrap();
    let mut bytes = vec![0; old.len()];
    card.read(0, &mut bytes[..1_000_000]).unwrap();
    // The camera deletes it and records over it.
    delete(&image, "OLD.MP4");
    copy_in(&image, &file(folder.path(), "new", &content(2, 44_000_000)), "NEW.MP4");
    live.replace(&image);
    card.read(1_000_000, &mut bytes[1_000_000..]).unwrap();
    assert!(bytes != old, "the read itself knows nothing of it");
    assert_eq!(card.look("OLD.MP4").unwrap_err(), hal::IoError::NotFound);
    // The same under the same name. FAT counts in steps of two seconds, and within one nobody could tell.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let second = fat(folder.path(), "32", 48 << 20, "1");
    copy_in(&second, &file(folder.path(), "new", &content(3, 9_000_000)), "OLD.MP4");
    live.replace(&second);
    assert_ne!(before.place, card.look("OLD.MP4").unwrap().place);
    assert!(read(card.as_mut(), "OLD.MP4").unwrap() == content(3, 9_000_000));
}

#[test]
fn a_file_that_grows_is_another_at_the_next_look() {
    let folder = tempfile::tempdir().unwrap();
    let image = fat(folder.path(), "16", 24 << 20, "4");
    copy_in(&image, &file(folder.path(), "one", &content(1, 5000)), "A.TS");
    let live = Image::of(&image);
    let mut card = live.open();
    let before = card.look("A.TS").unwrap();
    copy_in(&image, &file(folder.path(), "one", &content(1, 50_000)), "A.TS");
    live.replace(&image);
    let after = card.look("A.TS").unwrap();
    assert_ne!((before.place, before.file.size_bytes), (after.place, after.file.size_bytes));
}
