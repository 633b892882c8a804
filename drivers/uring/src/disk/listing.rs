//! The list of disks, cards and partitions for people to choose from.

use std::path::Path;

use hal::DeviceFacts;

use super::health::health;
use super::holders::Holders;
use super::sysfs::{self, Node};

/// Every disk, card and partition of this machine, without those that live in memory. May block for seconds on a sick device.
pub fn list_disks() -> Vec<DeviceFacts> {
    list(sysfs::root(), Path::new("/proc"))
}

fn list(sysfs: &Path, proc: &Path) -> Vec<DeviceFacts> {
    let holders = Holders::read(proc);
    let disks = Node::disks(sysfs).into_iter().filter(is_disk);
    let nodes = disks.flat_map(|disk| {
        let partitions = disk.partitions();
        std::iter::once(disk).chain(partitions)
    });
    nodes.map(|node| facts(&node, &holders)).collect()
}

fn is_disk(node: &Node) -> bool {
    let name = node.name();
    let in_memory = name.starts_with("ram") || name.starts_with("zram");
    let unused_loop = name.starts_with("loop") && node.size_bytes() == 0;
    !in_memory && !unused_loop && !node.is_hidden()
}

fn facts(node: &Node, holders: &Holders) -> DeviceFacts {
    DeviceFacts {
        path: node.path(),
        form: node.form(),
        model: node.model(),
        serial: node.serial(),
        size_bytes: node.size_bytes(),
        logical_sector_bytes: node.logical_sector_bytes(),
        physical_sector_bytes: node.physical_sector_bytes(),
        flush: node.flush(),
        fua: node.fua(),
        discard_bytes: node.discard_bytes(),
        removable: node.is_removable(),
        read_only: node.is_read_only(),
        held_by: holders.of(node),
        health: health(node),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hal::{FlushClass, VolumeForm};
    use std::fs;

    /// Writes a tree of attributes below a folder.
    fn write(root: &Path, attributes: &[(&str, &str)]) {
        for (path, text) in attributes {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    #[test]
    fn a_card_with_a_mounted_partition() {
        let folder = tempfile::tempdir().unwrap();
        let (sysfs, proc) = (folder.path().join("sys"), folder.path().join("proc"));
        write(
            &sysfs,
            &[
                ("block/mmcblk0/dev", "179:0\n"),
                ("block/mmcblk0/uevent", "MAJOR=179\nMINOR=0\nDEVNAME=mmcblk0\nDEVTYPE=disk\n"),
                ("block/mmcblk0/size", "2048\n"),
                ("block/mmcblk0/ro", "0\n"),
                ("block/mmcblk0/removable", "0\n"),
                ("block/mmcblk0/device/name", "SC64G\n"),
                ("block/mmcblk0/device/cid", "035344534336344780f1\n"),
                ("block/mmcblk0/device/serial", "0xf1a2b3c4\n"),
                ("block/mmcblk0/device/life_time", "0x02 0x01\n"),
                ("block/mmcblk0/device/pre_eol_info", "0x01\n"),
                ("block/mmcblk0/queue/logical_block_size", "512\n"),
                ("block/mmcblk0/queue/physical_block_size", "4096\n"),
                ("block/mmcblk0/queue/write_cache", "write back\n"),
                ("block/mmcblk0/queue/fua", "1\n"),
                ("block/mmcblk0/queue/discard_granularity", "4194304\n"),
                ("block/mmcblk0/queue/discard_max_bytes", "2147483136\n"),
                ("block/mmcblk0/mmcblk0p1/partition", "1\n"),
                ("block/mmcblk0/mmcblk0p1/dev", "179:1\n"),
                ("block/mmcblk0/mmcblk0p1/size", "1024\n"),
                ("block/mmcblk0/mmcblk0p1/ro", "1\n"),
                ("block/mmcblk0/mmcblk0p1/holders/dm-3/name", ""),
                ("block/loop4/size", "0\n"),
                ("block/zram0/size", "2048\n"),
            ],
        );
        write(
            &proc,
            &[
                ("self/mountinfo", "30 1 179:1 / /data rw - ext4 /dev/mmcblk0p1 rw\n"),
                ("swaps", "Filename\n"),
            ],
        );
        let listed = list(&sysfs, &proc);
        assert_eq!(listed.len(), 2);
        let card = &listed[0];
        assert_eq!((card.path.as_str(), card.form), ("/dev/mmcblk0", VolumeForm::Disk));
        assert_eq!((card.model.as_str(), card.serial.as_str()), ("SC64G", "035344534336344780f1"));
        assert_eq!(
            (card.size_bytes, card.logical_sector_bytes, card.physical_sector_bytes),
            (1 << 20, 512, 4096)
        );
        assert_eq!(
            (card.flush, card.fua, card.discard_bytes),
            (FlushClass::WriteBack, true, 4 << 20)
        );
        assert_eq!(card.held_by, "mmcblk0p1 mounted at /data, held by dm-3");
        assert_eq!(card.health, "life used 10-20 % and 0-10 %, reserve normal");
        let part = &listed[1];
        assert_eq!((part.path.as_str(), part.form), ("/dev/mmcblk0p1", VolumeForm::Partition));
        assert_eq!(part.held_by, "mounted at /data, held by dm-3");
        assert_eq!(
            (part.serial.as_str(), part.flush),
            (card.serial.as_str(), FlushClass::WriteBack)
        );
        assert!(part.read_only);
        assert!(!card.read_only);
    }
}
