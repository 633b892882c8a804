//! The emulator's control protocol (QMP), spoken over its standard input and output: one JSON object per line.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use image::Result;
use serde_json::{Value, json};

/// A conversation with one emulator.
pub struct Qmp {
    input: ChildStdin,
    messages: Receiver<Value>,
    events: Vec<Value>,
}

impl Qmp {
    /// Takes over both ends; nothing is sent yet. The reading thread ends with the emulator.
    pub fn new(input: ChildStdin, output: ChildStdout) -> Qmp {
        let (sender, messages) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(std::result::Result::ok) {
                if let Ok(message) = serde_json::from_str(&line)
                    && sender.send(message).is_err()
                {
                    break;
                }
            }
        });
        Qmp {
            input,
            messages,
            events: Vec::new(),
        }
    }

    /// Executes `command` and returns what it returns.
    pub fn execute(&mut self, command: &str, arguments: Value, deadline: Instant) -> Result<Value> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.input, "{request}").map_err(|error| format!("The emulator does not listen any more: {error}."))?;
        loop {
            let message = self.next(deadline)?;
            if let Some(value) = message.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = message.get("error") {
                return Err(format!("The emulator refuses {command}: {error}"));
            }
            self.keep(message);
        }
    }

    /// Waits for the event called `name`.
    pub fn event(&mut self, name: &str, deadline: Instant) -> Result<Value> {
        self.event_that(name, |_| true, deadline)
    }

    /// Waits for the event called `name` whose data are the ones that are meant.
    pub fn event_that(&mut self, name: &str, is_meant: impl Fn(&Value) -> bool, deadline: Instant) -> Result<Value> {
        loop {
            let is_it = |event: &Value| event["event"] == name && is_meant(&event["data"]);
            if let Some(at) = self.events.iter().position(is_it) {
                return Ok(self.events.swap_remove(at));
            }
            let message = self
                .next(deadline)
                .map_err(|error| format!("{error} The event {name} was awaited."))?;
            self.keep(message);
        }
    }

    fn keep(&mut self, message: Value) {
        if message.get("event").is_some() {
            self.events.push(message);
        }
    }

    fn next(&mut self, deadline: Instant) -> Result<Value> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.messages.recv_timeout(left).map_err(|error| match error {
            RecvTimeoutError::Timeout => "The emulator does not answer in time.".to_owned(),
            RecvTimeoutError::Disconnected => "The emulator has ended.".to_owned(),
        })
    }
}
