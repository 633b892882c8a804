//! `completions` and `man`: what the command line says about itself. Neither needs the daemon.

use clap::CommandFactory;

use super::Context;
use crate::args::Cli;
use crate::args::appliance::{Completions, Man};
use crate::failure::{Exit, Failure};
use crate::render::text;

/// `blockhaul completions`
pub fn completions(context: &Context, completions: &Completions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut Cli::command(), "blockhaul", &mut script);
    context.print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}

/// `blockhaul man`
pub fn man(context: &Context, man: &Man) -> Result<Exit, Failure> {
    let shown = text::printable(&man.folder.to_string_lossy());
    let write = || {
        std::fs::create_dir_all(&man.folder)?;
        clap_mangen::generate_to(Cli::command(), &man.folder)
    };
    write().map_err(|error| {
        Failure::new(
            Exit::Failed,
            format!("The pages cannot be written into {shown}: {error}."),
            "Name a folder that can be written.",
        )
    })?;
    if context.json {
        context.print_object(&serde_json::json!({ "folder": shown }))?;
    } else {
        context.print(&format!(
            "The manual pages are in {shown}; read the first with `man -l {shown}/blockhaul.1`.\n"
        ))?;
    }
    Ok(Exit::Done)
}
