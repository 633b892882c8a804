//! A Debian package for systems that are not appliance images: daemon and command, both static, a hardened unit, manual pages,
//! the bill of materials.
//!
//! It is put together by `dpkg-deb`, from `image/packaging` and what is built. The same sources give the same bytes: times are
//! those of [`TIME`], owners are root.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sbom::{self, Part};
use crate::tree::{Tree, make_folder, read, write};
use crate::{Result, daemon, process};

/// The command's package.
const COMMAND: &str = "blockhaul";

/// All files have this time: seconds since 1970, the day of the first version.
const TIME: &str = "1790000000";

/// Builds the package for `target` and returns where it lies.
pub fn build(tree: &Tree, target: &str) -> Result<PathBuf> {
    let architecture = architecture(target)?;
    eprintln!("Building daemon and command for {target} ...");
    let programs = [daemon::DAEMON, COMMAND].map(|package| daemon::build(tree, package, target));
    let [daemon, command] = programs;
    let (daemon, command) = (daemon?, command?);
    let (daemon_bytes, command_bytes) = (daemon::load(&daemon)?, daemon::load(&command)?);
    let root = tree.images().join("deb/root");
    // What an earlier build left would be in the package.
    let _ = std::fs::remove_dir_all(&root);
    let packaging = tree.root.join("image/packaging");
    let put = |to: &str, mode: u32, content: &[u8]| put(&root.join(to), mode, content);
    put("usr/sbin/blockhauld", 0o755, &daemon_bytes)?;
    put("usr/bin/blockhaul", 0o755, &command_bytes)?;
    put(
        "lib/systemd/system/blockhauld.service",
        0o644,
        &read(&packaging.join("systemd/blockhauld.service"))?,
    )?;
    put(
        "etc/default/blockhauld",
        0o644,
        &read(&packaging.join("debian/blockhauld.default"))?,
    )?;
    for script in ["postinst", "prerm"] {
        put(
            &format!("DEBIAN/{script}"),
            0o755,
            &read(&packaging.join("debian").join(script))?,
        )?;
    }
    put("DEBIAN/conffiles", 0o644, b"/etc/default/blockhauld\n")?;
    let documents = "usr/share/doc/blockhaul";
    put(
        &format!("{documents}/copyright"),
        0o644,
        &read(&packaging.join("debian/copyright"))?,
    )?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        put(&format!("{documents}/{licence}"), 0o644, &read(&tree.root.join(licence))?)?;
    }
    let parts = [
        Part {
            name: "usr/sbin/blockhauld",
            content: &daemon_bytes,
        },
        Part {
            name: "usr/bin/blockhaul",
            content: &command_bytes,
        },
    ];
    let bill = sbom::of_programs(tree, target, &[daemon::DAEMON, COMMAND], &parts)?;
    put(&format!("{documents}/sbom.cdx.json"), 0o644, format!("{bill:#}\n").as_bytes())?;
    manual(&command, &root)?;
    let version = bill["metadata"]["component"]["version"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let installed_kib = bytes_below(&root)? / 1024;
    put(
        "DEBIAN/control",
        0o644,
        control(&version, architecture, installed_kib).as_bytes(),
    )?;
    let package = tree.images().join(format!("deb/blockhaul_{version}_{architecture}.deb"));
    let mut build = Command::new("dpkg-deb");
    build
        .env("SOURCE_DATE_EPOCH", TIME)
        .args(["--root-owner-group", "--build"])
        .arg(&root)
        .arg(&package);
    set_times(&root)?;
    process::output(&mut build, "dpkg")?;
    Ok(package)
}

fn architecture(target: &str) -> Result<&'static str> {
    match target.split('-').next() {
        Some("x86_64") => Ok("amd64"),
        Some("aarch64") => Ok("arm64"),
        Some("armv7") => Ok("armhf"),
        Some("riscv64gc") => Ok("riscv64"),
        _ => Err(format!("It is not known what Debian calls {target}.")),
    }
}

fn control(version: &str, architecture: &str, installed_kib: u64) -> String {
    format!(
        "Package: blockhaul\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: blockhaul maintainers <maintainers@blockhaul.invalid>\n\
         Installed-Size: {installed_kib}\nDepends: adduser\nSection: admin\nPriority: optional\n\
         Description: records cameras and hauls their blocks to other appliances\n \
         A low-level service that appends fixed-size blocks of video, audio and metadata to\n \
         archives on raw volumes, and hauls them to archives on other appliances: nothing\n \
         acknowledged is lost, nothing existing is overwritten, nothing is duplicated.\n"
    )
}

/// The manual pages, as the command writes them itself.
fn manual(command: &Path, root: &Path) -> Result<()> {
    let folder = root.join("usr/share/man/man1");
    make_folder(&folder)?;
    process::output(Command::new(command).arg("man").arg(&folder), "libc6").map(drop)?;
    let pages = std::fs::read_dir(&folder).map_err(|error| format!("{} cannot be read: {error}.", folder.display()))?;
    let pages: Vec<PathBuf> = pages.filter_map(|page| Some(page.ok()?.path())).collect();
    // Without name and time, so that the same page gives the same bytes.
    process::output(Command::new("gzip").args(["-9", "-n"]).args(&pages), "gzip").map(drop)
}

fn put(path: &Path, mode: u32, content: &[u8]) -> Result<()> {
    make_folder(path.parent().unwrap_or(path))?;
    write(path, content)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|error| format!("The mode of {} cannot be set: {error}.", path.display()))
}

/// Gives every file and folder the same time.
fn set_times(root: &Path) -> Result<()> {
    let mut touch = Command::new("find");
    touch
        .arg(root)
        .args(["-exec", "touch", "-h", "-d", &format!("@{TIME}"), "{}", "+"]);
    process::output(&mut touch, "findutils").map(drop)
}

fn bytes_below(folder: &Path) -> Result<u64> {
    let wrong = |error: std::io::Error| format!("{} cannot be read: {error}.", folder.display());
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).map_err(wrong)? {
        let entry = entry.map_err(wrong)?;
        let facts = entry.metadata().map_err(wrong)?;
        bytes += if facts.is_dir() {
            bytes_below(&entry.path())?
        } else {
            facts.len()
        };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packaging() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging")
    }

    #[test]
    fn the_control_file_is_read_by_dpkg() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        put(&root.join("DEBIAN/control"), 0o644, control("0.1.0", "amd64", 7).as_bytes()).unwrap();
        put(&root.join("usr/bin/x"), 0o755, b"x").unwrap();
        let built = |name: &str| {
            let package = folder.path().join(name);
            let mut build = Command::new("dpkg-deb");
            build
                .env("SOURCE_DATE_EPOCH", TIME)
                .args(["--root-owner-group", "--build"])
                .arg(&root)
                .arg(&package);
            set_times(&root).unwrap();
            process::output(&mut build, "dpkg").unwrap();
            read(&package).unwrap()
        };
        assert_eq!(built("a.deb"), built("b.deb"), "the same bytes");
        let shown = process::output(
            Command::new("dpkg-deb").arg("--field").arg(folder.path().join("a.deb")),
            "dpkg",
        )
        .unwrap();
        assert!(String::from_utf8_lossy(&shown.stdout).contains("Package: blockhaul"));
    }

    #[test]
    fn the_unit_is_hardened() {
        let unit = packaging().join("systemd/blockhauld.service");
        // Of ten; below five the tool calls it OK.
        let mut analyze = Command::new("systemd-analyze");
        analyze
            .args(["security", "--offline=true", "--threshold=20", "--no-pager"])
            .arg(&unit);
        process::output(&mut analyze, "systemd").unwrap();
    }

    #[test]
    fn scripts_have_no_mistake_that_a_shell_sees() {
        for script in ["debian/postinst", "debian/prerm", "buildroot/package/blockhaul/S60blockhaul"] {
            process::output(Command::new("sh").arg("-n").arg(packaging().join(script)), "dash").unwrap();
        }
    }

    #[test]
    fn options_in_the_units_are_those_of_the_daemon() {
        let usage = include_str!("../../firmware/service/src/arguments.rs");
        for file in [
            "systemd/blockhauld.service",
            "buildroot/package/blockhaul/S60blockhaul",
            "debian/blockhauld.default",
        ] {
            let text = String::from_utf8(read(&packaging().join(file)).unwrap()).unwrap();
            let lines = text
                .lines()
                .filter(|line| line.contains("/var/lib/blockhaul") || line.contains("--listen"));
            let options = lines
                .flat_map(str::split_whitespace)
                .filter_map(|word| word.trim_start_matches(['"', '#']).strip_prefix("--"));
            let unknown: Vec<_> = options.filter(|option| !usage.contains(&format!("\"--{option}\""))).collect();
            assert!(unknown.is_empty(), "{file}: {unknown:?}");
        }
    }

    #[test]
    fn the_buildroot_package_has_the_version_of_the_tree() {
        let text = String::from_utf8(read(&packaging().join("buildroot/package/blockhaul/blockhaul.mk")).unwrap()).unwrap();
        assert!(text.contains(&format!("BLOCKHAUL_VERSION = {}\n", env!("CARGO_PKG_VERSION"))));
    }

    #[test]
    fn architectures_have_debians_names() {
        assert_eq!(architecture("aarch64-unknown-linux-gnu").unwrap(), "arm64");
        assert!(architecture("sparc-x").unwrap_err().contains("sparc-x"));
    }
}
