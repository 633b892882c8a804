//! Opening a disk, partition or file as a volume, and what is found then.
//!
//! Blocks; runs on the slow thread. Does not read or write the volume.

use std::os::fd::OwnedFd;
use std::time::Duration;

use hal::{Access, FlushClass, IoError, VolumeFacts, VolumeForm};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, StatxFlags};
use rustix::io::Errno;

use super::errno::meaning;
use super::ioctl;
use super::sysfs::{self, DeviceNumber, Node};

/// The kernel and device daemons look into a device for a moment after it appeared or was closed, and hold it meanwhile; so
/// does a ring that was closed with its process.
const BUSY_TRIES: u32 = 10;
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// What direct I/O wants if nobody says: the largest sector there is.
const ALIGNMENT_BYTES_FALLBACK: u32 = 4096;
/// Set in the identity of files, so that none equals a device's.
const FILE_BIT: u64 = 1 << 63;

/// An open volume.
pub(crate) struct Opened {
    pub(crate) file: OwnedFd,
    pub(crate) facts: VolumeFacts,
    /// The block device that it is, or that its file system lies on.
    pub(super) device: Option<DeviceNumber>,
}

impl Opened {
    /// Whether it is a disk of which the kernel has partitions.
    pub(crate) fn is_split(&self) -> bool {
        let node = self.device.and_then(|number| Node::of_number(sysfs::root(), number));
        self.facts.form == VolumeForm::Disk && node.is_some_and(|node| !node.partitions().is_empty())
    }
}

/// Opens a card or an image of one for reading. A card that is mounted here, or held by somebody, is busy.
pub(crate) fn open_to_read(path: &str) -> Result<Opened, IoError> {
    let is_device = rustix::fs::stat(path)
        .map(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice)
        .map_err(meaning)?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    if is_device {
        // Direct: what the page cache has may be older than the card.
        return open_with(path, Access::ReadOnly, flags | OFlags::DIRECT | OFlags::EXCL);
    }
    match open_with(path, Access::ReadOnly, flags | OFlags::DIRECT) {
        // File systems in memory know no direct I/O.
        Err(IoError::Unsupported) => open_with(path, Access::ReadOnly, flags),
        result => result,
    }
}

/// Opens the thing at an absolute path. Links are followed: `/dev/disk/by-id` consists of them.
pub(super) fn open(path: &str, access: Access) -> Result<Opened, IoError> {
    let is_device = || rustix::fs::stat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::BlockDevice);
    let flags = match access {
        Access::Exclusive if is_device() => OFlags::RDWR | OFlags::EXCL,
        Access::Exclusive => OFlags::RDWR,
        Access::ExclusiveToRead if is_device() => OFlags::RDONLY | OFlags::EXCL,
        Access::ExclusiveToRead | Access::ReadOnly => OFlags::RDONLY,
    };
    open_with(path, access, flags | OFlags::DIRECT | OFlags::CLOEXEC)
}

fn open_with(path: &str, access: Access, flags: OFlags) -> Result<Opened, IoError> {
    if !path.starts_with('/') {
        return Err(IoError::Unsupported);
    }
    // Looked at before it is opened: opening some kinds of nodes has effects.
    let seen = rustix::fs::stat(path).map_err(meaning)?;
    let is_device = match FileType::from_raw_mode(seen.st_mode) {
        FileType::BlockDevice => true,
        FileType::RegularFile => false,
        _ => return Err(IoError::Unsupported),
    };
    let file = patiently(|| rustix::fs::open(path, flags, Mode::empty())).map_err(|errno| match errno {
        // What some drivers say of a write-protected device.
        Errno::ACCESS | Errno::PERM if is_device && is_read_only(&seen) => IoError::ReadOnly,
        errno => meaning(errno),
    })?;
    let found = rustix::fs::fstat(&file).map_err(meaning)?;
    if (found.st_dev, found.st_ino, found.st_rdev) != (seen.st_dev, seen.st_ino, seen.st_rdev) {
        // Replaced between the two looks; whoever does that is still at it.
        return Err(IoError::Busy);
    }
    match access {
        // Others let it be opened, and fail the writes.
        Access::Exclusive if is_device && ioctl::is_read_only(&file).map_err(meaning)? => return Err(IoError::ReadOnly),
        Access::Exclusive => lock(&file, libc::F_WRLCK)?,
        // The kernel gives no other lock to whoever cannot write.
        Access::ExclusiveToRead => lock(&file, libc::F_RDLCK)?,
        Access::ReadOnly => {}
    }
    if is_device {
        device(file, &found)
    } else {
        regular(file, &found)
    }
}

fn is_read_only(stat: &Stat) -> bool {
    Node::of_number(sysfs::root(), DeviceNumber::new(stat.st_rdev)).is_some_and(|node| node.is_read_only())
}

/// Locks against other daemons: `O_EXCL` says nothing for files. The lock goes with the open file, not with the process.
fn lock(file: &OwnedFd, kind: libc::c_int) -> Result<(), IoError> {
    let whole = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    let locked = patiently(|| {
        let result = nix::fcntl::fcntl(file, nix::fcntl::FcntlArg::F_OFD_SETLK(&whole));
        result.map_err(|errno| Errno::from_raw_os_error(errno as i32))
    });
    match locked {
        Ok(_) => Ok(()),
        // The other number that POSIX allows for a lock that is held.
        Err(Errno::ACCESS) => Err(IoError::Busy),
        Err(errno) => Err(meaning(errno)),
    }
}

/// Tries again for a while if somebody holds it.
fn patiently<T>(mut attempt: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 1..BUSY_TRIES {
        match attempt() {
            Err(Errno::BUSY | Errno::AGAIN) => std::thread::sleep(BUSY_WAIT),
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
    attempt()
}

fn device(file: OwnedFd, found: &Stat) -> Result<Opened, IoError> {
    let number = DeviceNumber::new(found.st_rdev);
    let node = Node::of_number(sysfs::root(), number);
    let size_bytes = ioctl::size_bytes(&file).map_err(meaning)?;
    if size_bytes == 0 {
        // A card reader without a card, a loop device without a file.
        return Err(IoError::Gone);
    }
    let logical_sector_bytes = rustix::fs::ioctl_blksszget(&file).map_err(meaning)?;
    let physical_sector_bytes = rustix::fs::ioctl_blkpbszget(&file).map_err(meaning)?;
    let alignment_bytes = direct_alignment_bytes(&file)?
        .unwrap_or(logical_sector_bytes)
        .max(logical_sector_bytes);
    let facts = VolumeFacts {
        form: node.as_ref().map_or(VolumeForm::Disk, Node::form),
        size_bytes,
        logical_sector_bytes,
        physical_sector_bytes,
        alignment_bytes,
        flush: node.as_ref().map_or(FlushClass::Unknown, Node::flush),
        fua: node.as_ref().is_some_and(Node::fua),
        discard_bytes: node.as_ref().map_or(0, Node::discard_bytes),
        removable: node.as_ref().is_some_and(Node::is_removable),
        erase_bytes: node.as_ref().map_or(0, Node::erase_bytes),
        starts_at_bytes: node.as_ref().map_or(0, Node::starts_at_bytes),
        serial: node.as_ref().map_or(String::new(), Node::serial),
        same_as: found.st_rdev,
    };
    Ok(Opened {
        file,
        facts,
        device: Some(number),
    })
}

fn regular(file: OwnedFd, found: &Stat) -> Result<Opened, IoError> {
    // File systems without a device of their own have numbers that sysfs does not know.
    let number = DeviceNumber::new(found.st_dev);
    let node = Node::of_number(sysfs::root(), number);
    let alignment_bytes = direct_alignment_bytes(&file)?.unwrap_or(ALIGNMENT_BYTES_FALLBACK);
    let logical_sector_bytes = node.as_ref().map_or(alignment_bytes, Node::logical_sector_bytes);
    let facts = VolumeFacts {
        form: VolumeForm::File,
        size_bytes: u64::try_from(found.st_size).unwrap_or(0),
        logical_sector_bytes,
        physical_sector_bytes: node.as_ref().map_or(ALIGNMENT_BYTES_FALLBACK, Node::physical_sector_bytes),
        alignment_bytes: alignment_bytes.max(logical_sector_bytes),
        flush: node.as_ref().map_or(FlushClass::Unknown, Node::flush),
        // A write into a file may need the file system's own records too.
        fua: false,
        // The blocks of a preallocated file are kept.
        discard_bytes: 0,
        removable: false,
        erase_bytes: 0,
        starts_at_bytes: 0,
        serial: String::new(),
        same_as: identity(found.st_dev, found.st_ino),
    };
    Ok(Opened {
        file,
        facts,
        device: node.map(|_| number),
    })
}

/// What direct I/O wants of memory and offsets; none if the kernel does not say.
fn direct_alignment_bytes(file: &OwnedFd) -> Result<Option<u32>, IoError> {
    let Ok(found) = rustix::fs::statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::DIOALIGN) else {
        return Ok(None);
    };
    if !StatxFlags::from_bits_retain(found.stx_mask).contains(StatxFlags::DIOALIGN) {
        return Ok(None);
    }
    match found.stx_dio_mem_align.max(found.stx_dio_offset_align) {
        // Said to be impossible for this file, although it could be opened so.
        0 => Err(IoError::Unsupported),
        alignment_bytes => Ok(Some(alignment_bytes)),
    }
}

/// One number for device and inode of a file, mixed as in splitmix64.
fn identity(device: u64, inode: u64) -> u64 {
    let mut mixed = device.rotate_left(32) ^ inode;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) | FILE_BIT
}
