//! The first file system: the daemon as `/init`, its modules in loading order, and what the board file says.
//!
//! The daemon's first-process duties read exactly these files, one item per line:
//! `/etc/blockhaul/arguments`, `/etc/blockhaul/modules` (file names in `/lib/modules`),
//! `/etc/blockhaul/state` (the serial of a disk or the name of a partition; empty for memory),
//! `/etc/blockhaul/nics` (`eth0 10.0.2.15/24 10.0.2.2`; the gateway may be missing; or `eth0 dhcp`) and
//! `/etc/blockhaul/programs` (path and arguments, with blanks between), and `/etc/blockhaul/formats` (what the daemon says of itself).
//! `/etc/blockhaul/version` is said on the console.

use crate::board::Board;
use crate::cpio::Archive;
use crate::modules::Module;

/// A file of the vendor's with its content.
#[derive(Debug)]
pub struct ExtraFile {
    /// The absolute path in the image.
    pub to: String,
    /// Whether it may be executed.
    pub executable: bool,
    /// What it holds.
    pub content: Vec<u8>,
}

/// Packs everything into one uncompressed archive.
pub fn pack(board: &Board, (version, formats): (&str, &str), daemon: &[u8], modules: &[Module], files: &[ExtraFile]) -> Vec<u8> {
    let mut archive = Archive::default();
    for folder in ["dev", "proc", "sys", "run", "var/lib", "etc/blockhaul", "lib/modules"] {
        archive.folder(folder, 0o755);
    }
    // The kernel opens the console for the first process before anything is mounted.
    archive.character_device("dev/console", 0o600, 5, 1);
    archive.character_device("dev/null", 0o666, 1, 3);
    archive.file("init", 0o755, daemon);
    for module in modules {
        archive.file(&format!("lib/modules/{}.ko", module.name), 0o644, &module.bytes);
    }
    let nics = board.nics.iter().map(|nic| match nic.gateway {
        Some(gateway) => format!("{} {} {gateway}", nic.name, nic.address),
        None => format!("{} {}", nic.name, nic.address),
    });
    archive.file("etc/blockhaul/board", 0o644, &lines([board.name.clone()].into_iter()));
    archive.file("etc/blockhaul/version", 0o644, &lines([version.to_owned()].into_iter()));
    let said = Some(formats).filter(|formats| !formats.is_empty());
    archive.file("etc/blockhaul/formats", 0o644, &lines(said.map(str::to_owned).into_iter()));
    archive.file(
        "etc/blockhaul/arguments",
        0o644,
        &lines(board.daemon.arguments.iter().cloned()),
    );
    archive.file(
        "etc/blockhaul/modules",
        0o644,
        &lines(modules.iter().map(|module| format!("{}.ko", module.name))),
    );
    archive.file("etc/blockhaul/state", 0o644, &lines(board.state_volume.iter().cloned()));
    archive.file("etc/blockhaul/nics", 0o644, &lines(nics));
    archive.file("etc/blockhaul/programs", 0o644, &lines(board.programs.iter().cloned()));
    for file in files {
        archive.file(&file.to, if file.executable { 0o755 } else { 0o644 }, &file.content);
    }
    archive.finish()
}

fn lines(items: impl Iterator<Item = String>) -> Vec<u8> {
    items.flat_map(|item| (item + "\n").into_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = "summary = 's'\ntarget = 't'\nmemory-mib = 64\ninitramfs-budget-mib = 8\ncommand-line = ''\n\
        state-volume = 'the-state'\n[kernel]\npackage = 'p'\n[daemon]\narguments = ['--state', '/a b']\n\
        [[nics]]\nname = 'eth0'\naddress = '192.0.2.1/24'\n\
        [[nics]]\nname = 'eth1'\naddress = '198.51.100.7/30'\ngateway = '198.51.100.8'\n";

    fn packed() -> Vec<u8> {
        let board = Board::parse("b", BOARD).unwrap();
        let module = |name: &str| Module {
            name: name.to_owned(),
            bytes: name.as_bytes().to_vec(),
        };
        let file = ExtraFile {
            to: "/opt/vendor/tool".to_owned(),
            executable: true,
            content: b"tool".to_vec(),
        };
        pack(
            &board,
            ("1.2", "writes a-1; reads a-1;"),
            b"daemon",
            &[module("zz"), module("aa")],
            &[file],
        )
    }

    /// The content of a file in an archive.
    fn content<'a>(archive: &'a [u8], path: &str) -> &'a str {
        let name = format!("{path}\0");
        let at = archive
            .windows(name.len())
            .position(|window| window == name.as_bytes())
            .unwrap();
        let header = std::str::from_utf8(&archive[at - 110..at]).unwrap();
        let size = usize::from_str_radix(&header[54..62], 16).unwrap();
        let start = (at + name.len()).next_multiple_of(4);
        std::str::from_utf8(&archive[start..start + size]).unwrap()
    }

    #[test]
    fn the_same_inputs_give_the_same_bytes() {
        assert_eq!(packed(), packed());
    }

    #[test]
    fn the_first_process_finds_what_the_board_says() {
        let archive = packed();
        assert_eq!(content(&archive, "init"), "daemon");
        assert_eq!(content(&archive, "lib/modules/zz.ko"), "zz");
        assert_eq!(content(&archive, "etc/blockhaul/modules"), "zz.ko\naa.ko\n");
        assert_eq!(content(&archive, "etc/blockhaul/arguments"), "--state\n/a b\n");
        assert_eq!(content(&archive, "etc/blockhaul/state"), "the-state\n");
        assert_eq!(content(&archive, "etc/blockhaul/version"), "1.2\n");
        let nics = "eth0 192.0.2.1/24\neth1 198.51.100.7/30 198.51.100.8\n";
        assert_eq!(content(&archive, "etc/blockhaul/nics"), nics);
        assert_eq!(content(&archive, "opt/vendor/tool"), "tool");
    }
}
