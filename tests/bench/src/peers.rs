//! Other programs that move the same bytes from one volume to another over loopback, as well as each can.
//!
//! Both ends are children of this program, so that the kernel counts them when they have ended. What a peer does not do is said
//! beside its figures: none of them does all of what blockhaul does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::free_address;
use blockhaul_tests::programs::find;

use crate::cost::{Cost, kernel_workers};
use crate::sample::Sample;

/// Longest time for a server to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a peer moves.
pub struct Job<'a> {
    /// Device with the bytes.
    pub from: &'a Path,
    /// Device for them.
    pub to: &'a Path,
    /// A file with the same bytes.
    pub file: &'a Path,
    /// A folder for files that arrive, and for what a peer needs.
    pub folder: &'a Path,
    /// All bytes.
    pub bytes: u64,
}

/// One of them.
pub struct Peer {
    /// For tables.
    pub name: &'static str,
    /// Programs that must be there, and the package that has them.
    pub programs: &'static [(&'static str, &'static str)],
    /// What it leaves to others.
    pub lacks: &'static str,
    /// Does the job once.
    pub run: fn(&Job) -> Result<Sample>,
}

impl Peer {
    /// What is missing here, if anything.
    pub fn missing(&self) -> Option<String> {
        let missing: Vec<String> = self
            .programs
            .iter()
            .filter(|(program, _)| find(program).is_none())
            .map(|(program, package)| format!("{program} (package {package})"))
            .collect();
        (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(", ")))
    }
}

/// All of them.
pub const PEERS: [Peer; 8] = [
    Peer {
        name: "dd, socat",
        programs: &[("socat", "socat"), ("dd", "coreutils")],
        lacks: "verify, resume, encrypt, append",
        run: dd_socat,
    },
    Peer {
        name: "dd, socat with TLS",
        programs: &[("socat", "socat"), ("openssl", "openssl")],
        lacks: "verify on disk, resume, append",
        run: dd_socat_tls,
    },
    Peer {
        name: "qemu-img to qemu-nbd",
        programs: &[("qemu-img", "qemu-utils"), ("qemu-nbd", "qemu-utils")],
        lacks: "verify, resume, encrypt, append",
        run: qemu,
    },
    Peer {
        name: "nbdcopy to nbdkit",
        programs: &[("nbdcopy", "libnbd-bin"), ("nbdkit", "nbdkit")],
        lacks: "verify, resume, encrypt, append",
        run: nbdkit,
    },
    Peer {
        name: "nbdcopy to nbdkit with TLS",
        programs: &[("nbdcopy", "libnbd-bin"), ("nbdkit", "nbdkit"), ("openssl", "openssl")],
        lacks: "verify on disk, resume, append",
        run: nbdkit_tls,
    },
    Peer {
        name: "rsync daemon, whole file",
        programs: &[("rsync", "rsync")],
        lacks: "encrypt, raw devices, append",
        run: rsync,
    },
    Peer {
        name: "rclone to WebDAV",
        programs: &[("rclone", "rclone")],
        lacks: "flush, encrypt here, raw devices",
        run: rclone,
    },
    Peer {
        name: "btrfs send, receive",
        programs: &[("btrfs", "btrfs-progs"), ("mkfs.btrfs", "btrfs-progs"), ("socat", "socat")],
        lacks: "resume, encrypt, raw devices",
        run: btrfs,
    },
];

/// Something that is ended and waited for when it goes.
struct Server(Child);

impl Server {
    /// Starts a server and waits until it listens there.
    fn start(command: &mut Command, port: u16) -> Result<Server> {
        let server = Server(spawn(command)?);
        let begun = Instant::now();
        while !listens(port) {
            if begun.elapsed() > PATIENCE {
                return Err(format!("{command:?} does not listen"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }

    fn wait(mut self) -> Result<()> {
        let status = self.0.wait().map_err(|error| error.to_string())?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the receiving end failed ({status})"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let (Ok(None), Some(pid)) = (self.0.try_wait(), rustix::process::Pid::from_raw(self.0.id().cast_signed())) {
            // In good order: a server that is killed does not wait for its own children, and the kernel would not count them.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// Whether anybody listens, without calling there: some servers take one call only.
fn listens(port: u16) -> bool {
    let wanted = format!(":{port:04X}");
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().any(|table| {
        let lines = fs::read_to_string(table).unwrap_or_default();
        lines.lines().any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.len() > 3 && words[1].ends_with(&wanted) && words[3] == "0A"
        })
    })
}

fn spawn(command: &mut Command) -> Result<Child> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    child.map_err(|error| format!("{command:?} cannot be run: {error}"))
}

fn finish(command: &mut Command) -> Result<()> {
    let status = spawn(command)?.wait().map_err(|error| error.to_string())?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed ({status})"))
    }
}

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("set -o pipefail; {script}")]);
    command
}

fn port() -> Result<u16> {
    Ok(free_address()?.port())
}

/// Measures what both ends do, from the start of the server to its end.
fn measure(job: &Job, work: impl FnOnce() -> Result<()>) -> Result<Sample> {
    let (before, kernel, begun) = (Cost::of_children()?, kernel_workers(), Instant::now());
    work()?;
    let wall = begun.elapsed();
    let spent = Cost::of_children()? - before;
    Ok(Sample {
        bytes: job.bytes,
        wall,
        cpu: spent.cpu,
        kernel: kernel_workers().saturating_sub(kernel),
        wakeups: spent.wakeups,
        ..Sample::default()
    })
}

fn dd_socat(job: &Job) -> Result<Sample> {
    let port = port()?;
    socat(
        job,
        port,
        &format!("TCP-LISTEN:{port},bind=127.0.0.1"),
        &format!("TCP:127.0.0.1:{port}"),
    )
}

fn dd_socat_tls(job: &Job) -> Result<Sample> {
    let port = port()?;
    let pair = key_pair(job.folder)?.display().to_string();
    let listen = format!("OPENSSL-LISTEN:{port},bind=127.0.0.1,cert={pair},verify=0");
    socat(
        job,
        port,
        &listen,
        &format!("OPENSSL:127.0.0.1:{port},cafile={pair},verify=1,commonname=localhost"),
    )
}

fn socat(job: &Job, port: u16, listen: &str, connect: &str) -> Result<Sample> {
    let (from, to, count) = (job.from.display(), job.to.display(), job.bytes >> 20);
    measure(job, || {
        let receive =
            format!("socat -u -b 1048576 {listen} - | dd of={to} bs=1M iflag=fullblock oflag=direct conv=fsync,notrunc");
        let server = Server::start(&mut shell(&receive), port)?;
        let send = format!("dd if={from} bs=1M count={count} iflag=direct | socat -u -b 1048576 - {connect}");
        finish(&mut shell(&send))?;
        server.wait()
    })
}

fn key_pair(folder: &Path) -> Result<PathBuf> {
    let pair = folder.join("pair.pem");
    if !pair.exists() {
        let shown = pair.display();
        finish(&mut shell(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
             -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout {shown}.key -out {shown}.crt && cat {shown}.key {shown}.crt > {shown}"
        )))?;
    }
    Ok(pair)
}

fn qemu(job: &Job) -> Result<Sample> {
    let port = port()?;
    measure(job, || {
        let mut serve = Command::new("qemu-nbd");
        serve.args([
            "--format=raw",
            "--cache=none",
            "--aio=native",
            "--discard=ignore",
            "--bind=127.0.0.1",
        ]);
        let server = Server::start(serve.arg(format!("--port={port}")).arg(job.to), port)?;
        let mut copy = Command::new("qemu-img");
        copy.args([
            "convert", "-n", "-f", "raw", "-O", "raw", "-T", "none", "-t", "none", "-S", "0",
        ]);
        finish(copy.arg(job.from).arg(format!("nbd://127.0.0.1:{port}")))?;
        server.wait()
    })
}

fn nbdkit(job: &Job) -> Result<Sample> {
    let port = port()?;
    measure(job, || {
        let mut serve = Command::new("nbdkit");
        serve.args(["--foreground", "--ipaddr=127.0.0.1", &format!("--port={port}"), "file"]);
        let server = Server::start(serve.arg(format!("file={}", job.to.display())), port)?;
        let mut copy = Command::new("nbdcopy");
        copy.args(["--flush", "--no-extents", "--allocated", "--request-size=1048576"]);
        finish(copy.arg(job.from).arg(format!("nbd://127.0.0.1:{port}")))?;
        drop(server);
        Ok(())
    })
}

fn nbdkit_tls(job: &Job) -> Result<Sample> {
    let port = port()?;
    let pair = key_pair(job.folder)?;
    let keys = job.folder.join("nbd-keys");
    fs::create_dir_all(&keys).map_err(|error| error.to_string())?;
    for (from, to) in [("key", "server-key.pem"), ("crt", "server-cert.pem"), ("crt", "ca-cert.pem")] {
        fs::copy(format!("{}.{from}", pair.display()), keys.join(to)).map_err(|error| error.to_string())?;
    }
    let keys = keys.display().to_string();
    measure(job, || {
        let mut serve = Command::new("nbdkit");
        serve.args([
            "--foreground",
            "--ipaddr=127.0.0.1",
            &format!("--port={port}"),
            "--tls=require",
        ]);
        serve.arg(format!("--tls-certificates={keys}")).arg("file");
        let server = Server::start(serve.arg(format!("file={}", job.to.display())), port)?;
        let mut copy = Command::new("nbdcopy");
        copy.args(["--flush", "--no-extents", "--allocated", "--request-size=1048576"]);
        let uri = format!("nbds://127.0.0.1:{port}/?tls-certificates={keys}&tls-verify-peer=false");
        finish(copy.arg(job.from).arg(uri))?;
        drop(server);
        Ok(())
    })
}

fn rsync(job: &Job) -> Result<Sample> {
    let port = port()?;
    let into = fresh(job.folder, "rsync")?;
    let configuration = job.folder.join("rsyncd.conf");
    let module = format!(
        "use chroot = no\nuid = root\ngid = root\n[in]\npath = {}\nread only = no\n",
        into.display()
    );
    fs::write(&configuration, module).map_err(|error| error.to_string())?;
    let done = measure(job, || {
        let mut serve = Command::new("rsync");
        serve.args(["--daemon", "--no-detach", "--address=127.0.0.1", &format!("--port={port}")]);
        let server = Server::start(serve.arg(format!("--config={}", configuration.display())), port)?;
        let mut copy = Command::new("rsync");
        copy.args(["--whole-file", "--inplace", "--fsync"]).arg(job.file);
        finish(copy.arg(format!("rsync://127.0.0.1:{port}/in/")))?;
        drop(server);
        Ok(())
    });
    let _ = fs::remove_dir_all(into);
    done
}

fn rclone(job: &Job) -> Result<Sample> {
    let port = port()?;
    let into = fresh(job.folder, "rclone")?;
    let done = measure(job, || {
        let mut serve = Command::new("rclone");
        serve
            .env("HOME", job.folder)
            .args(["serve", "webdav", &format!("--addr=127.0.0.1:{port}")]);
        let server = Server::start(serve.arg(&into), port)?;
        let mut copy = Command::new("rclone");
        copy.env("HOME", job.folder).arg("copyto").arg(job.file);
        finish(copy.arg(format!(":webdav,url='http://127.0.0.1:{port}':file")))?;
        drop(server);
        Ok(())
    });
    let _ = fs::remove_dir_all(into);
    done
}

/// Two file systems on the two devices; what was on the devices is gone afterwards.
fn btrfs(job: &Job) -> Result<Sample> {
    let port = port()?;
    let (a, b) = (fresh(job.folder, "btrfs-a")?, fresh(job.folder, "btrfs-b")?);
    let image = job.folder.join("btrfs-source");
    let (from, to, file, image) = (a.display(), b.display(), job.file.display(), image.display());
    let device = job.to.display();
    let size = job.bytes + job.bytes / 4 + (256 << 20);
    let prepared = finish(&mut shell(&format!(
        "truncate -s {size} {image} && mkfs.btrfs -q -f {image} && mount -o loop {image} {from} && mkfs.btrfs -q -f {device} \
         && mount {device} {to} && btrfs subvolume create {from}/v && cp {file} {from}/v/ && btrfs subvolume snapshot -r {from}/v {from}/s && sync -f {from}"
    )));
    let done = prepared.and_then(|()| {
        measure(job, || {
            let receive = format!("socat -u -b 1048576 TCP-LISTEN:{port},bind=127.0.0.1 - | btrfs receive {to} && sync -f {to}");
            let server = Server::start(&mut shell(&receive), port)?;
            let send = format!("btrfs send --proto 2 {from}/s | socat -u -b 1048576 - TCP:127.0.0.1:{port}");
            finish(&mut shell(&send))?;
            server.wait()
        })
    });
    // Whatever of it was mounted; an error says only that it was not.
    let _ = finish(&mut shell(&format!("umount {from}; umount {to}; rm -f {image}")));
    done
}

fn fresh(folder: &Path, name: &str) -> Result<PathBuf> {
    let path = folder.join(name);
    fs::create_dir_all(&path).map_err(|error| format!("{} cannot be made: {error}", path.display()))?;
    Ok(path)
}
