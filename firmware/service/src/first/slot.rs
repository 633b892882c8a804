//! The slot that was started, where a boot loader counts starts (systemd-boot's automatic boot assessment): its count is taken away
//! once it has proved good, so that the loader keeps to it.
//!
//! Good is: the daemon is ready and has given signs of life for a while. A network or a peer that is away does not matter.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::{disks, formats, say};

/// The daemon must have been ready for so long.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// The partition that firmware starts from, see `image/src/disk.rs`.
const ESP: &str = "blockhaul-esp";
const MOUNTED: &str = "/run/blockhaul-esp";
const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// Where the loader says which counted file it started; the vendor is systemd-boot's.
const COUNTED: &str = "LoaderBootCountPath-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";

/// The slot, as long as it has to prove itself.
#[derive(Debug)]
pub(super) struct Slot {
    /// Its file on the partition; none if nothing is counted.
    counted: Option<PathBuf>,
    ready_since: Option<Instant>,
}

impl Slot {
    /// Asks the firmware what was started.
    pub(super) fn find() -> Slot {
        let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        let has_firmware = Path::new(VARIABLES).is_dir();
        if has_firmware && let Err(error) = mount("efivarfs", VARIABLES, "efivarfs", plain, c"") {
            say(&format!(
                "the firmware's variables cannot be read ({error}): this slot cannot be called good"
            ));
        }
        let value = std::fs::read(Path::new(VARIABLES).join(COUNTED)).ok();
        let counted = value.and_then(|value| counted_file(&value));
        if let Some(file) = &counted {
            say(&format!("this slot, {}, has to prove itself", file.display()));
        }
        Slot {
            counted,
            ready_since: None,
        }
    }

    /// As long as this slot has to prove itself, the machine may come back to another one: nothing is written that one of those
    /// would not know.
    pub(super) fn check_formats(&self, known: &str) -> Result<(), String> {
        let Some(counted) = &self.counted else { return Ok(()) };
        let others = with_partition(|root| others(root, counted))?;
        for (name, said) in others {
            let unknown = formats::unknown(known, &said);
            if !unknown.is_empty() {
                return Err(format!(
                    "this slot writes {}, which {name} does not read, and the machine may come back to that one; update it first to a version that reads both",
                    unknown.join(" and ")
                ));
            }
        }
        Ok(())
    }

    /// The daemon is ready, or crashed.
    pub(super) fn daemon_is_ready(&mut self, is_ready: bool) {
        self.ready_since = is_ready.then(Instant::now);
    }

    /// Calls the slot good when it has proved to be; `last_sign` is the daemon's last sign of life.
    pub(super) fn judge(&mut self, last_sign: Option<Instant>, now: Instant) {
        let (Some(file), Some(since)) = (&self.counted, self.ready_since) else {
            return;
        };
        if !is_good(since, last_sign, now) {
            return;
        }
        match take_count_away(file) {
            Ok(name) => say(&format!("this slot is good: {name}")),
            Err(why) => say(&format!("this slot is good and cannot be called so: {why}")),
        }
        self.counted = None;
    }
}

fn is_good(ready_since: Instant, last_sign: Option<Instant>, now: Instant) -> bool {
    let long_enough = now.duration_since(ready_since) >= GOOD_AFTER;
    long_enough && last_sign.is_some_and(|at| at.duration_since(ready_since) >= GOOD_AFTER / 2)
}

/// The value is four bytes of attributes, then a path in UTF-16 with backslashes and a zero at its end.
fn counted_file(value: &[u8]) -> Option<PathBuf> {
    let letters = value
        .get(4..)?
        .chunks_exact(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    let letters: Vec<u16> = letters.take_while(|letter| *letter != 0).collect();
    let path = String::from_utf16(&letters).ok()?.replace('\\', "/");
    let path = PathBuf::from(path.trim_start_matches('/'));
    uncounted(&path).is_some().then_some(path)
}

/// `NAME+2-1.efi` without its count.
fn uncounted(file: &Path) -> Option<PathBuf> {
    let name = file.file_name()?.to_str()?.strip_suffix(".efi")?;
    let (name, count) = name.rsplit_once('+')?;
    let is_count = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_count.then(|| file.with_file_name(format!("{name}.efi")))
}

fn take_count_away(file: &Path) -> Result<String, String> {
    with_partition(|root| {
        let renamed = rename(root, file);
        rustix::fs::sync();
        renamed
    })
}

/// Does something with the partition that firmware starts from.
fn with_partition<T>(work: impl FnOnce(&Path) -> Result<T, String>) -> Result<T, String> {
    let device = disks::find(ESP).ok_or_else(|| format!("no partition has the name {ESP}"))?;
    std::fs::create_dir_all(MOUNTED).map_err(|error| format!("{MOUNTED}: {error}"))?;
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount(&device, MOUNTED, "vfat", plain, c"").map_err(|error| format!("{} cannot be mounted: {error}", device.display()))?;
    let done = work(Path::new(MOUNTED));
    let gone = unmount(MOUNTED, UnmountFlags::empty()).map_err(|error| format!("{MOUNTED} cannot be unmounted: {error}"));
    done.and_then(|done| gone.map(|()| done))
}

/// The slots beside this one, by name, and what they say of the formats that they know.
fn others(root: &Path, counted: &Path) -> Result<Vec<(String, String)>, String> {
    let folder = root.join(counted.parent().unwrap_or(Path::new("")));
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let this = uncounted(counted);
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let is_this = |path: &Path| uncounted(path).is_some_and(|path| this.as_ref().and_then(|this| name(this)) == name(&path));
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let others = paths.filter(|path| path.extension().is_some_and(|word| word == "efi") && !is_this(path));
    Ok(others
        .filter_map(|path| Some((name(&path)?, formats::of_file(&path)?)))
        .collect())
}

fn rename(root: &Path, file: &Path) -> Result<String, String> {
    let good = uncounted(file).ok_or("its name has no count")?;
    let place = |path: &Path| root.join(path);
    // The loader has taken one off since it wrote the name down, or not, by its version: the file is looked for.
    let folder = place(file.parent().unwrap_or(Path::new("")));
    let entries = std::fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let counted = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| uncounted(path) == Some(place(&good)));
    let counted = counted.ok_or_else(|| format!("{} is not there any more", file.display()))?;
    std::fs::rename(&counted, place(&good)).map_err(|error| format!("{}: {error}", counted.display()))?;
    Ok(good.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(path: &str) -> Vec<u8> {
        let letters = path.encode_utf16().chain([0]).flat_map(u16::to_le_bytes);
        [7, 0, 0, 0].into_iter().chain(letters).collect()
    }

    #[test]
    fn a_counted_file_is_read_from_its_variable() {
        let file = counted_file(&value("\\EFI\\Linux\\blockhaul_0.1.1+2-1.efi")).expect("counted");
        assert_eq!(file, Path::new("EFI/Linux/blockhaul_0.1.1+2-1.efi"));
        assert_eq!(uncounted(&file).expect("counted"), Path::new("EFI/Linux/blockhaul_0.1.1.efi"));
        for other in ["\\EFI\\Linux\\blockhaul_0.1.1.efi", "\\EFI\\Linux\\a+b.efi", ""] {
            assert_eq!(counted_file(&value(other)), None, "{other}");
        }
        assert_eq!(counted_file(&[1]), None);
    }

    #[test]
    fn the_slots_beside_this_one_are_asked() {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path().join("EFI/Linux");
        std::fs::create_dir_all(&place).expect("made");
        for name in ["blockhaul_1.1+2-1.efi", "blockhaul_1.0.efi", "note.txt"] {
            std::fs::write(place.join(name), b"no program").expect("written");
        }
        // The loader counts down after it has written the name down.
        let this = Path::new("EFI/Linux/blockhaul_1.1+3.efi");
        assert_eq!(
            others(folder.path(), this),
            Ok(Vec::new()),
            "neither this one, nor what is no slot"
        );
        assert!(others(folder.path(), Path::new("nowhere/a+1.efi")).is_err());
    }

    #[test]
    fn a_slot_is_good_when_the_daemon_lives() {
        let since = Instant::now();
        let after = |seconds| since + Duration::from_secs(seconds);
        assert!(is_good(since, Some(after(28)), after(30)));
        assert!(!is_good(since, Some(after(28)), after(29)), "not yet");
        assert!(!is_good(since, Some(after(5)), after(60)), "it stood still");
        assert!(!is_good(since, None, after(60)));
    }
}
