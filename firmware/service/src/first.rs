//! The first process of an appliance image: it makes the machine ready, starts the daemon as its child, and stays beside it to
//! its end.
//!
//! It is not a service manager: it knows the daemon and the vendor's own programs, and starts nothing else. What it does is told
//! by files baked into the image below `/etc/blockhaul`, one item per line: `arguments`, `formats`, `modules`, `nics`, `programs`,
//! `state`, `version`.
//! The daemon is the same program, started once more; so its failure is not the kernel's, and all orphans come here.
//! Invariants: nothing here runs unless this is process 1; whatever goes wrong is said on the console in a sentence; the
//! machine is never left without a first process, and never runs on for long without a daemon.

mod crashes;
mod dhcp;
mod disks;
mod formats;
mod modules;
mod mounts;
mod nics;
mod power;
mod programs;
mod signs;
mod slot;
mod watchdog;

use std::ffi::OsString;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::SigSet;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, wait};
use rustix::system::{RebootCommand, reboot};

use crashes::Crashes;
use programs::Programs;
use signs::{Sign, Signs};
use slot::Slot;
use watchdog::Watchdog;

/// Where the files of the image lie that say what to do.
const SETTINGS: &str = "/etc/blockhaul";

/// This program, as it lies in an image.
const DAEMON: &str = "/init";

/// Children that ended are looked for this often at least, and the watchdog is fed.
const TICK: Duration = Duration::from_secs(1);

/// After a failed start the machine restarts after this time, long enough to read the console.
const RESTART_DELAY: Duration = Duration::from_secs(30);

/// A daemon that crashed is started again after this time.
const CRASH_DELAY: Duration = Duration::from_secs(1);

/// An ordered stop that takes longer than this is given up; the archives recover as after a power cut.
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// What asks for the end of the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    PowerOff,
    Restart,
}

impl Asked {
    fn end(self) -> ! {
        match self {
            Asked::PowerOff => end("switching off", RebootCommand::PowerOff),
            Asked::Restart => end("restarting", RebootCommand::Restart),
        }
    }
}

/// Does the duties of a first process to the machine's end. Returns where this is another process; then nothing was done.
pub fn run_if_first() {
    if !getpid().is_init() {
        return;
    }
    let Err(reason) = run();
    fail(&reason)
}

fn run() -> Result<std::convert::Infallible, String> {
    let version = lines("version").into_iter().next().unwrap_or_default();
    say(&format!("first process of this machine, preparing it; image {version}"));
    mounts::system()?;
    // Before anything is started that could be told to stop.
    let (ask, asked) = channel();
    power::watch_signals(ask.clone())?;
    disks::look_into_readers();
    modules::load_all(lines("modules"));
    let mut watchdog = Watchdog::find();
    nics::set_up(lines("nics"));
    disks::report();
    mounts::state(lines("state").first().map(String::as_str))?;
    power::watch_button(&ask);
    let mut slot = Slot::find();
    slot.check_formats(&formats::of_this(&lines("formats")))?;
    let mut signs = Signs::open()?;
    let mut programs = Programs::new(&lines("programs"));
    let mut crashes = Crashes::default();
    let mut daemon = start_daemon()?;
    let mut stopping: Option<(Asked, Instant)> = None;
    loop {
        let now = Instant::now();
        match signs.wait(TICK) {
            Some(Sign::Ready) => {
                say(&format!("ready {} s after the kernel started", uptime()));
                programs.start_all();
                slot.daemon_is_ready(true);
            }
            Some(Sign::Alive) | None => {}
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            if pid != daemon {
                programs.ended(pid, status, now);
                continue;
            }
            daemon = match (stopping, status.terminating_signal()) {
                (Some((asked, _)), _) => asked.end(),
                (None, None) if status.exit_status() == Some(0) => Asked::PowerOff.end(),
                (None, None) => return Err(format!("the daemon ended: {}", ending(status))),
                (None, Some(_)) if crashes.too_many(now) => {
                    return Err(format!(
                        "the daemon crashed again and again, the last time: {}",
                        ending(status)
                    ));
                }
                (None, Some(_)) => {
                    say(&format!("the daemon crashed ({}) and is started again", ending(status)));
                    slot.daemon_is_ready(false);
                    thread::sleep(CRASH_DELAY);
                    start_daemon()?
                }
            };
        }
        if let (Ok(asked), None) = (asked.try_recv(), stopping) {
            programs.stop_all();
            if let Err(error) = kill_process(daemon, Signal::TERM) {
                say(&format!("the daemon cannot be told to stop: {error}"));
            }
            stopping = Some((asked, now + STOP_LIMIT));
        }
        if let Some((asked, _)) = stopping.filter(|(_, limit)| *limit <= now) {
            say(&format!("the daemon did not stop within {} s", STOP_LIMIT.as_secs()));
            asked.end();
        }
        if stopping.is_none() {
            programs.restart_due(now);
        }
        watchdog.feed(signs.last(), now);
        slot.judge(signs.last(), now);
    }
}

fn start_daemon() -> Result<Pid, String> {
    let arguments = lines("arguments").into_iter().map(OsString::from);
    let mut command = Command::new(DAEMON);
    command.env_clear().args(arguments);
    signs::announce(&mut command);
    spawn(&mut command).map_err(|error| format!("the daemon cannot be started: {error}"))
}

/// Starts a child that gets all signals. A child has the mask of whoever starts it, and here they are held back, so they are let
/// through for that moment; one that comes just then is lost, and has to be sent again.
fn spawn(command: &mut Command) -> std::io::Result<Pid> {
    let held = SigSet::thread_get_mask()?;
    SigSet::empty().thread_set_mask()?;
    let child = command.spawn();
    held.thread_set_mask()?;
    child.map(|child| Pid::from_child(&child))
}

/// How a process ended, for people.
fn ending(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no reason known".to_owned(),
    }
}

/// Says why the machine cannot go on, waits so that it can be read, and restarts it.
fn fail(reason: &str) -> ! {
    say(reason);
    say(&format!(
        "the daemon does not run; the machine restarts in {} s",
        RESTART_DELAY.as_secs()
    ));
    thread::sleep(RESTART_DELAY);
    Asked::Restart.end()
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

/// Seconds since the kernel started, as it prints them.
fn uptime() -> String {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
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
    fn an_ordinary_process_does_nothing_of_it() {
        run_if_first();
    }

    #[test]
    fn an_end_is_said_for_people() {
        // The status is wanted as the first process gets it, so it is not the child that is asked.
        #[allow(clippy::zombie_processes)]
        let ended = |script: &str| {
            let child = Command::new("sh").args(["-c", script]).spawn().expect("a shell");
            let pid = Pid::from_child(&child);
            let status = rustix::process::waitpid(Some(pid), WaitOptions::empty());
            ending(status.expect("a child").expect("it ended").1)
        };
        assert_eq!(ended("exit 3"), "exit 3");
        assert_eq!(ended("kill -SEGV $$"), "signal 11");
    }
}
