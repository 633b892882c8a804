//! What a process can give up before it listens to anybody: core dumps, being traced, gaining privileges. Not a sandbox.

use rustix::io;
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};
use rustix::thread::set_no_new_privs;

/// Gives it up, and takes as many descriptors as are allowed: each link and each volume needs one.
pub fn apply() -> Result<(), String> {
    let refused = |what: &'static str| move |error: io::Errno| format!("the kernel refuses to {what}: {error}");
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )
    .map_err(refused("switch off core dumps"))?;
    // Keys are in memory: nobody but root may trace this process or read its memory.
    set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(refused("switch off dumps and tracing"))?;
    set_no_new_privs(true).map_err(refused("rule out new privileges"))?;
    let descriptors = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: descriptors.maximum,
            ..descriptors
        },
    )
    .map_err(refused("raise the number of descriptors to the limit"))
}
