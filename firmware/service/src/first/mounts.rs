//! The file systems of the image: those of the kernel, and the one that holds the daemon's state.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::{disks, say};

/// Where the daemon's state lies in an image.
const STATE: &str = "/var/lib/blockhaul";

/// The state's file system when it is a volume.
const STATE_FILE_SYSTEM: &str = "ext4";

/// A disk may need this long to show up after its driver was loaded.
const STATE_WAIT: Duration = Duration::from_secs(10);
const STATE_POLL: Duration = Duration::from_millis(50);

/// Mounts what the kernel offers.
pub(super) fn system() -> Result<(), String> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    one("proc", "/proc", "proc", plain, "")?;
    one("sysfs", "/sys", "sysfs", plain, "")?;
    one(
        "devtmpfs",
        "/dev",
        "devtmpfs",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        "mode=0755",
    )?;
    one("tmpfs", "/run", "tmpfs", plain, "mode=0755")?;
    let sockets = Path::new("/run/blockhaul");
    fs::create_dir_all(sockets).map_err(|error| format!("{} cannot be created: {error}", sockets.display()))
}

/// Mounts the state volume called `name`, or memory if the image asks for no volume or there is none.
pub(super) fn state(name: Option<&str>) -> Result<(), String> {
    let plain = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if let Some(name) = name {
        match wait_for(name) {
            Some(device) => {
                // A volume that is there but cannot be used is not replaced by memory: the daemon would start as somebody
                // else, with another identity and without its settings.
                one(
                    &device.to_string_lossy(),
                    STATE,
                    STATE_FILE_SYSTEM,
                    plain,
                    "errors=remount-ro",
                )?;
                say(&format!("state volume {name} is {}", device.display()));
                return Ok(());
            }
            None => say(&format!(
                "no state volume: no disk has the serial and no partition the name {name}. Attach it and restart"
            )),
        }
    }
    one("tmpfs", STATE, "tmpfs", plain, "mode=0700")?;
    say("state is kept in memory: identity and settings are lost when the machine is switched off");
    Ok(())
}

/// Writes everything back and unmounts the state. Whatever still uses it does not stop the machine from going down.
pub(super) fn let_go() {
    rustix::fs::sync();
    if let Err(error) = unmount(STATE, UnmountFlags::empty())
        && error != Errno::INVAL
    {
        say(&format!("{STATE} is still in use ({error}); all of it has been written"));
    }
}

fn one(source: &str, target: &str, kind: &str, flags: MountFlags, options: &str) -> Result<(), String> {
    fs::create_dir_all(target).map_err(|error| format!("{target} cannot be created: {error}"))?;
    let options = std::ffi::CString::new(options).map_err(|_| format!("the options of {target} hold a zero byte"))?;
    match mount(source, target, kind, flags, options.as_c_str()) {
        Ok(()) => Ok(()),
        // The kernel, or whoever started us, mounted it already.
        Err(Errno::BUSY) => Ok(()),
        Err(error) => Err(format!("{source} cannot be mounted on {target} as {kind}: {error}")),
    }
}

fn wait_for(name: &str) -> Option<PathBuf> {
    let deadline = Instant::now() + STATE_WAIT;
    loop {
        let found = disks::find(name);
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        thread::sleep(STATE_POLL);
    }
}
