//! `cargo image`: bakes appliance images. The work is in the library; here are the words and the tables.

#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use image::Result;
use image::bake::{self, Image, Options};
use image::board::Board;
use image::boot::Boot;
use image::disk::{Disk, Slot};
use image::tree::{Tree, read, write};
use image::{again, deb, sbom};

const DEFAULT_BOARD: &str = "qemu-x86-64";
const DEFAULT_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Bakes blockhaul into appliance images.
#[derive(Parser)]
#[command(name = "cargo image", bin_name = "cargo image")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Bake the image for a board.
    Build {
        /// The board; `cargo image list` shows them.
        #[arg(default_value = DEFAULT_BOARD)]
        board: String,
        /// Bake this static program as first process instead of building the daemon.
        #[arg(long, value_name = "FILE")]
        daemon: Option<PathBuf>,
        /// Look for a newer kernel package even if one was fetched before.
        #[arg(long)]
        fetch_kernel: bool,
    },
    /// List the boards.
    List,
    /// Show what an image consists of and how much each part takes.
    Size {
        /// The board.
        #[arg(default_value = DEFAULT_BOARD)]
        board: String,
    },
    /// Write a bootable disk image (GPT, UEFI, two slots, state, data) with the image that was baked last.
    Disk {
        /// The board.
        #[arg(default_value = DEFAULT_BOARD)]
        board: String,
        /// Its size; what is not for system and state is for data.
        #[arg(long, value_name = "MIB", default_value_t = 1024)]
        size_mib: u64,
        /// The version of its first slot.
        #[arg(long, value_name = "VERSION", default_value = bake::VERSION)]
        version: String,
    },
    /// Write the file with which an updater fills the other slot of such a disk, from the image that was baked last.
    Slot {
        /// The board.
        #[arg(default_value = DEFAULT_BOARD)]
        board: String,
        /// Its version, higher than that of the slot it replaces.
        #[arg(long, value_name = "VERSION")]
        version: String,
        /// So many starts are tried before the machine goes back to the other slot.
        #[arg(long, value_name = "N", default_value_t = 3)]
        tries: u32,
    },
    /// Bake twice, in two folders, with a disk each, and compare every byte.
    Again {
        /// The board.
        #[arg(default_value = DEFAULT_BOARD)]
        board: String,
        /// Build the daemon twice too, the second time from nothing, which takes minutes.
        #[arg(long)]
        daemon_too: bool,
    },
    /// Build a Debian package of daemon and command, for systems that are not images.
    Deb {
        /// The Rust target, which says the architecture.
        #[arg(default_value = DEFAULT_TARGET)]
        target: String,
    },
    /// Show what the image that was baked last is made of, with versions and licences.
    Sbom {
        /// The board.
        #[arg(default_value = DEFAULT_BOARD)]
        board: String,
        /// Print the CycloneDX document itself.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let tree = Tree::find()?;
    match command {
        Command::Build {
            board,
            daemon,
            fetch_kernel,
        } => {
            let image = bake::build(&tree, &board, &Options { daemon, fetch_kernel })?;
            print_sizes(&image);
            println!(
                "\nIn {}: initramfs.cpio, vmlinuz, vmlinux, image.toml, sbom.cdx.json",
                tree.show(&image.folder)
            );
        }
        Command::List => {
            for name in Board::names(&tree)? {
                println!("{name:<16} {}", Board::load(&tree, &name)?.summary);
            }
        }
        Command::Size { board } => print_sizes(&Image::open(&tree, &board)?),
        Command::Disk {
            board,
            size_mib,
            version,
        } => {
            let (image, boot) = (Image::open(&tree, &board)?, Boot::obtain(&tree)?);
            let slot = Slot::new(&boot, &image, &read(&image.initramfs())?, &version, None)?;
            let disk = Disk::write(&image.folder.join("disk.img"), &board, size_mib << 20, &boot, &slot)?;
            println!("{}: {} in its first slot", tree.show(&disk.path), slot.file_name());
        }
        Command::Slot { board, version, tries } => {
            let (image, boot) = (Image::open(&tree, &board)?, Boot::obtain(&tree)?);
            let slot = Slot::new(&boot, &image, &read(&image.initramfs())?, &version, Some(tries))?;
            let path = image.folder.join(slot.file_name());
            write(&path, &slot.content)?;
            println!("{}: copy it to EFI/Linux on the EFI system partition", tree.show(&path));
        }
        Command::Again { board, daemon_too } => {
            for file in again::twice(&tree, &board, daemon_too)? {
                println!("{:<16} {}  {}", file.name, mib(file.bytes), file.hash);
            }
            println!("\n{board} came out the same twice.");
        }
        Command::Deb { target } => println!("{}", tree.show(&deb::build(&tree, &target)?)),
        Command::Sbom { board, json } => print_bill(&Image::open(&tree, &board)?, json)?,
    }
    Ok(())
}

fn print_bill(image: &Image, json: bool) -> Result<()> {
    let text = read(&image.sbom())?;
    if json {
        print!("{}", String::from_utf8_lossy(&text));
        return Ok(());
    }
    let bill = serde_json::from_slice(&text).map_err(|error| format!("{} is damaged: {error}.", image.sbom().display()))?;
    let rows = sbom::table(&bill);
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (kind, name, version) = (width(0), width(1), width(2));
    for row in &rows {
        println!("{:<kind$}  {:<name$}  {:<version$}  {}", row[0], row[1], row[2], row[3]);
    }
    println!("\n{} components; the document is {}", rows.len(), image.sbom().display());
    Ok(())
}

fn print_sizes(image: &Image) {
    println!("{}: {}", image.board, image.kernel_package);
    println!("  kernel     {}", mib(image.kernel_bytes));
    println!("  initramfs  {}", mib(image.initramfs_bytes));
    println!("    daemon   {}", mib(image.daemon_bytes));
    println!("    modules  {}  ({})", mib(image.modules_bytes), image.modules.join(", "));
}

fn mib(bytes: u64) -> String {
    format!("{:>6.2} MiB", bytes as f64 / (1024.0 * 1024.0))
}
