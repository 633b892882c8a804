//! What each command does: a call, and its answer shown. One file for each noun.

mod appliance;
mod archive;
mod card;
mod compare;
mod config;
mod doctor;
mod export;
mod grant;
mod job;
mod macros;
mod manifest;
mod manual;
mod mark;
mod peer;
mod presence;
mod record;
mod recorder;
mod retention;
mod screen;
mod service;
mod status;
mod tag;
mod tenant;
mod topology;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use jiff::tz::TimeZone;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::args::{Color, Command, Global};
use crate::client::Client;
use crate::failure::{Exit, Failure};
use crate::render::{Look, progress::Progress, text};

/// What every command needs to know.
pub struct Context {
    /// Control socket.
    pub socket: PathBuf,
    /// Answer in JSON.
    pub json: bool,
    /// Show no progress.
    pub quiet: bool,
    /// How text looks.
    pub look: Look,
}

impl Context {
    /// From the options that every command has.
    pub fn new(global: Global) -> Self {
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !plain && std::io::stdout().is_terminal(),
        };
        let look = Look {
            color,
            zone: TimeZone::system(),
        };
        Self {
            socket: global.socket,
            json: global.json,
            quiet: global.quiet,
            look,
        }
    }

    /// A connection to the daemon.
    pub fn connect(&self) -> Result<Client, Failure> {
        Client::connect(&self.socket)
    }

    /// Progress as these options allow it.
    pub fn progress(&self) -> Progress {
        Progress::new(self.quiet || self.json)
    }

    /// Writes to standard output.
    pub fn print(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes())
            .and_then(|()| out.flush())
            .map_err(|error| Failure::output(&error))
    }

    /// Writes one object as one line to standard output.
    pub fn print_object(&self, object: &impl Serialize) -> Result<(), Failure> {
        self.print(&(text::json(object) + "\n"))
    }

    /// Tells people something beside the output. Nothing with `--json`.
    pub fn tell(&self, text: &str) {
        if !self.json {
            // What is told beside the output is lost if nobody listens, and that is all.
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }

    /// Shows an answer: as it came, or as text.
    pub fn show<R: DeserializeOwned>(
        &self,
        method: &str,
        answer: Value,
        render: impl FnOnce(&R, &Look) -> String,
    ) -> Result<R, Failure> {
        let reply = understood(method, &answer)?;
        if self.json {
            self.print_object(&answer)?
        } else {
            self.print(&render(&reply, &self.look))?
        }
        Ok(reply)
    }

    /// One ordinary call, and its answer shown.
    pub fn ask<R: DeserializeOwned>(
        &self,
        method: &str,
        parameters: impl Serialize,
        render: impl FnOnce(&R, &Look) -> String,
    ) -> Result<Exit, Failure> {
        let answer = self.connect()?.call(method, parameters)?;
        self.show(method, answer, render)?;
        Ok(Exit::Done)
    }

    /// One ordinary call that only does something; `done` says what.
    pub fn order(&self, method: &str, parameters: impl Serialize, done: &str) -> Result<Exit, Failure> {
        let answer = self.connect()?.call(method, parameters)?;
        if self.json {
            self.print_object(&answer)?
        } else {
            self.print(&format!("{done}\n"))?
        }
        Ok(Exit::Done)
    }
}

/// An answer as the type it should be.
pub fn understood<R: DeserializeOwned>(method: &str, answer: &Value) -> Result<R, Failure> {
    R::deserialize(answer).map_err(|error| Failure::not_understood(method, error))
}

/// Does what the command line says.
pub fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Identity => appliance::identity(context),
        Command::Device(device) => appliance::device(context, &device),
        Command::Archive(archive) => archive::run(context, archive),
        Command::Card(card) => card::run(context, card),
        Command::Recorder(recorder) => recorder::run(context, recorder),
        Command::Record(record) => record::run(context, record),
        Command::Peer(peer) => peer::run(context, peer),
        Command::Grant(grant) => grant::run(context, grant),
        Command::Tenant(tenant) => tenant::run(context, tenant),
        Command::Job(job) => job::run(context, job),
        Command::Retention(retention) => retention::run(context, retention),
        Command::Status(status) => status::run(context, &status),
        Command::Export(export) => export::run(context, export),
        Command::Gaps(gaps) => presence::gaps(context, gaps),
        Command::Exists(exists) => presence::exists(context, exists),
        Command::Stats(stats) => presence::stats(context, stats),
        Command::Tag(tag) => tag::run(context, tag),
        Command::Mark(mark) => mark::run(context, mark),
        Command::Events(events) => appliance::events(context, &events),
        Command::Doctor => doctor::run(context),
        Command::Topology(topology) => topology::run(context, &topology),
        Command::Macro(command) => macros::run(context, command),
        Command::Config(config) => config::run(context, config),
        Command::Service(service) => service::run(context, service),
        Command::Stop(stop) => appliance::stop(context, stop),
        Command::Completions(completions) => manual::completions(context, &completions),
        Command::Man(man) => manual::man(context, &man),
    }
}
