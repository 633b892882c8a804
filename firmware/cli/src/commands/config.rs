//! `config …`

use std::fs::{self, OpenOptions};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use blockhaul_core::control::types::{ConfigApplied, ConfigApply, ConfigExport, ConfigExported, Nothing};
use blockhaul_core::settings::Settings;
use serde_json::json;

use super::{Context, understood};
use crate::args::config::{Apply, Check, Config, Export};
use crate::failure::{Exit, Failure};
use crate::render::{config, text};

const APPLY: &str = "io.blockhaul.Config.Apply";
const EXPORT: &str = "io.blockhaul.Config.Export";

/// `blockhaul config …`
pub fn run(context: &Context, command: Config) -> Result<Exit, Failure> {
    match command {
        Config::Export(export) => self::export(context, &export),
        Config::Check(check) => self::check(context, &check),
        Config::Apply(apply) => self::apply(context, &apply),
    }
}

fn export(context: &Context, export: &Export) -> Result<Exit, Failure> {
    let parameters = ConfigExport { secrets: export.secrets };
    let Some(file) = &export.output else {
        return context.ask(EXPORT, parameters, |it: &ConfigExported, _| it.document.clone());
    };
    let answer = context.connect()?.call(EXPORT, parameters)?;
    let exported: ConfigExported = understood(EXPORT, &answer)?;
    let shown = text::printable(&file.to_string_lossy());
    write(file, exported.document.as_bytes()).map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("{shown} could not be written: {error}."),
            "Choose a file in a folder that is there.",
        )
    })?;
    if context.json {
        context.print_object(&json!({ "file": file.to_string_lossy() }))?;
    } else {
        context.print(&format!("The configuration is in {shown}.\n"))?;
    }
    Ok(Exit::Done)
}

/// Writes a file whole, for its owner only.
fn write(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let mut part = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    part.write_all(bytes)?;
    part.sync_all()?;
    fs::rename(&beside, file)
}

/// The document, looked at without a daemon.
fn read(file: &Path) -> Result<String, Failure> {
    let shown = text::printable(&file.to_string_lossy());
    let document =
        fs::read(file).map_err(|error| Failure::usage(format!("{shown} cannot be read: {error}."), "Name the document."))?;
    Settings::read(&document).map_err(|why| {
        Failure::usage(
            format!("{shown} cannot be used: {why}."),
            "Mend it; `blockhaul config export` shows a document that is right.",
        )
    })?;
    String::from_utf8(document).map_err(|_| Failure::usage(format!("{shown} is not UTF-8 text."), "Mend it."))
}

fn check(context: &Context, check: &Check) -> Result<Exit, Failure> {
    let document = read(&check.file)?;
    if check.offline {
        if context.json {
            context.print_object(&Nothing {})?;
        } else {
            context.print("The document is sound.\n")?;
        }
        return Ok(Exit::Done);
    }
    let parameters = ConfigApply {
        document,
        dry_run: true,
        base: None,
    };
    context.ask(APPLY, parameters, config::would)
}

fn apply(context: &Context, apply: &Apply) -> Result<Exit, Failure> {
    let document = read(&apply.file)?;
    let mut parameters = ConfigApply {
        document,
        dry_run: true,
        base: None,
    };
    let answer = context.connect()?.call(APPLY, &parameters)?;
    let plan: ConfigApplied = understood(APPLY, &answer)?;
    if apply.dry_run || plan.differences.is_empty() {
        context.show(APPLY, answer, config::would)?;
        return Ok(Exit::Done);
    }
    if !apply.yes {
        context.tell(&config::would(&plan, &context.look));
        if !agreed(context)? {
            return Err(Failure::new(Exit::Refused, "Nothing was changed.", ""));
        }
    }
    parameters.dry_run = false;
    parameters.base = Some(plan.base);
    let answer = context.connect()?.call(APPLY, &parameters)?;
    context.show(APPLY, answer, config::applied)?;
    Ok(Exit::Done)
}

/// Whether somebody at a terminal says yes.
fn agreed(context: &Context) -> Result<bool, Failure> {
    if context.json || !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "Nobody can be asked here, and nothing was changed.",
            "Look at it with --dry-run, then say --yes.",
        ));
    }
    context.tell("Put this into effect? [y/N] ");
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::output(&error))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
