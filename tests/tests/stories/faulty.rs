//! A block device that fails on order: errors at chosen sectors, a frozen device, a dead one, and a log of everything written to it.
//!
//! `qemu-storage-daemon` serves an image through a write log and a filter that injects errors; FUSE makes a file of that, and a loop device a
//! disk with a write cache. It is reached through a link, as device names are given out anew after each death. What the host keeps in its
//! page cache outlives the server: losing power is modelled by replaying the log (`writes.rs`), not by killing.
//!
//! Invariant: server, mount and loop device do not outlive this value, whatever state they are in.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use blockhaul_tests::Result;
use blockhaul_tests::programs::find;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::stage::PATIENCE;
use crate::volume::{Loop, blank, system};

const SERVER: &str = "qemu-storage-daemon";
/// Errors are placed by these, whatever the device's own sector is.
const SECTOR_BYTES: u64 = 512;
const EIO: u32 = 5;
/// Room for the log; a hole until it is written.
const LOG_BYTES: u64 = 4 << 30;

/// An error (EIO) that waits for an operation.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    operation: &'static str,
    at_bytes: Option<u64>,
    once: bool,
}

impl Fault {
    /// Reads that touch this byte fail.
    pub fn read(at_bytes: u64) -> Fault {
        Fault::new("read", Some(at_bytes))
    }

    /// Writes that touch this byte fail.
    pub fn write(at_bytes: u64) -> Fault {
        Fault::new("write", Some(at_bytes))
    }

    /// Flushes fail.
    pub fn flush() -> Fault {
        Fault::new("flush", None)
    }

    fn new(operation: &'static str, at_bytes: Option<u64>) -> Fault {
        Fault {
            operation,
            at_bytes,
            once: false,
        }
    }

    /// Only the first time.
    pub fn once(self) -> Fault {
        Fault { once: true, ..self }
    }

    fn rule(&self) -> Value {
        let mut rule = json!({ "event": "none", "iotype": self.operation, "errno": EIO, "once": self.once });
        if let Some(at_bytes) = self.at_bytes {
            rule["sector"] = json!(at_bytes / SECTOR_BYTES);
        }
        rule
    }
}

/// The device.
pub struct FaultyDisk {
    folder: PathBuf,
    server: Option<Server>,
    device: Option<Loop>,
    /// Filters so far: each has a name of its own.
    filters: u32,
}

impl FaultyDisk {
    /// A blank device without faults; it has a folder of its own in `folder`.
    pub fn new(folder: &Path, name: &str, bytes: u64) -> Result<FaultyDisk> {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut disk = FaultyDisk {
            folder,
            server: None,
            device: None,
            filters: 0,
        };
        blank(&disk.image(), bytes)?;
        disk.plug_in()?;
        Ok(disk)
    }

    /// Path of the device, for the settings.
    pub fn path(&self) -> PathBuf {
        self.folder.join("device")
    }

    /// What is on it.
    pub fn image(&self) -> PathBuf {
        self.folder.join("image")
    }

    /// What was written to it since it was plugged in last.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Takes it out, whatever state it is in, and plugs it in again: it is well, and has a new name.
    pub fn plug_in(&mut self) -> Result<()> {
        self.unplug();
        let [image, log, mount] = [self.image(), self.log(), self.folder.join("mount")];
        let _ = std::fs::remove_file(&log);
        blank(&log, LOG_BYTES)?;
        blank(&mount, 0)?;
        self.server = Some(Server::start(&image, &log, &mount, &self.folder.join("words"))?);
        let device = Loop::attach_served(&mount)?;
        let path = self.path();
        let _ = std::fs::remove_file(&path);
        std::os::unix::fs::symlink(&device.device, &path).map_err(|error| format!("{}: {error}", path.display()))?;
        self.device = Some(device);
        Ok(())
    }

    /// These faults wait from now on, and no others.
    pub fn arm(&mut self, faults: &[Fault]) -> Result<()> {
        self.filters += 1;
        let name = format!("errors{}", self.filters);
        let rules: Vec<Value> = faults.iter().map(Fault::rule).collect();
        let filter = json!({ "driver": "blkdebug", "node-name": name, "image": "log", "inject-error": rules });
        let server = self.server.as_mut().ok_or("the device is not plugged in")?;
        server.call("blockdev-add", &filter)?;
        server.put_on_top(&name)
    }

    /// Nothing that is asked of it is answered any more.
    pub fn freeze(&self) -> Result<()> {
        self.server
            .as_ref()
            .ok_or("the device is not plugged in")?
            .signal(Signal::STOP)
    }

    /// It goes on where it was.
    pub fn thaw(&self) -> Result<()> {
        self.server
            .as_ref()
            .ok_or("the device is not plugged in")?
            .signal(Signal::CONT)
    }

    /// It is dead: everything that is asked of it fails.
    pub fn die(&mut self) {
        self.server = None;
    }

    fn unplug(&mut self) {
        // Dead first: then nothing hangs that waits for it.
        self.server = None;
        if self.device.take().is_some() {
            let mount = self.folder.join("mount").display().to_string();
            // Whoever still has the device open keeps the mount busy.
            let _ = system("umount", &["--lazy", &mount]);
        }
    }
}

impl Drop for FaultyDisk {
    fn drop(&mut self) {
        self.unplug();
    }
}

/// The process that serves the image, and its control connection. Killed when this goes.
struct Server {
    process: Child,
    calls: ChildStdin,
    replies: Receiver<String>,
    words: PathBuf,
}

impl Server {
    fn start(image: &Path, log: &Path, mount: &Path, words: &Path) -> Result<Server> {
        let program = find(SERVER).ok_or_else(|| format!("{SERVER} is not there; `cargo ci` says which packages to install"))?;
        let [image, log, mount] = [image, log, mount].map(|path| path.display().to_string());
        let file = |name: &str, path: &str| format!("driver=file,node-name={name},filename={path},locking=off,cache.no-flush=on");
        let said = File::create(words).map_err(|error| format!("{}: {error}", words.display()))?;
        let process = Command::new(program)
            .args(["--blockdev", &file("image", &image)])
            .args(["--blockdev", &file("log-file", &log)])
            .args([
                "--blockdev",
                "driver=blklogwrites,node-name=log,file=image,log=log-file,log-sector-size=512",
            ])
            .args(["--blockdev", "driver=raw,node-name=top,file=log"])
            .args([
                "--export",
                &format!("type=fuse,id=export,node-name=top,mountpoint={mount},writable=on"),
            ])
            .args(["--chardev", "stdio,id=control", "--monitor", "chardev=control"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn();
        let mut process = process.map_err(|error| format!("{SERVER}: {error}"))?;
        let pipes = process.stdin.take().zip(process.stdout.take());
        let (calls, printed) = pipes.ok_or("no pipes to the server")?;
        let (sender, replies) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(printed).lines().map_while(std::result::Result::ok);
            lines.into_iter().try_for_each(|line| sender.send(line))
        });
        let words = words.to_path_buf();
        let mut server = Server {
            process,
            calls,
            replies,
            words,
        };
        // It answers when everything above is there.
        server.call("qmp_capabilities", &json!({}))?;
        Ok(server)
    }

    /// A call of the QEMU Machine Protocol, and its answer.
    fn call(&mut self, name: &str, arguments: &Value) -> Result<()> {
        let call = json!({ "execute": name, "arguments": arguments });
        let asked = writeln!(self.calls, "{call}").and_then(|()| self.calls.flush());
        let why = |what: &str| {
            let words = std::fs::read_to_string(&self.words).unwrap_or_default();
            format!("{SERVER} does not do {call}: {what} {words}")
        };
        asked.map_err(|error| why(&error.to_string()))?;
        loop {
            let line = self.replies.recv_timeout(PATIENCE).map_err(|error| why(&error.to_string()))?;
            let reply: Value = serde_json::from_str(&line).map_err(|_| why(&line))?;
            if reply.get("return").is_some() {
                return Ok(());
            }
            if reply.get("error").is_some() {
                return Err(why(&line));
            }
        }
    }

    /// Has the export use another node from now on.
    fn put_on_top(&mut self, node: &str) -> Result<()> {
        let top = json!({ "driver": "raw", "node-name": "top", "file": node });
        self.call("blockdev-reopen", &json!({ "options": [top] }))
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(Pid::from_child(&self.process), signal).map_err(|error| format!("{SERVER}: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
