//! The client's end of the control socket: a JSON message and a NUL each way, over a Unix stream socket.
//!
//! Not what is called or how it is shown. Invariant: an answer that is cut by a deadline is not lost; the next `receive` goes on
//! where the last one stopped.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use blockhaul_core::control::types::{Answer, Call};
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Exit, Failure};
use crate::render::text;

/// Longest answer: the status of ten thousand jobs is under 8 MiB.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Longest chunk of an export: the largest block, and what is put in front so that a player can start.
const CHUNK_BYTES_MAX: u32 = 32 << 20;

/// An ordinary call is answered within a second by a daemon that is well.
pub const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// How often a wait may look around.
const LOOK_AROUND: Duration = Duration::from_secs(1);

/// How a call is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// One answer.
    Once,
    /// Several answers.
    More,
    /// The connection is handed over after the call.
    Upgrade,
}

/// One connection to the daemon.
pub struct Client {
    answers: BufReader<UnixStream>,
    partial: Vec<u8>,
    method: String,
}

/// One piece of an export.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// The next bytes are in the buffer.
    Chunk,
    /// No more chunks; an answer follows.
    End,
}

impl Client {
    /// Connects to the socket at `path`.
    pub fn connect(path: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(path).map_err(|error| unreachable(path, &error))?;
        Ok(Self {
            answers: BufReader::new(stream),
            partial: Vec::new(),
            method: String::new(),
        })
    }

    /// Another handle to the connection, for the thread that sends a stream.
    pub fn sender(&self) -> Result<UnixStream, Failure> {
        self.answers.get_ref().try_clone().map_err(|error| self.lost(&error))
    }

    /// Calls a method and takes its one answer, which comes at once.
    pub fn call(&mut self, method: &str, parameters: impl Serialize) -> Result<Value, Failure> {
        self.send(method, parameters, Style::Once)?;
        Ok(self
            .receive(Some(Instant::now() + ANSWER_DEADLINE))?
            .ok_or_else(|| self.silent())?
            .parameters)
    }

    /// Calls a method and waits for its one answer as long as it takes.
    pub fn call_patiently(&mut self, method: &str, parameters: impl Serialize) -> Result<Value, Failure> {
        self.send(method, parameters, Style::Once)?;
        Ok(self.receive(None)?.ok_or_else(|| self.silent())?.parameters)
    }

    /// Sends a call; its answers are taken with [`Client::receive`].
    pub fn send(&mut self, method: &str, parameters: impl Serialize, style: Style) -> Result<(), Failure> {
        self.method = method.to_owned();
        let parameters = serde_json::to_value(parameters).map_err(|error| Failure::not_understood(method, error))?;
        let (more, upgrade) = (style == Style::More, style == Style::Upgrade);
        let call = Call {
            method: method.to_owned(),
            parameters,
            more,
            oneway: false,
            upgrade,
        };
        let mut message = serde_json::to_vec(&call).map_err(|error| Failure::not_understood(method, error))?;
        message.push(0);
        let mut stream = self.answers.get_ref();
        stream
            .set_write_timeout(Some(ANSWER_DEADLINE))
            .map_err(|error| self.lost(&error))?;
        match stream.write_all(&message) {
            // A daemon that turned us away may have said why before we spoke: `receive` finds it.
            Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset) => {}
            written => written.map_err(|error| self.lost(&error))?,
        }
        stream.set_write_timeout(None).map_err(|error| self.lost(&error))
    }

    /// Takes the next answer; `None` if there is none before `until`. An answer that is an error is a failure.
    pub fn receive(&mut self, until: Option<Instant>) -> Result<Option<Answer>, Failure> {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            // A timeout of zero means none at all to the socket.
            let timeout = left.map(|left| left.max(Duration::from_millis(1)));
            self.answers
                .get_ref()
                .set_read_timeout(timeout)
                .map_err(|error| self.lost(&error))?;
            let room = ANSWER_BYTES_MAX.saturating_sub(self.partial.len());
            match (&mut self.answers).take(room as u64).read_until(0, &mut self.partial) {
                Ok(_) if self.partial.last() == Some(&0) => break,
                Ok(_) if self.partial.len() >= ANSWER_BYTES_MAX => {
                    return Err(Failure::not_understood(&self.method, "it is longer than 64 MiB"));
                }
                Ok(_) => return Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
                Err(error) if timed_out(&error) => {
                    if until.is_some_and(|until| Instant::now() >= until) {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(self.lost(&error)),
            }
        }
        let mut message = std::mem::take(&mut self.partial);
        message.pop();
        let answer: Answer = serde_json::from_slice(&message).map_err(|error| Failure::not_understood(&self.method, error))?;
        match answer.error {
            Some(error) => Err(Failure::from_answer(&self.method, &error, answer.parameters)),
            None => Ok(Some(answer)),
        }
    }

    /// Waits for the one answer of a call that was sent; calls `look_around` about once a second meanwhile. `None` after `limit`.
    pub fn wait(&mut self, limit: Option<Duration>, mut look_around: impl FnMut()) -> Result<Option<Value>, Failure> {
        let end = limit.map(|limit| Instant::now() + limit);
        loop {
            let look = Instant::now() + LOOK_AROUND;
            let until = end.map_or(look, |end| end.min(look));
            if let Some(answer) = self.receive(Some(until))? {
                return Ok(Some(answer.parameters));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(None);
            }
            look_around();
        }
    }

    /// Takes the next chunk of an export into `chunk`. An answer that comes instead of a length is left for `receive`.
    pub fn chunk(&mut self, chunk: &mut Vec<u8>) -> Result<Piece, Failure> {
        let mut length = [0; 4];
        self.answers
            .get_ref()
            .set_read_timeout(None)
            .map_err(|error| self.lost(&error))?;
        self.answers.read_exact(&mut length).map_err(|error| self.lost(&error))?;
        let bytes = u32::from_le_bytes(length);
        chunk.clear();
        if bytes == 0 {
            return Ok(Piece::End);
        }
        if bytes > CHUNK_BYTES_MAX && length[0] == b'{' {
            // No chunk can be that long, so these are the first bytes of an answer.
            self.partial.extend_from_slice(&length);
            return Ok(Piece::End);
        }
        if bytes > CHUNK_BYTES_MAX {
            return Err(Failure::not_understood(
                &self.method,
                format_args!("a chunk of {bytes} bytes"),
            ));
        }
        let whole = (&mut self.answers)
            .take(u64::from(bytes))
            .read_to_end(chunk)
            .map_err(|error| self.lost(&error))?;
        if whole < bytes as usize {
            Err(self.lost(&io::ErrorKind::UnexpectedEof.into()))
        } else {
            Ok(Piece::Chunk)
        }
    }

    /// The failure of a daemon that is connected and says nothing.
    fn silent(&self) -> Failure {
        Failure::new(
            Exit::TimedOut,
            format!(
                "The daemon has not answered {} for {} s.",
                self.method,
                ANSWER_DEADLINE.as_secs()
            ),
            "Look at the daemon's log.",
        )
    }

    /// The failure of a connection that broke.
    fn lost(&self, error: &io::Error) -> Failure {
        let how = match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                "closed the connection".to_owned()
            }
            _ => format!("was lost ({error})"),
        };
        Failure::new(
            Exit::Unreachable,
            format!("The daemon {how} before it answered {}.", self.method),
            "See in the daemon's log whether it stopped; then try again.",
        )
    }
}

/// Whether a read ended because of its timeout.
fn timed_out(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// The failure of a socket that cannot be connected to.
fn unreachable(path: &Path, error: &io::Error) -> Failure {
    let shown = text::printable(&path.to_string_lossy());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            let why = if error.kind() == io::ErrorKind::NotFound {
                "there is no socket"
            } else {
                "nobody listens"
            };
            Failure::new(
                Exit::Unreachable,
                format!("The daemon cannot be reached: {why} at {shown}."),
                format!(
                    "Start it with `blockhauld --state DIR --socket {shown}`, or name another socket with --socket or BLOCKHAUL_SOCKET."
                ),
            )
        }
        io::ErrorKind::PermissionDenied => Failure::new(
            Exit::Refused,
            format!("You may not open the control socket {shown}."),
            "Join the group that owns the socket, or become root.",
        ),
        _ => Failure::new(
            Exit::Unreachable,
            format!("The control socket {shown} cannot be used: {error}."),
            "Name the daemon's socket with --socket or BLOCKHAUL_SOCKET.",
        ),
    }
}
