//! A server on a real Unix socket that speaks the framing of `docs/control.md` and answers from a script.
//!
//! Not a daemon: it decides nothing. It keeps what it was called with, so that tests can look at it.
#![allow(dead_code, clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What follows on a call.
pub enum Script {
    /// These messages, each with its NUL.
    Answers(Vec<Value>),
    /// These bytes as they are.
    Raw(Vec<u8>),
    /// Take bytes until the caller closes its sending side, then this message.
    Take(Value),
    /// Nothing, for so long; then this message.
    Late(Duration, Value),
    /// The connection is closed.
    Close,
}

/// One answer with these parameters.
pub fn answer(parameters: Value) -> Script {
    Script::Answers(vec![json!({ "parameters": parameters })])
}

/// One refusal.
pub fn refusal(code: &str) -> Value {
    let parameters = json!({ "code": code, "sentence": format!("It is {code}."), "next": "Do something else." });
    json!({ "error": format!("io.blockhaul.{code}"), "parameters": parameters })
}

/// What the server has seen.
#[derive(Clone, Default)]
pub struct Seen {
    /// All calls.
    pub calls: Arc<Mutex<Vec<Value>>>,
    /// Bytes of streams.
    pub bytes: Arc<Mutex<Vec<u8>>>,
}

/// The server, and the folder its socket is in.
pub struct Server {
    /// Folder for a test's files.
    pub folder: tempfile::TempDir,
    /// What it has seen.
    pub seen: Seen,
}

impl Server {
    /// Starts a server that answers each call as `script` says.
    pub fn start(script: impl Fn(&str, &Value) -> Script + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("control.sock")).unwrap();
        let seen = Seen::default();
        let (script, kept) = (Arc::new(script), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, kept) = (script.clone(), kept.clone());
                thread::spawn(move || serve(stream.unwrap(), &*script, &kept));
            }
        });
        Self { folder, seen }
    }

    /// A server that always answers the same.
    pub fn always(parameters: Value) -> Self {
        Self::start(move |_, _| answer(parameters.clone()))
    }

    /// A path in the test's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command, ready to run against this server.
    pub fn command(&self, words: &str) -> Command {
        let mut command = blockhaul(words);
        command
            .env("BLOCKHAUL_SOCKET", self.path("control.sock"))
            .current_dir(self.folder.path());
        command
    }

    /// Runs the command to its end.
    pub fn run(&self, words: &str) -> Ended {
        Ended::from(self.command(words).output().unwrap())
    }

    /// Runs the command with these bytes as its input.
    pub fn run_with(&self, words: &str, input: &[u8]) -> Ended {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        // A command that ends early closes the pipe; that is its right.
        let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
        let ended = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        Ended::from(ended)
    }

    /// The only call that was made.
    pub fn call(&self) -> Value {
        let calls = self.seen.calls.lock().unwrap();
        assert_eq!(calls.len(), 1, "{calls:?}");
        calls[0].clone()
    }
}

fn serve(stream: UnixStream, script: &dyn Fn(&str, &Value) -> Script, seen: &Seen) {
    let mut calls = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    let say = |mut stream: &UnixStream, message: &Value| {
        let mut bytes = serde_json::to_vec(message).unwrap();
        bytes.push(0);
        drop(stream.write_all(&bytes));
    };
    let mut message = Vec::new();
    while calls.read_until(0, &mut message).is_ok_and(|length| length > 0) {
        assert_eq!(message.pop(), Some(0));
        let call: Value = serde_json::from_slice(&message).unwrap();
        message.clear();
        seen.calls.lock().unwrap().push(call.clone());
        match script(call["method"].as_str().unwrap(), &call["parameters"]) {
            Script::Answers(answers) => answers.iter().for_each(|answer| say(&stream, answer)),
            Script::Raw(bytes) => drop(stream.write_all(&bytes)),
            Script::Take(last) => {
                let mut taken = Vec::new();
                calls.read_to_end(&mut taken).unwrap();
                seen.bytes.lock().unwrap().extend(taken);
                say(&stream, &last);
            }
            Script::Late(pause, last) => {
                thread::sleep(pause);
                say(&stream, &last);
            }
            Script::Close => return,
        }
    }
}

/// The command without a server.
pub fn blockhaul(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockhaul"));
    command
        .args(words.split_whitespace())
        .stdin(Stdio::null())
        .env("TZ", "UTC")
        .env_remove("NO_COLOR")
        .env_remove("BLOCKHAUL_SOCKET");
    command
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

impl Ended {
    /// Standard output as one JSON object.
    pub fn object(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}
