//! The daemon as a process: it starts, says that it is ready, keeps a second one out, and ends in good order.
//! Not here: what it does between, which is the stories' (`tests/`).
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockhauld"));
    command
        .arg("--state")
        .arg(folder.join("state"))
        .arg("--socket")
        .arg(folder.join("control.sock"));
    command.args(["--listen", "127.0.0.1:0", "--memory", "8MiB"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon that has said that it is ready, and the line in which it said so.
fn start(folder: &Path) -> (Daemon, String) {
    let mut daemon = Daemon(command(folder).spawn().unwrap());
    let mut lines = BufReader::new(daemon.0.stderr.take().unwrap());
    let mut said = String::new();
    let ready = loop {
        let mut line = String::new();
        assert_ne!(lines.read_line(&mut line).unwrap(), 0, "it ended: {said}");
        if line.contains("ready:") {
            break line;
        }
        said += &line;
    };
    // Somebody must go on reading, or the log fills the pipe.
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    (daemon, ready)
}

fn run(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap(), said)
}

#[test]
fn starts_keeps_a_second_one_out_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let (mut daemon, ready) = start(folder.path());
    for part in ["8 MiB of block memory", "listening on 127.0.0.1:", "fingerprint "] {
        assert!(ready.contains(part), "{ready}");
    }
    let mut program = UnixStream::connect(folder.path().join("control.sock")).unwrap();

    let (code, said) = run(&mut command(folder.path()));
    assert_eq!(code, 1);
    assert!(said.contains("in use by another blockhauld"), "{said}");

    // Keys are in its memory: it cannot be read by others of the same user.
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", daemon.0.id())).unwrap();
    assert!(
        limits.lines().any(|line| line.starts_with("Max core file size        0")),
        "{limits}"
    );
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");

    kill_process(Pid::from_child(&daemon.0), Signal::TERM).unwrap();
    let start = Instant::now();
    let status = daemon.0.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(10));
    assert!(!folder.path().join("control.sock").exists());
    program.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(program.read(&mut [0; 1]).unwrap_or(0), 0);
}

#[test]
fn a_killed_one_can_be_started_again_with_the_same_identity() {
    let folder = tempfile::tempdir().unwrap();
    let fingerprint = |ready: &str| ready.split("fingerprint ").nth(1).map(str::trim).map(str::to_owned).unwrap();
    let (daemon, first) = start(folder.path());
    drop(daemon);
    assert!(folder.path().join("control.sock").exists(), "left behind by the kill");
    let (_daemon, second) = start(folder.path());
    assert_eq!(fingerprint(&first), fingerprint(&second));
}

#[test]
fn wrong_options_are_two() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = run(command(folder.path()).arg("--speed"));
    assert_eq!(code, 2);
    assert!(
        said.contains("there is no option --speed") && said.contains("Usage: blockhauld"),
        "{said}"
    );
}

#[test]
fn version_and_help() {
    let binary = || Command::new(env!("CARGO_BIN_EXE_blockhauld"));
    assert_eq!(
        run(binary().arg("--version")),
        (
            0,
            format!(
                "blockhauld {}\nblockhaul-formats: writes volume-1 settings-1; reads volume-1 settings-1;\n",
                env!("CARGO_PKG_VERSION")
            )
        )
    );
    let (code, said) = run(binary().arg("--help"));
    assert_eq!(code, 0);
    assert!(said.starts_with("Usage: blockhauld"));
}
