//! `cargo qemu`: boots what `cargo image` bakes and plays scenarios with it. A virtual machine is judged from outside, by its
//! console, its exit and its disks; nothing is asked of the daemon that an operator could not see.

#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod cache;
mod console;
mod dice;
mod disk;
mod footage;
mod guest;
mod machine;
mod manifest;
mod other;
mod pair;
mod qmp;
mod report;
mod scenario;
mod scenarios;
mod setup;
mod slot;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use image::Result;
use image::bake::{self, Image, Options};
use image::tree::Tree;

use manifest::Manifest;

/// The board that virtual machines are.
const BOARD: &str = "qemu-x86-64";

/// Boots appliance images in virtual machines and says what it saw.
#[derive(Parser)]
#[command(name = "cargo qemu", bin_name = "cargo qemu")]
struct Arguments {
    /// Boot the image as it was baked last, instead of baking it first.
    #[arg(long, global = true)]
    as_baked: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install what is missing (as root): the emulator, from the machine's own Debian sources.
    Setup,
    /// List the scenarios.
    List,
    /// Play all scenarios.
    All,
    /// Play the scenarios that take little time.
    Quick,
    /// Play these scenarios.
    #[command(external_subcommand)]
    Named(Vec<String>),
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let tree = Tree::find()?;
    let manifest = Manifest::load(&tree)?;
    let wanted = match arguments.command {
        Command::Setup => return setup::install(&tree),
        Command::List => {
            for entry in &manifest.scenarios {
                println!(
                    "{:<12} {}{}",
                    entry.name,
                    entry.summary,
                    if entry.quick { " (quick)" } else { "" }
                );
            }
            return Ok(());
        }
        Command::All => manifest.select(|_| true),
        Command::Quick => manifest.select(|entry| entry.quick),
        Command::Named(names) => manifest.named(&names)?,
    };
    setup::check()?;
    let image = if arguments.as_baked {
        Image::open(&tree, BOARD)?
    } else {
        bake::build(&tree, BOARD, &Options::default())?
    };
    scenario::play(&tree, &image, &wanted)
}
