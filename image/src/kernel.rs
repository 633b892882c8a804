//! The kernel: fetched as a Debian package, unpacked beside the images, never installed. What was fetched once is kept.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::apt::{self, Apt};
use crate::tree::{Tree, make_folder, read, write};
use crate::{Result, process, vmlinux};

/// So many of the newest packages are tried before giving up: lists can name one that the archive no longer has.
const ATTEMPTS: usize = 3;

/// A kernel, unpacked.
#[derive(Debug)]
pub struct Kernel {
    /// Package and version, `NAME_VERSION_ARCHITECTURE`.
    pub package: String,
    /// The boot image, for boot loaders.
    pub image: PathBuf,
    /// The kernel proper, for machines that start it directly.
    pub vmlinux: PathBuf,
    /// `lib/modules/VERSION`.
    pub modules: PathBuf,
}

impl Kernel {
    /// Returns a kernel that matches `pattern`: one that is here already unless `fetch` is set, else the newest there is.
    pub fn obtain(tree: &Tree, pattern: &str, fetch: bool) -> Result<Kernel> {
        let folder = tree.images().join("kernels");
        make_folder(&folder)?;
        let kept = newest_kept(&folder, pattern);
        match kept {
            Some(name) if !fetch => Kernel::open(&folder, &name),
            kept => match fetch_newest(tree, pattern, &folder) {
                Ok(name) => Kernel::open(&folder, &name),
                Err(error) => {
                    let name = kept.ok_or(error.clone())?;
                    eprintln!("{error}\nThe kernel that was fetched before is used: {name}.");
                    Kernel::open(&folder, &name)
                }
            },
        }
    }

    fn open(folder: &Path, name: &str) -> Result<Kernel> {
        let folder = folder.join(name);
        let image = only_entry(&folder.join("boot"), "vmlinuz-")?;
        // Newer releases of Debian have the modules below /usr.
        let modules = only_entry(&folder.join("lib/modules"), "").or_else(|_| only_entry(&folder.join("usr/lib/modules"), ""))?;
        Ok(Kernel {
            package: name.to_owned(),
            image,
            vmlinux: folder.join("vmlinux"),
            modules,
        })
    }
}

fn newest_kept(folder: &Path, pattern: &str) -> Option<String> {
    let entries = std::fs::read_dir(folder).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names
        .filter(|name| !name.ends_with(".partial") && apt::matches(pattern, name.split('_').next().unwrap_or(name)))
        .max_by_key(|name| apt::natural_order(name))
}

fn fetch_newest(tree: &Tree, pattern: &str, folder: &Path) -> Result<String> {
    eprintln!("Fetching a kernel: the newest of {pattern} ...");
    let with_lists_of_system = try_each(&Apt::of_system(), pattern, folder);
    with_lists_of_system.or_else(|_| {
        // The lists of the system are missing, or older than what the archive holds: fetch lists of our own.
        let apt = Apt::private(&tree.images().join("apt"), false)?;
        try_each(&apt, pattern, folder)
    })
}

fn try_each(apt: &Apt, pattern: &str, folder: &Path) -> Result<String> {
    let mut last = format!(
        "No package {pattern} is known to apt. Is a source with it configured in /etc/apt (for 6.12 on Debian 12: security)?"
    );
    for name in apt.names(pattern)?.iter().take(ATTEMPTS) {
        match fetch(apt, name, folder) {
            Ok(name) => return Ok(name),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Fetches and unpacks one package; it gets its final name only when it is whole.
fn fetch(apt: &Apt, package: &str, folder: &Path) -> Result<String> {
    let partial = folder.join(format!("{package}.{}.partial", std::process::id()));
    let outcome = fetch_into(apt, package, folder, &partial);
    // Nothing is left there when all went well.
    let _ = std::fs::remove_dir_all(&partial);
    outcome
}

fn fetch_into(apt: &Apt, package: &str, folder: &Path, partial: &Path) -> Result<String> {
    let downloads = partial.join("download");
    let unpacked = partial.join("unpacked");
    make_folder(&downloads)?;
    let file = apt.download(package, &downloads)?;
    process::output(Command::new("dpkg-deb").arg("-x").arg(&file).arg(&unpacked), "dpkg")?;
    let image = only_entry(&unpacked.join("boot"), "vmlinuz-")?;
    write(&unpacked.join("vmlinux"), &vmlinux::extract(&read(&image)?, package)?)?;
    let name = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or(package)
        .replace("%3a", "-");
    let place = folder.join(&name);
    match std::fs::rename(&unpacked, &place) {
        // Somebody else fetched the same one meanwhile, or it was here before.
        Err(_) if place.is_dir() => Ok(name),
        Err(error) => Err(format!("{} cannot be created: {error}.", place.display())),
        Ok(()) => Ok(name),
    }
}

fn only_entry(folder: &Path, prefix: &str) -> Result<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut found = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| {
        path.file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with(prefix))
    });
    match (found.next(), found.next()) {
        (Some(path), None) => Ok(path),
        _ => Err(format!(
            "{} should hold exactly one entry {prefix}*. The kernel package is not of a known kind, or damaged.",
            folder.display()
        )),
    }
}
