//! Whatever is on a volume, and however the wish is worded: nothing is formatted that holds anything, and after a refusal every byte is as it
//! was. Who types out what is to be destroyed gets it.

use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::Appliance;
use tempfile::TempDir;

use crate::stage::{CARD, ask, create, folder, programs, refused};
use crate::volume::{Loop, Mount, blank, hash, put, system};

const VOLUME_BYTES: u64 = 32 << 20;
/// `O_EXCL` of Linux: on a block device without `O_CREAT` it means that nobody else may hold it.
const EXCLUSIVE: i32 = 0o200;
/// The UUID that nothing has.
const NIL: &str = "00000000-0000-0000-0000-000000000000";

fn appliance() -> Result<(Appliance, TempDir)> {
    let folder = folder()?;
    let mut appliance = Appliance::new("camera", folder.path(), &programs()?, None)?;
    appliance.start()?;
    Ok((appliance, folder))
}

/// Formatting `volume`, which lies on `image`, is refused and changes nothing.
fn stays(at: &Appliance, volume: &Path, image: &Path, more: &[&str], exit: i32, word: &str) -> Result<()> {
    let before = hash(image)?;
    let volume = volume.display().to_string();
    let create = ["archive", "create", CARD, "--block-size", "64KiB", "--volume", &volume];
    refused(at, &[&create[..], more].concat(), exit, word)?;
    assert_eq!(hash(image)?, before, "{volume} was refused and changed");
    refused(at, &["archive", "info", CARD], 10, CARD)
}

fn image(folder: &TempDir, name: &str) -> Result<PathBuf> {
    let image = folder.path().join(name);
    blank(&image, VOLUME_BYTES)?;
    Ok(image)
}

#[test]
fn what_holds_anything_is_refused() -> Result<()> {
    let (appliance, folder) = appliance()?;
    let ends = VOLUME_BYTES - 512;
    let signatures: &[(&str, u64, &[u8], &str)] = &[
        ("mbr", 510, b"\x55\xaa", "MBR partition table"),
        ("gpt", 512, b"EFI PART", "GPT partition table"),
        ("gpt-4k", 4096, b"EFI PART", "GPT partition table"),
        ("gpt-backup", ends, b"EFI PART", "GPT partition table"),
        ("lvm", 512, b"LABELONE", "LVM"),
        ("luks", 0, b"LUKS\xba\xbe\0\x02", "LUKS"),
        ("md-1.2", 4096, b"\xfc\x4e\x2b\xa9\x01\0\0\0", "RAID"),
        ("md-1.0", VOLUME_BYTES - 8192, b"\xfc\x4e\x2b\xa9\x01\0\0\0", "RAID"),
        ("md-0.90", VOLUME_BYTES - (64 << 10), b"\xfc\x4e\x2b\xa9\0\0\0\0", "RAID"),
        ("xfs", 0, b"XFSB", "XFS"),
        ("btrfs", 0x1_0040, b"_BHRfS_M", "btrfs"),
        ("anything", 700_000, b"somebody's", "holds"),
        ("anything-behind", VOLUME_BYTES - 700_000, b"somebody's", "holds"),
    ];
    for (name, at, bytes, word) in signatures {
        let image = image(&folder, name)?;
        put(&image, *at, bytes)?;
        stays(&appliance, &image, &image, &[], 12, word).map_err(|why| format!("{name}: {why}"))?;
    }
    let made: &[(&str, &str, &[&str], &str)] = &[("ext4", "mkfs.ext4", &["-q", "-F"], "ext"), ("swap", "mkswap", &[], "swap")];
    for (name, program, options, word) in made {
        let image = image(&folder, name)?;
        let shown = image.display().to_string();
        system(program, &[options, &[shown.as_str()][..]].concat())?;
        stays(&appliance, &image, &image, &[], 12, word).map_err(|why| format!("{name}: {why}"))?;
        stays(&appliance, &image, &image, &["--destroy", "yes"], 12, word)?;
        stays(&appliance, &image, &image, &["--destroy", NIL], 12, word)?;
    }
    Ok(())
}

#[test]
fn what_is_mounted_or_held_is_busy() -> Result<()> {
    let (mut appliance, folder) = appliance()?;
    let (mounted, held) = (image(&folder, "mounted")?, image(&folder, "held")?);
    let devices = [Loop::attach(&mounted)?, Loop::attach(&held)?];
    let shown = devices[0].device.display().to_string();
    system("mkfs.ext4", &["-q", &shown])?;
    let mount = Mount::read_only(&devices[0].device, &folder.path().join("mnt"))?;
    stays(&appliance, &devices[0].device, &mounted, &[], 11, "mounted")?;
    drop(mount);
    stays(&appliance, &devices[0].device, &mounted, &[], 12, "ext")?;

    let holder = File::options().read(true).custom_flags(EXCLUSIVE).open(&devices[1].device);
    let holder = holder.map_err(|error| error.to_string())?;
    stays(&appliance, &devices[1].device, &held, &[], 11, "held")?;
    drop(holder);

    // The same volume twice: under its own name and another, in this daemon and in a second one.
    create(&appliance, "first", &devices[1].device, &[])?;
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&devices[1].device, &link).map_err(|error| error.to_string())?;
    let mut second = Appliance::new("second", folder.path(), &programs()?, None)?;
    second.start()?;
    let paths = [devices[1].device.as_path(), link.as_path()];
    for path in paths {
        stays(&appliance, path, &held, &[], 11, "")?;
        stays(&second, path, &held, &[], 11, "held")?;
    }
    second.stop()?;
    appliance.stop()
}

#[test]
fn another_archive_goes_only_by_its_name() -> Result<()> {
    let (mut first, folder) = appliance()?;
    let image = image(&folder, "volume")?;
    create(&first, "old", &image, &[])?;
    let uuid = first.call(&["archive", "info", "old"])?["archive"]["uuid"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    stays(&first, &image, &image, &["--destroy", &uuid], 11, "old")?;
    first.stop()?;

    let mut second = Appliance::new("second", folder.path(), &programs()?, None)?;
    second.start()?;
    stays(&second, &image, &image, &[], 12, "archive")?;
    stays(&second, &image, &image, &["--destroy", "old"], 12, "archive")?;
    stays(&second, &image, &image, &["--destroy", NIL], 12, "archive")?;
    let before = hash(&image)?;
    let shown = image.display().to_string();
    let create = [
        "archive",
        "create",
        CARD,
        "--volume",
        &shown,
        "--block-size",
        "64KiB",
        "--destroy",
        &uuid,
    ];
    let tried = ask(&second, &[&create[..], &["--dry-run"]].concat())?;
    assert_eq!((tried.exit, hash(&image)?), (0, before), "{tried:?}");
    let made = second.call(&create)?;
    assert_ne!(made["archive"]["uuid"], uuid.as_str(), "{made}");
    assert_eq!(made["archive"]["tracks"], 0, "{made}");
    second.stop()
}

#[test]
fn impossible_wishes_make_nothing() -> Result<()> {
    let (appliance, folder) = appliance()?;
    let file = folder.path().join("volume");
    let shown = file.display().to_string();
    let wishes: &[(&str, &[&str], i32, &str)] = &[
        ("a-volume-too-small", &["--size", "5MiB", "--block-size", "64KiB"], 2, "small"),
        ("no-size-at-all", &[], 10, "volume"),
        ("no-such-unit", &["--size", "7elephants"], 2, "elephants"),
        ("size-zero", &["--size", "0"], 2, ""),
        ("too-large-for-any-disk", &["--size", "900TiB"], 1, "room"),
        ("block-of-100-kib", &["--size", "64MiB", "--block-size", "100KiB"], 2, ""),
        ("block-of-32-kib", &["--size", "64MiB", "--block-size", "32KiB"], 2, ""),
        ("block-of-32-mib", &["--size", "64MiB", "--block-size", "32MiB"], 2, ""),
        (
            "block-larger-than-memory",
            &["--size", "1GiB", "--block-size", "16MiB"],
            12,
            "memory",
        ),
        ("No-Such-Name", &["--size", "64MiB"], 2, "No-Such-Name"),
        ("-", &["--size", "64MiB"], 2, ""),
    ];
    for (name, more, exit, word) in wishes {
        let wish = ["archive", "create", name, "--volume", &shown];
        refused(&appliance, &[&wish[..], more].concat(), *exit, word).map_err(|why| format!("{name}: {why}"))?;
        assert!(!file.exists(), "{name}: a file was made");
    }
    let nowhere = folder.path().join("nowhere/volume").display().to_string();
    refused(
        &appliance,
        &["archive", "create", CARD, "--volume", &nowhere, "--size", "64MiB"],
        10,
        "nowhere",
    )?;
    let here = folder.path().display().to_string();
    refused(&appliance, &["archive", "create", CARD, "--volume", &here], 12, &here)?;
    refused(
        &appliance,
        &["archive", "create", CARD, "--volume", "/dev/null"],
        12,
        "/dev/null",
    )?;
    let image = image(&folder, "image")?;
    stays(&appliance, &image, &image, &["--size", "64MiB"], 2, "already")?;
    create(&appliance, CARD, &image, &[])?;
    let other = folder.path().join("other").display().to_string();
    refused(
        &appliance,
        &["archive", "create", CARD, "--volume", &other, "--size", "32MiB"],
        12,
        CARD,
    )?;
    assert!(fs::metadata(&other).is_err(), "a file was made for a name that is taken");
    Ok(())
}
