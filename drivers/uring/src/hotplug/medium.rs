//! What became of the card in a reader that stays. The kernel says only that something changed; it looks at what is there when somebody
//! opens the disk, and at its partitions only once nobody holds the old ones.
//!
//! Blocks, as opening does. Invariant: what is told as added can be opened, or could a moment ago.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// Old partitions are let go of once their card is told to be removed, unless a read of it hangs.
const LET_GO_TRIES: u32 = 20;
const LET_GO_WAIT: Duration = Duration::from_millis(250);

/// A partition: its name, and what tells it from another one of that name.
type Partition = (String, u64);

/// A reader before or after it was looked into.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reader {
    /// There is a card in it, as far as the kernel knows.
    has: bool,
    partitions: Vec<Partition>,
}

impl Reader {
    /// What the kernel believes without looking.
    fn remembered(name: &str) -> Reader {
        let folder = Path::new("/sys/class/block").join(name.replace('/', "!"));
        let size = fs::read_to_string(folder.join("size"));
        let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
        let partitions = entries.filter(|entry| entry.path().join("partition").exists());
        let named = partitions.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.metadata().ok()?.ino())));
        Reader {
            has: size.is_ok_and(|size| size.trim() != "0"),
            partitions: named.collect(),
        }
    }

    /// Has the kernel look.
    fn look(name: &str) -> Reader {
        let opened = fs::File::open(Path::new("/dev").join(name)).is_ok();
        Reader {
            has: opened,
            ..Reader::remembered(name)
        }
    }
}

/// What went: partitions that somebody holds, and the disk. Of the others the kernel tells by itself.
fn gone(name: &str, before: &Reader, now: &Reader) -> Vec<String> {
    let held = now.partitions.iter().filter(|one| before.partitions.contains(one));
    let disk = before.has.then(|| name.to_owned());
    held.map(|(name, _)| name.clone()).chain(disk).collect()
}

/// Looks into a reader and tells what went, then, true with the name of the disk, what came.
pub(crate) fn look_into(name: &str, mut tell: impl FnMut(String, bool)) {
    let before = Reader::remembered(name);
    let mut now = Reader::look(name);
    for name in gone(name, &before, &now) {
        tell(name, false);
    }
    for _ in 0..LET_GO_TRIES {
        if !now.has || !now.partitions.iter().any(|one| before.partitions.contains(one)) {
            break;
        }
        thread::sleep(LET_GO_WAIT);
        now = Reader::look(name);
    }
    if now.has {
        tell(name.to_owned(), true);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(has: bool, partitions: &[(&str, u64)]) -> Reader {
        let partitions = partitions
            .iter()
            .map(|(name, number)| ((*name).to_owned(), *number))
            .collect();
        Reader { has, partitions }
    }

    #[test]
    fn what_is_held_is_told_and_what_the_kernel_tells_is_not() {
        let (empty, bare, old) = (reader(false, &[]), reader(true, &[]), reader(true, &[("sda1", 7)]));
        assert!(gone("sda", &empty, &bare).is_empty(), "put in");
        assert!(
            gone("sda", &empty, &reader(true, &[("sda1", 8)])).is_empty(),
            "put in, and its partitions found"
        );
        assert_eq!(gone("sda", &bare, &empty), ["sda"], "pulled");
        assert_eq!(gone("sda", &old, &empty), ["sda"], "pulled, and its partitions dropped");
        assert_eq!(
            gone("sda", &old, &reader(false, &[("sda1", 7)])),
            ["sda1", "sda"],
            "pulled while held"
        );
        assert_eq!(gone("sda", &old, &old), ["sda1", "sda"], "swapped while held");
        assert_eq!(gone("sda", &old, &reader(true, &[("sda1", 8)])), ["sda"], "swapped");
    }

    #[test]
    fn a_disk_that_is_not_there_is_no_news() {
        look_into("no-such-disk", |name, _| panic!("{name} was told"));
    }
}
