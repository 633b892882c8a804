//! Loads the kernel modules of the image. Their order was worked out when the image was baked.

use std::fs::File;

use rustix::io::Errno;
use rustix::system::finit_module;

use super::say;

const FOLDER: &str = "/lib/modules";

/// Loads each file in turn. One that does not load is named and passed over: what hangs on it will be missing, the rest works.
pub(super) fn load_all(names: Vec<String>) {
    let mut loaded = 0_usize;
    for name in &names {
        match load(name) {
            Ok(()) => loaded += 1,
            Err(error) => say(&format!("the kernel module {name} does not load: {error}")),
        }
    }
    say(&format!("{loaded} of {} kernel modules loaded", names.len()));
}

fn load(name: &str) -> Result<(), String> {
    let file = File::open(format!("{FOLDER}/{name}")).map_err(|error| error.to_string())?;
    match finit_module(&file, c"", 0) {
        // It is built in, or loaded by another one.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(Errno::NODEV) => Err("this machine does not have the hardware".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
