//! What UEFI firmware starts before the kernel: systemd's boot loader, and its stub that makes one program of kernel and first
//! file system. Fetched as a Debian package and kept, never installed.

use std::path::Path;
use std::process::Command;

use crate::apt::Apt;
use crate::tree::{Tree, make_folder, read};
use crate::{Result, process};

const PACKAGE: &str = "systemd-boot-efi";
const FOLDER: &str = "usr/lib/systemd/boot/efi";

/// Loader and stub.
#[derive(Debug)]
pub struct Boot {
    /// What kernel and first file system are appended to.
    pub stub: Vec<u8>,
    /// What chooses the slot.
    pub loader: Vec<u8>,
}

impl Boot {
    /// From what was fetched before, or from the package.
    pub fn obtain(tree: &Tree) -> Result<Boot> {
        let kept = tree.images().join("boot");
        if !kept.join(FOLDER).is_dir() {
            eprintln!("Fetching {PACKAGE} ...");
            let downloads = tree.images().join("boot-download");
            // What a run left that was cut short.
            let _ = std::fs::remove_dir_all(&downloads);
            make_folder(&downloads)?;
            let file = Apt::of_system().download(PACKAGE, &downloads).or_else(|_| {
                // The lists of the system are missing, or older than what the archive holds.
                Apt::private(&tree.images().join("apt"), false)?.download(PACKAGE, &downloads)
            })?;
            process::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&kept), "dpkg")?;
            let _ = std::fs::remove_dir_all(&downloads);
        }
        let part = |name: &str| read(&kept.join(Path::new(FOLDER)).join(name));
        Ok(Boot {
            stub: part("linuxx64.efi.stub")?,
            loader: part("systemd-bootx64.efi")?,
        })
    }
}
