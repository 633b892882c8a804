//! Baking: from a board file to a kernel and an initramfs, with a list of what is in them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::board::Board;
use crate::initramfs::{self, ExtraFile};
use crate::kernel::Kernel;
use crate::modules::Modules;
use crate::sbom::Part;
use crate::tree::{Tree, make_folder, read, write};
use crate::{Result, daemon, sbom};

const MIB: u64 = 1024 * 1024;

/// The version of what is baked.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How to bake.
#[derive(Debug, Default)]
pub struct Options {
    /// A static program to bake instead of the daemon of this tree.
    pub daemon: Option<PathBuf>,
    /// Look for a newer kernel even if one is here.
    pub fetch_kernel: bool,
}

/// A finished image: what `image.toml` in its folder says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// The board it was baked for.
    pub board: String,
    /// The kernel package, with its version.
    pub kernel_package: String,
    /// The memory the board has.
    pub memory_mib: u32,
    /// What the boot loader hands to the kernel.
    pub command_line: String,
    /// The modules, in loading order.
    pub modules: Vec<String>,
    /// The daemon's size.
    pub daemon_bytes: u64,
    /// The size of all modules.
    pub modules_bytes: u64,
    /// The size of the initramfs, unpacked.
    pub initramfs_bytes: u64,
    /// The size of the boot image of the kernel.
    pub kernel_bytes: u64,
    /// The formats that the daemon says it knows; empty if it does not say.
    pub formats: String,
    /// Where the files lie.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl Image {
    /// The kernel proper, for machines that start it directly.
    pub fn vmlinux(&self) -> PathBuf {
        self.folder.join("vmlinux")
    }

    /// The boot image of the kernel, for boot loaders.
    pub fn vmlinuz(&self) -> PathBuf {
        self.folder.join("vmlinuz")
    }

    /// The first file system.
    pub fn initramfs(&self) -> PathBuf {
        self.folder.join("initramfs.cpio")
    }

    /// What it is made of, see [`crate::sbom`].
    pub fn sbom(&self) -> PathBuf {
        self.folder.join("sbom.cdx.json")
    }

    /// Opens the image that was baked last for `board`.
    pub fn open(tree: &Tree, board: &str) -> Result<Image> {
        let folder = tree.images().join(board);
        let text = std::fs::read_to_string(folder.join("image.toml"))
            .map_err(|_| format!("There is no image for {board} yet. Bake it: cargo image build {board}"))?;
        let image: Image = toml::from_str(&text).map_err(|_| {
            format!("The image for {board} was baked by another version. Bake it again: cargo image build {board}")
        })?;
        Ok(Image { folder, ..image })
    }
}

/// Bakes the image for `board`.
pub fn build(tree: &Tree, board: &str, options: &Options) -> Result<Image> {
    let board = Board::load(tree, board)?;
    let kernel = Kernel::obtain(tree, &board.kernel.package, options.fetch_kernel)?;
    let modules = Modules::scan(&kernel.modules)?.closure(&board.modules.load)?;
    let program = match &options.daemon {
        Some(path) => path.clone(),
        None => {
            eprintln!("Building the daemon for {} ...", board.target);
            daemon::build(tree, daemon::DAEMON, &board.target)?
        }
    };
    let program = daemon::load(&program)?;
    let formats = daemon::formats(&program).unwrap_or_default();
    let files = board.files.iter().map(|file| {
        let content = read(&tree.boards().join(&file.from))?;
        Ok(ExtraFile {
            to: file.to.clone(),
            executable: file.executable,
            content,
        })
    });
    let initramfs = initramfs::pack(
        &board,
        (VERSION, &formats),
        &program,
        &modules,
        &files.collect::<Result<Vec<_>>>()?,
    );
    within_budget(&board, initramfs.len() as u64)?;

    let target = board.target.clone();
    let folder = tree.images().join(&board.name);
    make_folder(&folder)?;
    let vmlinuz = read(&kernel.image)?;
    let image = Image {
        kernel_package: kernel.package,
        memory_mib: board.memory_mib,
        command_line: board.command_line,
        modules: modules.iter().map(|module| module.name.clone()).collect(),
        daemon_bytes: program.len() as u64,
        modules_bytes: modules.iter().map(|module| module.bytes.len() as u64).sum(),
        initramfs_bytes: initramfs.len() as u64,
        kernel_bytes: vmlinuz.len() as u64,
        formats,
        board: board.name,
        folder,
    };
    write(&image.vmlinuz(), &vmlinuz)?;
    write(&image.vmlinux(), &read(&kernel.vmlinux)?)?;
    write(&image.initramfs(), &initramfs)?;
    let init = Part {
        name: "init",
        content: &program,
    };
    let parts = [init].into_iter().chain(modules.iter().map(|module| Part {
        name: &module.name,
        content: &module.bytes,
    }));
    let bill = sbom::of_image(tree, &image.board, &target, &image.kernel_package, &parts.collect::<Vec<_>>())?;
    write(&image.sbom(), format!("{bill:#}\n").as_bytes())?;
    write_description(&image, &image.folder.join("image.toml"))?;
    Ok(image)
}

fn write_description(image: &Image, path: &Path) -> Result<()> {
    let text = toml::to_string(image).map_err(|error| format!("The description of the image cannot be written: {error}."))?;
    write(path, text.as_bytes())
}

fn within_budget(board: &Board, initramfs_bytes: u64) -> Result<()> {
    let budget = u64::from(board.initramfs_budget_mib) * MIB;
    if initramfs_bytes <= budget {
        return Ok(());
    }
    Err(format!(
        "The initramfs takes {} MiB, and the board {} allows {}. Take modules or files out, or raise initramfs-budget-mib.",
        initramfs_bytes.div_ceil(MIB),
        board.name,
        board.initramfs_budget_mib
    ))
}
