//! The requests to block devices that have no system call of their own.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

mod request {
    nix::ioctl_read_bad!(blkroget, nix::request_code_none!(0x12, 94), nix::libc::c_int);
    nix::ioctl_read!(blkgetsize64, 0x12, 114, usize);
    nix::ioctl_write_ptr_bad!(blkdiscard, nix::request_code_none!(0x12, 119), [u64; 2]);
    nix::ioctl_readwrite!(nvme_admin, b'N', 0x41, super::NvmeCommand);
}

/// `struct nvme_admin_cmd` of the kernel.
#[repr(C)]
#[derive(Default)]
pub(super) struct NvmeCommand {
    opcode: u8,
    flags: u8,
    reserved: u16,
    namespace: u32,
    words_2_3: [u32; 2],
    metadata: u64,
    address: u64,
    metadata_bytes: u32,
    data_bytes: u32,
    words_10_15: [u32; 6],
    timeout_ms: u32,
    result: u32,
}

/// Size of a block device now; 0 if its medium is gone.
pub(super) fn size_bytes(device: impl AsFd) -> Result<u64, Errno> {
    let mut size_bytes = 0_u64;
    // SAFETY: the kernel writes one u64 behind the pointer; the `usize` of the request's definition is a slip of the kernel's
    // header that only enters the request number.
    unsafe { request::blkgetsize64(device.as_fd().as_raw_fd(), (&raw mut size_bytes).cast()) }.map_err(errno)?;
    Ok(size_bytes)
}

/// Whether a block device is write-protected.
pub(super) fn is_read_only(device: impl AsFd) -> Result<bool, Errno> {
    let mut is_read_only = 0;
    // SAFETY: the kernel writes one int behind the pointer.
    unsafe { request::blkroget(device.as_fd().as_raw_fd(), &raw mut is_read_only) }.map_err(errno)?;
    Ok(is_read_only != 0)
}

/// Discards a range of a block device.
pub(super) fn discard(device: impl AsFd, at_bytes: u64, length_bytes: u64) -> Result<(), Errno> {
    let range = [at_bytes, length_bytes];
    // SAFETY: the kernel reads two u64 behind the pointer.
    unsafe { request::blkdiscard(device.as_fd().as_raw_fd(), &raw const range) }
        .map_err(errno)
        .map(drop)
}

/// The SMART log page of an NVMe controller.
pub(super) fn nvme_smart_log(device: impl AsFd) -> Result<[u8; 512], Errno> {
    /// Get Log Page.
    const OPCODE: u8 = 0x02;
    /// SMART / Health Information.
    const PAGE: u32 = 0x02;
    let mut page = [0_u8; 512];
    let words = (page.len() / 4 - 1) as u32;
    let mut command = NvmeCommand {
        opcode: OPCODE,
        namespace: u32::MAX,
        // The kernel takes the address as a number; exposing it tells the compiler that someone else may write there.
        address: page.as_mut_ptr().expose_provenance() as u64,
        data_bytes: page.len() as u32,
        words_10_15: [PAGE | words << 16, 0, 0, 0, 0, 0],
        timeout_ms: 2_000,
        ..NvmeCommand::default()
    };
    // SAFETY: the command has the layout of `struct nvme_admin_cmd`; the kernel writes `data_bytes` behind `address`, which is
    // exactly `page`, and `page` is alive.
    let status = unsafe { request::nvme_admin(device.as_fd().as_raw_fd(), &raw mut command) }.map_err(errno)?;
    if status == 0 { Ok(page) } else { Err(Errno::IO) }
}

fn errno(errno: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(errno as i32)
}

const _: () = assert!(size_of::<NvmeCommand>() == 72);
