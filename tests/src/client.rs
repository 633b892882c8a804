//! The real command line against one daemon, whether that is up or not.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::Result;

/// Runs `blockhaul` with one daemon's socket.
#[derive(Clone, Debug)]
pub struct Client {
    name: String,
    program: PathBuf,
    socket: PathBuf,
}

impl Client {
    /// `name` is what messages call the daemon, `program` the path of `blockhaul`.
    pub fn new(name: &str, program: &Path, socket: &Path) -> Client {
        Client {
            name: name.into(),
            program: program.into(),
            socket: socket.into(),
        }
    }

    /// What messages call the daemon.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Path of the control socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The command line with `--json`, not run yet, without input.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .arg("--socket")
            .arg(&self.socket)
            .arg("--json")
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command and returns the object that it prints.
    pub fn call<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Value> {
        let output = self.command(arguments).output();
        let output = output.map_err(|error| format!("{} cannot be run: {error}", self.program.display()))?;
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        let words = words.join(" ");
        if !output.status.success() {
            let said = [&output.stderr[..], &output.stdout].concat();
            let said = String::from_utf8_lossy(&said).trim().to_owned();
            return Err(format!(
                "`blockhaul {words}` at {} failed ({}): {said}",
                self.name, output.status
            ));
        }
        if output.stdout.iter().all(u8::is_ascii_whitespace) {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&output.stdout).map_err(|error| {
            let printed = String::from_utf8_lossy(&output.stdout);
            format!("`blockhaul --json {words}` printed no single JSON object ({error}): {printed}")
        })
    }

    /// A member of the object that a command prints, which must be text.
    pub fn text(&self, arguments: &[&str], member: &str) -> Result<String> {
        let object = self.call(arguments)?;
        let text = object.get(member).and_then(Value::as_str);
        text.map(str::to_owned)
            .ok_or_else(|| format!("`blockhaul {}` tells no {member}: {object}", arguments.join(" ")))
    }

    /// Next track sequences of an archive, added up: how many blocks of recordings it has taken so far.
    pub fn taken(&self, archive: &str) -> Result<u64> {
        let info = self.call(&["archive", "info", archive])?;
        let tracks = info.get("tracks").and_then(Value::as_array);
        let tracks = tracks.ok_or_else(|| format!("archive info tells no tracks: {info}"))?;
        Ok(tracks
            .iter()
            .filter_map(|track| track.get("next").and_then(Value::as_u64))
            .sum())
    }
}

/// What a command that failed printed with `--json`, as sentences; as it is if it is something else.
pub fn complaint(printed: &[u8]) -> String {
    let object: Option<Value> = serde_json::from_slice(printed).ok();
    let error = object.as_ref().and_then(|object| object.get("error"));
    let part = |name: &str| error.and_then(|error| error.get(name)).and_then(Value::as_str);
    match (part("sentence"), part("next")) {
        (Some(sentence), Some(next)) => format!("{sentence} {next}").trim_end().to_owned(),
        _ => String::from_utf8_lossy(printed).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_complaint_is_for_people() {
        let printed = br#"{"error":{"code":"Busy","exit":11,"next":"Close it.","sentence":"It is open."}}"#;
        assert_eq!(complaint(printed), "It is open. Close it.");
        assert_eq!(complaint(b"Segmentation fault\n"), "Segmentation fault");
        assert_eq!(complaint(b"{}"), "{}");
    }
}
