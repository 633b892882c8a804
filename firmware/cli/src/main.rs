//! The command `blockhaul`: one client of the daemon's control socket, for people and scripts.
//!
//! Not a place for decisions: what may be done is decided by the daemon. Here words become calls, and answers become sentences
//! and tables. Synchronous on purpose: a command does one thing.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod args;
mod client;
mod commands;
mod failure;
mod render;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use args::{Cli, Command};
use commands::Context;
use failure::{Exit, Failure};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let (json, media_on_stdout) = (
        cli.global.json,
        matches!(&cli.command, Command::Export(export) if export.to_stdout()),
    );
    let context = Context::new(cli.global);
    let exit = match commands::run(&context, cli.command) {
        Ok(exit) => exit,
        Err(failure) => {
            tell(&failure, json, media_on_stdout);
            failure.exit
        }
    };
    ExitCode::from(exit as u8)
}

/// Says what went wrong: sentences to standard error, or one object to standard output, which may be taken by media.
fn tell(failure: &Failure, json: bool, media_on_stdout: bool) {
    if failure.sentence.is_empty() {
        return;
    }
    // Where an error cannot be told there is nobody left to tell it to.
    let _ = match (json, media_on_stdout) {
        (false, _) => std::io::stderr().write_all(failure.lines().as_bytes()),
        (true, true) => writeln!(std::io::stderr(), "{}", render::text::json(&failure.object())),
        (true, false) => writeln!(std::io::stdout(), "{}", render::text::json(&failure.object())),
    };
}

/// Help, the version, and command lines that make no sense.
fn usage(error: &clap::Error) -> ExitCode {
    let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if !wanted && std::env::args_os().any(|word| word == "--json") {
        let told = error.to_string();
        let (sentence, rest) = told.split_once("\n\n").unwrap_or((&told, ""));
        let sentence = sentence.trim_start_matches("error: ").trim();
        let next = rest
            .lines()
            .find(|line| line.contains("tip:"))
            .unwrap_or("See `blockhaul --help`.")
            .trim();
        tell(&Failure::usage(sentence, next), true, false);
    } else {
        let _ = error.print();
    }
    ExitCode::from(if wanted { Exit::Done } else { Exit::Usage } as u8)
}
