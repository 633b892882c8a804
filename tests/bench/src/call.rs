//! Calls of the control socket without a program in between: for what is asked so often that a program would be what is measured.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use blockhaul_tests::Result;
use serde_json::{Value, json};

/// A connection to a daemon.
pub struct Caller(BufReader<UnixStream>);

impl Caller {
    /// Connects.
    pub fn new(socket: &Path) -> Result<Caller> {
        let stream = UnixStream::connect(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        Ok(Caller(BufReader::new(stream)))
    }

    /// Calls a method and takes its one answer.
    pub fn call(&mut self, method: &str, parameters: Value) -> Result<Value> {
        let mut message = json!({ "method": format!("io.blockhaul.{method}"), "parameters": parameters })
            .to_string()
            .into_bytes();
        message.push(0);
        self.0.get_mut().write_all(&message).map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        self.0.read_until(0, &mut answer).map_err(|error| error.to_string())?;
        answer.pop();
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        match answer.get("error") {
            None => Ok(answer["parameters"].clone()),
            Some(error) => Err(format!("{method} failed: {error} {}", answer["parameters"])),
        }
    }

    /// Blocks of recordings that an archive has taken.
    pub fn taken(&mut self, archive: &str) -> Result<u64> {
        let info = self.call("Archive.Info", json!({ "name": archive }))?;
        let tracks = info["tracks"].as_array().ok_or_else(|| format!("no tracks: {info}"))?;
        Ok(tracks.iter().filter_map(|track| track["next"].as_u64()).sum())
    }
}
