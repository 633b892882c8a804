//! One real appliance: a daemon of its own with a folder of its own, driven by the real command line.
//!
//! Invariant: the daemon does not outlive this value.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::Result;
use crate::client::Client;
use crate::programs::Programs;

/// Longest time for a daemon to answer after its start, or to be gone after being asked to stop.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A daemon that can be killed and started again, with its state and log in one folder. Derefs to its [`Client`].
pub struct Appliance {
    client: Client,
    folder: PathBuf,
    program: PathBuf,
    listen: Option<SocketAddr>,
    daemon: Option<Child>,
    options: Vec<String>,
    /// The control socket is elsewhere: its path may have 107 bytes only, and a source tree may lie deep.
    _socket_folder: TempDir,
}

impl Appliance {
    /// An appliance that is not started. `listen` is where peers find it; none for one that only calls others.
    pub fn new(name: &str, folder: &Path, programs: &Programs, listen: Option<SocketAddr>) -> Result<Appliance> {
        let folder = folder.join(name);
        fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        let socket_folder = TempDir::with_prefix("bh-").map_err(|error| format!("no folder for a socket: {error}"))?;
        let client = Client::new(name, &programs.command, &socket_folder.path().join("control"));
        let program = programs.daemon.clone();
        Ok(Appliance {
            client,
            folder,
            program,
            listen,
            daemon: None,
            options: Vec::new(),
            _socket_folder: socket_folder,
        })
    }

    /// An option of the daemon for every start from now on.
    pub fn add_option(&mut self, option: &str, value: &str) {
        self.options.extend([option.to_owned(), value.to_owned()]);
    }

    /// Another build of the daemon from the next start on.
    pub fn set_program(&mut self, program: &Path) {
        self.program = program.to_path_buf();
    }

    /// Folder for whatever belongs to it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Starts the daemon and waits until it answers.
    pub fn start(&mut self) -> Result<()> {
        let log = self.log_path();
        let log = File::options().create(true).append(true).open(&log);
        let log = log.map_err(|error| format!("the log of {} cannot be written: {error}", self.name()))?;
        let mut daemon = Command::new(&self.program);
        daemon
            .arg("--state")
            .arg(self.folder.join("state"))
            .arg("--socket")
            .arg(self.socket());
        if let Some(listen) = self.listen {
            daemon.arg("--listen").arg(listen.to_string());
        }
        daemon.args(&self.options);
        let copy = log.try_clone().map_err(|error| error.to_string())?;
        let daemon = daemon.stdin(Stdio::null()).stdout(copy).stderr(log).spawn();
        let daemon = daemon.map_err(|error| format!("{} cannot be run: {error}", self.program.display()))?;
        self.daemon = Some(daemon);
        let begun = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Err(format!(
                    "The daemon of {} ended at its start ({status}): {}",
                    self.name(),
                    self.last_words()
                ));
            }
            match self.call(&["identity"]) {
                Ok(_) => return Ok(()),
                Err(why) if begun.elapsed() > PATIENCE => {
                    return Err(format!(
                        "The daemon of {} does not answer: {why} {}",
                        self.name(),
                        self.last_words()
                    ));
                }
                Err(_) => thread::sleep(LOOK_EVERY),
            }
        }
    }

    /// Process of the daemon; 0 if it does not run.
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().map_or(0, Child::id)
    }

    /// How the daemon ended, if it did.
    pub fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.daemon.as_mut().and_then(|daemon| daemon.try_wait().ok().flatten())
    }

    /// `kill -9`: no chance to finish anything.
    pub fn kill(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }

    /// Asks the daemon to stop and waits until it has.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut daemon) = self.daemon.take() else { return Ok(()) };
        let _ = kill_process(Pid::from_child(&daemon), Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            match daemon.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("The daemon of {} stopped badly: {status}.", self.name())),
                Ok(None) => thread::sleep(LOOK_EVERY),
                Err(error) => return Err(error.to_string()),
            }
        }
        let _ = daemon.kill();
        let _ = daemon.wait();
        Err(format!(
            "The daemon of {} did not stop within {} s.",
            self.name(),
            PATIENCE.as_secs()
        ))
    }

    /// What each thread of the daemon does or waits for, as the kernel tells root: for one that does not answer.
    pub fn threads(&self) -> String {
        let pid = self.pid();
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        let told = tasks.map(|task| {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let words = ["comm", "wchan", "syscall", "stat"].map(|name| read(name).trim().to_owned());
            format!("{}\n{}", words.join(" | "), read("stack"))
        });
        told.collect::<Vec<String>>().join("\n")
    }

    /// Path of what the daemon said.
    pub fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The last lines of what the daemon said.
    pub fn last_words(&self) -> String {
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Deref for Appliance {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Appliance {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address on the loopback interface that nobody listens on now.
pub fn free_address() -> Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .map_err(|error| format!("no free port on the loopback interface: {error}"))
}
