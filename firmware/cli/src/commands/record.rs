//! `record`: the bytes of a file or of standard input, into an archive.
//!
//! One thread sends and the other waits for the answer, so that a refusal ends the command at once whatever the input does.

use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use blockhaul_core::control::types::{RecordCall, Recorded};

use super::Context;
use crate::args::media::Record;
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::progress::Progress;
use crate::render::{recorder, text};

/// Bytes that are read at once.
const PIECE_BYTES: usize = 128 << 10;

/// Where the bytes come from.
struct Input {
    bytes: Box<dyn Read + Send>,
    /// How many there are, if that is known.
    whole: Option<u64>,
}

/// `blockhaul record`
pub fn run(context: &Context, record: Record) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Recorder.Record";
    let input = open(record.input)?;
    let (archive, camera) = (record.archive.to_string(), record.camera.to_string());
    let parameters = RecordCall {
        archive: record.archive,
        camera: record.camera,
        kind: record.kind.into(),
        flush_after_ms: record.flush_after,
    };
    let mut client = context.connect()?;
    client.send(method, parameters, Style::Upgrade)?;

    let (ended, end) = mpsc::channel();
    let (mut to, mut progress, what) = (client.sender()?, context.progress(), camera.clone());
    thread::spawn(move || {
        let sent = send(input, &mut to, &mut progress, &what);
        drop(progress);
        // The end is told before the daemon can see it, so that it is known when the answer comes. Nobody may be listening:
        // then the command has ended, and so will this thread.
        let _ = ended.send(sent);
        let _ = to.shutdown(Shutdown::Write);
    });

    let answer = client
        .receive(None)?
        .ok_or_else(|| Failure::not_understood(method, "it is empty"))?;
    let recorded = context.show(method, answer.parameters, |recorded: &Recorded, _| {
        recorder::recorded(&archive, &camera, recorded)
    })?;
    match end.try_recv() {
        Ok(Ok(())) if recorded.dropped_bytes == 0 => Ok(Exit::Done),
        Ok(Ok(())) => Ok(Exit::Partial),
        Ok(Err(error)) => Err(Failure::new(
            Exit::Failed,
            format!("The input could not be read to its end: {error}. What was read before is recorded."),
            "See what the stream comes from.",
        )),
        Err(_) => Err(Failure::new(
            Exit::Partial,
            "The daemon ended the recording before the input ended.",
            "See `blockhaul status` and `blockhaul events`.",
        )),
    }
}

/// Opens the input before the daemon is asked for anything.
fn open(path: Option<PathBuf>) -> Result<Input, Failure> {
    let Some(path) = path.filter(|path| path.as_os_str() != "-") else {
        if io::stdin().is_terminal() {
            return Err(Failure::usage(
                "There is nothing to record: standard input is a terminal.",
                "Name a file with --input, or pipe a stream into the command.",
            ));
        }
        return Ok(Input {
            bytes: Box::new(io::stdin()),
            whole: None,
        });
    };
    let shown = text::printable(&path.to_string_lossy());
    let cannot = |error: io::Error| {
        let exit = if error.kind() == io::ErrorKind::NotFound {
            Exit::NotFound
        } else {
            Exit::Failed
        };
        Failure::new(
            exit,
            format!("{shown} cannot be read: {error}."),
            "Name a file that can be read with --input.",
        )
    };
    let file = File::open(&path).map_err(cannot)?;
    let facts = file.metadata().map_err(cannot)?;
    if facts.is_dir() {
        return Err(cannot(io::ErrorKind::IsADirectory.into()));
    }
    let whole = facts.is_file().then_some(facts.len());
    Ok(Input {
        bytes: Box::new(file),
        whole,
    })
}

/// Sends all of the input. An error is one of the input; a daemon that takes no more says why in its answer.
fn send(mut input: Input, to: &mut UnixStream, progress: &mut Progress, what: &str) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut done = 0;
    loop {
        let length = match input.bytes.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if to.write_all(piece.get(..length).unwrap_or_default()).is_err() {
            return Ok(());
        }
        done += length as u64;
        progress.bytes(what, done, input.whole);
    }
}
