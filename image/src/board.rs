//! The board file: everything that makes one image differ from another. It is read strictly; an unknown key is an error.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Result;
use crate::tree::Tree;

/// One board, as its file describes it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Board {
    /// The file's name without its extension.
    #[serde(skip)]
    pub name: String,
    /// What the board is, in one line.
    pub summary: String,
    /// The Rust target the daemon is built for.
    pub target: String,
    /// The memory the board has.
    pub memory_mib: u32,
    /// The build fails if the initramfs becomes larger than this.
    pub initramfs_budget_mib: u32,
    /// What the boot loader hands to the kernel.
    pub command_line: String,
    /// Which kernel.
    pub kernel: Kernel,
    /// Which kernel modules.
    #[serde(default)]
    pub modules: Modules,
    /// How the daemon is started.
    pub daemon: Daemon,
    /// Where the daemon's state is kept: the serial of a disk, or the name of a partition. In memory if there is none.
    pub state_volume: Option<String>,
    /// The vendor's own programs: path and arguments, with blanks between. They are started when the daemon is ready.
    #[serde(default)]
    pub programs: Vec<String>,
    /// Network interfaces with a fixed address; the others are only set up.
    #[serde(default)]
    pub nics: Vec<Nic>,
    /// Files that are copied into the image.
    #[serde(default)]
    pub files: Vec<BakedFile>,
}

/// Where the kernel comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Kernel {
    /// A Debian package; `*` stands for any characters but the hyphen. The newest that can be had is taken.
    pub package: String,
}

/// Kernel modules.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Modules {
    /// In the order in which they are loaded; what they depend on is found and comes before them.
    pub load: Vec<String>,
}

/// The daemon in the image.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Daemon {
    /// Its arguments; the first process of a machine is given none by anybody else.
    pub arguments: Vec<String>,
}

/// One network interface.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Nic {
    /// The kernel's name for it.
    pub name: String,
    /// Address and prefix length, `10.0.2.15/24`.
    pub address: String,
    /// The default route, if this interface has it.
    pub gateway: Option<Ipv4Addr>,
}

/// A file of the vendor's.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BakedFile {
    /// Where it is, relative to the board file.
    pub from: PathBuf,
    /// Where the image has it: an absolute path.
    pub to: String,
    /// Whether it may be executed.
    #[serde(default)]
    pub executable: bool,
}

impl Board {
    /// Reads the board called `name`.
    pub fn load(tree: &Tree, name: &str) -> Result<Board> {
        let path = tree.boards().join(format!("{name}.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let known = Board::names(tree)?.join(", ");
                return Err(format!(
                    "There is no board {name}. Known boards: {known}. To add one, see docs/image.md."
                ));
            }
            Err(error) => return Err(format!("{} cannot be read: {error}.", tree.show(&path))),
        };
        Board::parse(name, &text).map_err(|error| format!("The board file {} is not right: {error}", tree.show(&path)))
    }

    /// The names of all boards, sorted.
    pub fn names(tree: &Tree) -> Result<Vec<String>> {
        let folder = tree.boards();
        let entries = std::fs::read_dir(&folder).map_err(|error| format!("{} cannot be read: {error}.", folder.display()))?;
        let mut names: Vec<String> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Reads a board file that is already in memory.
    pub(crate) fn parse(name: &str, text: &str) -> Result<Board> {
        let mut board: Board = toml::from_str(text).map_err(|error| error.to_string())?;
        board.name = name.to_owned();
        for nic in &board.nics {
            let parts = nic.address.split_once('/');
            let right = parts.is_some_and(|(address, prefix)| {
                address.parse::<Ipv4Addr>().is_ok() && prefix.parse::<u8>().is_ok_and(|bits| bits <= 32)
            });
            if !right {
                return Err(format!(
                    "the address {:?} of {} is not of the form 10.0.2.15/24.",
                    nic.address, nic.name
                ));
            }
        }
        for file in &board.files {
            let path = Path::new(&file.to);
            let plain = path
                .components()
                .skip(1)
                .all(|part| matches!(part, std::path::Component::Normal(_)));
            if !path.is_absolute() || !plain || path.parent().is_none() {
                return Err(format!("{:?} is not an absolute path of a file in the image.", file.to));
            }
        }
        if let Some(line) = board
            .programs
            .iter()
            .find(|line| !line.starts_with('/') || line.contains('\n'))
        {
            return Err(format!(
                "the program {line:?} does not begin with an absolute path in the image."
            ));
        }
        if let Some(word) = board.daemon.arguments.iter().find(|word| word.contains('\n')) {
            return Err(format!("the daemon argument {word:?} holds a line break."));
        }
        Ok(board)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "summary = 's'\ntarget = 't'\nmemory-mib = 64\ninitramfs-budget-mib = 8\ncommand-line = ''\n\
        [kernel]\npackage = 'linux-image-6.12.*-amd64'\n[daemon]\narguments = []\n";

    #[test]
    fn every_board_in_the_tree_is_read() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let tree = Tree {
            target: root.join("target"),
            root,
        };
        let names = Board::names(&tree).unwrap();
        assert!(names.contains(&"qemu-x86-64".to_owned()));
        for name in names {
            Board::load(&tree, &name).unwrap();
        }
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Board::parse("b", &format!("memory = 3\n{MINIMAL}")).unwrap_err();
        assert!(error.contains("unknown field `memory`"), "{error}");
    }

    #[test]
    fn a_file_must_have_an_absolute_place() {
        for place in ["etc/x", "/etc/../x", "/"] {
            let text = format!("{MINIMAL}[[files]]\nfrom = 'x'\nto = '{place}'\n");
            assert!(Board::parse("b", &text).unwrap_err().contains("absolute path"), "{place}");
        }
        Board::parse("b", &format!("{MINIMAL}[[files]]\nfrom = 'x'\nto = '/etc/x'\n")).unwrap();
    }

    #[test]
    fn a_program_is_named_by_its_place() {
        let with = |line: &str| Board::parse("b", &format!("programs = ['{line}']\n{MINIMAL}"));
        assert!(with("capture --front").unwrap_err().contains("absolute path"));
        with("/opt/vendor/capture --front").unwrap();
    }

    #[test]
    fn an_address_needs_its_prefix_length() {
        for address in ["10.0.2.15", "10.0.2.15/33", "eth/24"] {
            let text = format!("{MINIMAL}[[nics]]\nname = 'eth0'\naddress = '{address}'\n");
            assert!(Board::parse("b", &text).unwrap_err().contains("10.0.2.15/24"), "{address}");
        }
    }
}
