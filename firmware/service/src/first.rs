//! The daemon's duties when it is the first process of an appliance image: what comes before its ordinary start, and what
//! comes after its ordinary end.
//!
//! It is not a service manager: the daemon is the only program of the image. What it does is told by files baked into the
//! image below `/etc/blockhaul`, one item per line: `arguments`, `modules`, `nics`, `state`.
//! Invariants: nothing here runs unless this is process 1; whatever goes wrong is said on the console in a sentence; the
//! machine is never left without a first process.

mod disks;
mod modules;
mod mounts;
mod nics;
mod power;

use std::ffi::OsString;
use std::thread;
use std::time::Duration;

use rustix::process::{WaitOptions, getpid, wait};
use rustix::system::{RebootCommand, reboot};

/// Where the files of the image lie that say what to do.
const SETTINGS: &str = "/etc/blockhaul";

/// Orphans are collected this often. There are none as long as the daemon is alone.
const REAP_PERIOD: Duration = Duration::from_secs(1);

/// After a failed start the machine restarts after this time, long enough to read the console.
const RESTART_DELAY: Duration = Duration::from_secs(30);

/// What the daemon needs to know for its ordinary start.
#[derive(Debug)]
pub struct Prepared {
    /// Its arguments, without the program's name: the kernel gives process 1 none.
    pub arguments: Vec<OsString>,
}

/// Makes the machine ready: mounts, modules, network interfaces, state directory, power button.
///
/// Returns nothing where this is not the first process; then there is nothing to do here.
pub fn prepare() -> Result<Option<Prepared>, String> {
    if !getpid().is_init() {
        return Ok(None);
    }
    say("first process of this machine, preparing it");
    mounts::system()?;
    modules::load_all(lines("modules"));
    nics::set_up(lines("nics"));
    disks::report();
    mounts::state(lines("state").first().map(String::as_str))?;
    power::watch();
    start_thread("reaper", || {
        loop {
            reap();
            thread::sleep(REAP_PERIOD);
        }
    });
    Ok(Some(Prepared {
        arguments: lines("arguments").into_iter().map(OsString::from).collect(),
    }))
}

/// Collects all children that ended.
pub fn reap() {
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
}

/// Switches the machine off. The daemon has stopped by now; what is mounted is written back and let go.
pub fn power_off() -> ! {
    end("switching off", RebootCommand::PowerOff)
}

/// Says why the daemon could not start or go on, waits so that it can be read, and restarts the machine.
pub fn fail(reason: &str) -> ! {
    say(reason);
    say(&format!(
        "the daemon does not run; the machine restarts in {} s",
        RESTART_DELAY.as_secs()
    ));
    thread::sleep(RESTART_DELAY);
    end("restarting", RebootCommand::Restart)
}

fn end(what: &str, command: RebootCommand) -> ! {
    mounts::let_go();
    say(what);
    // Returns only where it is refused, and a first process must not end: the kernel would panic.
    if let Err(error) = reboot(command) {
        say(&format!("the kernel refuses ({error}); switch the machine off by hand"));
    }
    loop {
        thread::park();
    }
}

/// Writes a line for the technician at the console.
fn say(message: &str) {
    println!("blockhaul: {message}");
}

/// Reads a file of the image's settings; a missing one is an empty one.
fn lines(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(format!("{SETTINGS}/{name}")).unwrap_or_default();
    text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) {
    if let Err(error) = thread::Builder::new().name(name.to_owned()).spawn(work) {
        say(&format!("the thread {name} cannot be started: {error}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_process_prepares_nothing() {
        assert!(prepare().expect("nothing is done").is_none());
    }
}
