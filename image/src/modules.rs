//! Kernel modules: which ones are needed, in which order, and their bytes as the kernel wants them.
//!
//! What a module depends on is read from the module itself (`.modinfo`), so that no index of the whole tree has to be built.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::tree::read;
use crate::{Result, compression, elf};

/// What follows a signed module; the twelve bytes before it end in the length of the signature.
const SIGNATURE_MARK: &[u8] = b"~Module signature appended~\n";
const SIGNATURE_INFO_BYTES: usize = 12;

/// One module, unpacked and without its signature.
#[derive(Debug, PartialEq, Eq)]
pub struct Module {
    /// Its name, with underscores.
    pub name: String,
    /// The ELF file.
    pub bytes: Vec<u8>,
}

/// The modules of one kernel.
#[derive(Debug)]
pub struct Modules {
    paths: BTreeMap<String, PathBuf>,
    builtin: BTreeSet<String>,
}

impl Modules {
    /// Reads which modules lie in `folder` (`lib/modules/VERSION`).
    pub fn scan(folder: &Path) -> Result<Modules> {
        let mut paths = BTreeMap::new();
        walk(folder, &mut paths)?;
        let list = read(&folder.join("modules.builtin"))?;
        let builtin = String::from_utf8_lossy(&list)
            .lines()
            .filter_map(|line| name_of(Path::new(line)))
            .collect();
        Ok(Modules { paths, builtin })
    }

    /// The wanted modules and all they depend on, each after what it depends on. What is built in is left out.
    pub fn closure(&self, wanted: &[String]) -> Result<Vec<Module>> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for name in wanted {
            let name = name.replace('-', "_");
            if !self.paths.contains_key(&name) && !self.builtin.contains(&name) {
                return Err(format!(
                    "The kernel has no module {name}. Correct the board file, or choose a kernel package that has it."
                ));
            }
            self.add(&name, &mut seen, &mut found)?;
        }
        Ok(found)
    }

    fn add(&self, name: &str, seen: &mut BTreeSet<String>, found: &mut Vec<Module>) -> Result<()> {
        if self.builtin.contains(name) || !seen.insert(name.to_owned()) {
            return Ok(());
        }
        let path = self.paths.get(name).ok_or_else(|| {
            format!("The kernel module {name}, which another one needs, is missing. The kernel package is damaged: build with --fetch-kernel.")
        })?;
        let mut bytes = compression::unpack(&read(path)?, &format!("The module {name}"))?;
        strip_signature(&mut bytes);
        let needs = Needs::of(&bytes);
        for other in &needs.hard {
            self.add(other, seen, found)?;
        }
        // A soft dependency may be an alias or built in another way; it is taken where there is a module of that name.
        for other in needs.soft.iter().filter(|other| self.paths.contains_key(*other)) {
            self.add(other, seen, found)?;
        }
        found.push(Module {
            name: name.to_owned(),
            bytes,
        });
        Ok(())
    }
}

/// What a module says of itself about others.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    hard: Vec<String>,
    soft: Vec<String>,
}

impl Needs {
    fn of(module: &[u8]) -> Needs {
        let mut needs = Needs::default();
        let info = elf::section(module, ".modinfo").unwrap_or_default();
        for entry in info.split(|byte| *byte == 0) {
            let Some((key, value)) = std::str::from_utf8(entry).ok().and_then(|entry| entry.split_once('=')) else {
                continue;
            };
            let names = |list: &str, separator: char| -> Vec<String> {
                list.split(separator)
                    .filter(|name| !name.is_empty())
                    .map(|name| name.replace('-', "_"))
                    .collect()
            };
            match key {
                "depends" => needs.hard.extend(names(value, ',')),
                "softdep" => {
                    let before = value.split_once("pre:").map_or("", |(_, rest)| rest);
                    needs.soft.extend(names(before.split("post:").next().unwrap_or(""), ' '));
                }
                _ => {}
            }
        }
        needs
    }
}

/// Removes the signature: checking it costs more time than loading the module, and here nothing demands it.
fn strip_signature(bytes: &mut Vec<u8>) {
    let Some(rest) = bytes.strip_suffix(SIGNATURE_MARK) else {
        return;
    };
    let length = rest.last_chunk().map(|chunk| u32::from_be_bytes(*chunk));
    let signature = length.and_then(|length| usize::try_from(length).ok());
    let kept = signature.and_then(|length| rest.len().checked_sub(SIGNATURE_INFO_BYTES)?.checked_sub(length));
    if let Some(kept) = kept {
        bytes.truncate(kept);
    }
}

fn walk(folder: &Path, paths: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let unreadable = |error| format!("{} cannot be read: {error}. Build with --fetch-kernel.", folder.display());
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let path = entry.path();
        if entry.file_type().map_err(unreadable)?.is_dir() {
            walk(&path, paths)?;
        } else if let Some(name) = name_of(&path) {
            paths.insert(name, path);
        }
    }
    Ok(())
}

/// `kernel/drivers/block/virtio_blk.ko.xz` is `virtio_blk`.
fn name_of(path: &Path) -> Option<String> {
    let (name, packing) = path.file_name()?.to_str()?.split_once(".ko")?;
    matches!(packing, "" | ".xz" | ".zst").then(|| name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(modules: &[(&str, &str)], builtin: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("kernel/drivers")).unwrap();
        for (name, info) in modules {
            let file = elf::sample(".modinfo", info.as_bytes());
            std::fs::write(folder.path().join("kernel/drivers").join(name), file).unwrap();
        }
        std::fs::write(folder.path().join("modules.builtin"), builtin).unwrap();
        folder
    }

    fn names(found: &[Module]) -> Vec<&str> {
        found.iter().map(|module| module.name.as_str()).collect()
    }

    #[test]
    fn needs_are_read_from_the_module() {
        let file = elf::sample(".modinfo", b"license=GPL\0depends=a-b,c\0softdep=pre: d e-f post: g\0");
        let needs = Needs::of(&file);
        assert_eq!(needs.hard, ["a_b", "c"]);
        assert_eq!(needs.soft, ["d", "e_f"]);
        assert_eq!(Needs::of(&elf::sample(".modinfo", b"depends=\0")), Needs::default());
        assert_eq!(Needs::of(b"no module"), Needs::default());
    }

    #[test]
    fn a_module_comes_once_and_after_what_it_needs() {
        let folder = tree(
            &[
                ("top.ko", "depends=mid,virtio\0"),
                ("mid.ko", "depends=low-one\0softdep=pre: nothing soft\0"),
                ("low-one.ko", ""),
                ("soft.ko", ""),
            ],
            "kernel/drivers/virtio.ko\n",
        );
        let modules = Modules::scan(folder.path()).unwrap();
        let found = modules.closure(&["top".into(), "low-one".into(), "virtio".into()]).unwrap();
        assert_eq!(names(&found), ["low_one", "soft", "mid", "top"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        let folder = tree(&[("top.ko", "depends=lost\0")], "");
        let modules = Modules::scan(folder.path()).unwrap();
        assert!(modules.closure(&["other".into()]).unwrap_err().contains("no module other"));
        assert!(modules.closure(&["top".into()]).unwrap_err().contains("lost"));
    }

    #[test]
    fn a_signature_is_cut_off_and_nothing_else() {
        let mut signed = b"module".to_vec();
        signed.extend_from_slice(b"SIGNATURE");
        signed.extend_from_slice(&[0, 0, 2, 0, 0, 0, 0, 0]);
        signed.extend_from_slice(&9_u32.to_be_bytes());
        signed.extend_from_slice(SIGNATURE_MARK);
        strip_signature(&mut signed);
        assert_eq!(signed, b"module");
        strip_signature(&mut signed);
        assert_eq!(signed, b"module");
        let mut absurd = [&u32::MAX.to_be_bytes()[..], SIGNATURE_MARK].concat();
        let before = absurd.clone();
        strip_signature(&mut absurd);
        assert_eq!(absurd, before);
    }
}
