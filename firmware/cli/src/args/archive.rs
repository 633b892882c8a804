//! Verbs of archives.

use std::path::PathBuf;

use blockhaul_core::Name;
use blockhaul_core::control::types;
use clap::{Args, Subcommand, ValueEnum};
use hal::Uuid;

use super::value;

/// `blockhaul archive …`
#[derive(Debug, Subcommand)]
pub enum Archive {
    /// Format a volume as an archive
    Create(Create),
    /// Take in the archive that is on a volume already
    Open(Open),
    /// List all archives
    List,
    /// Show one archive, its volume and its tracks
    Info(Named),
    /// Read every block from the media and check it; exit code 14 if one is damaged
    Verify(Named),
    /// Compare an archive with another one by the hashes of their blocks; exit code 3 if they differ
    #[command(
        after_help = "Examples:\n  blockhaul archive compare main --with rescued\n  blockhaul archive compare card --with nvr/main\n\n\
        With another archive here no payload is read. With PEER/ARCHIVE the jobs that haul there ask the peer to read its blocks;\n\
        what only the peer has it does not tell."
    )]
    Compare(Compare),
    /// Haul an archive into another one of this appliance; may be said again
    #[command(after_help = "Examples:\n  \
        blockhaul archive create new --volume /dev/sdb1\n  \
        blockhaul archive migrate old --to new\n  \
        blockhaul job wait old-into-new --for caught-up\n  \
        blockhaul archive cutover old --to new\n\n\
        The appliance hauls to itself, through its own door: it must listen. Recording goes on in the old archive meanwhile.")]
    Migrate(Move),
    /// Move the recorders and the jobs of an archive to another one of this appliance; may be said again
    #[command(
        after_help = "All of them move in one change of the settings: after a crash either all have moved or none has.\n\
        What a recorder holds is sealed in the old archive first; what is not yet in the new one still comes.\n\
        Afterwards: blockhaul job wait OLD-into-NEW --for caught-up, then job disable and job delete."
    )]
    Cutover(Move),
    /// Read an archive for damage in the background, over and over, at a set rate
    #[command(after_help = "Examples:\n  \
        blockhaul archive scrub main --rate 10MiB/s --pause 168h\n  \
        blockhaul archive scrub main --off\n\n\
        `archive info` shows when it was read, how far it is and what was found. Recording goes first.")]
    Scrub(Scrub),
    /// Take an archive that nothing uses out of the configuration; its volume stays as it is
    Remove(Named),
}

/// What an archive is compared with.
#[derive(Clone, Debug)]
pub enum Other {
    /// An archive of this appliance.
    Here(Name),
    /// One of a peer.
    There(value::Target),
}

fn other(text: &str) -> Result<Other, String> {
    if text.contains('/') {
        return value::target(text).map(Other::There);
    }
    text.parse()
        .map(Other::Here)
        .map_err(|_| format!("{text:?} is neither a name nor PEER/ARCHIVE"))
}

/// `blockhaul archive compare`
#[derive(Debug, Args)]
pub struct Compare {
    /// Name of the archive
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// The archive it is compared with, here or at a peer
    #[arg(long, value_name = "NAME|PEER/ARCHIVE", value_parser = other)]
    pub with: Other,
    /// Only this camera
    #[arg(long, value_name = "ID")]
    pub camera: Option<Name>,
}

/// `blockhaul archive migrate`, `blockhaul archive cutover`
#[derive(Clone, Debug, Args)]
pub struct Move {
    /// The old archive
    #[arg(value_name = "OLD")]
    pub from: Name,
    /// The new one
    #[arg(long, value_name = "NEW")]
    pub to: Name,
    /// Say what would be done, and do nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `blockhaul archive scrub`
#[derive(Debug, Args)]
pub struct Scrub {
    /// Name of the archive
    #[arg(value_name = "NAME")]
    pub name: Name,
    /// Bytes read a second at most, like 10MiB/s
    #[arg(long, value_name = "RATE", value_parser = value::rate, required_unless_present = "off")]
    pub rate: Option<u64>,
    /// Time between the end of a pass and the next one
    #[arg(long, value_name = "TIME", default_value = "168h", value_parser = value::duration_ms)]
    pub pause: u64,
    /// Do not read it in the background any more
    #[arg(long, conflicts_with_all = ["rate", "pause"])]
    pub off: bool,
}

/// An archive by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the archive
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// `blockhaul archive create`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    blockhaul archive create card --volume /dev/mmcblk1 --mode ring\n  \
    blockhaul archive create main --volume main.img --size 2GiB\n  \
    blockhaul archive create card --volume /dev/mmcblk1 --dry-run     # says what is on the volume now, writes nothing")]
pub struct Create {
    /// Its name here: 1 to 63 of a-z, 0-9 and '-'
    pub name: Name,
    /// A disk, a partition, or a file that is made if it is not there
    #[arg(long, value_name = "PATH")]
    pub volume: PathBuf,
    /// Size of the file that is made, like 2GiB
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    pub size: Option<u64>,
    /// Size of a block: 64KiB to 16MiB, a power of two
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = value::block_size)]
    pub block_size: u64,
    /// What happens at the end of the volume
    #[arg(long, value_enum, default_value_t = Mode::Append)]
    pub mode: Mode,
    /// Destroy what is on the volume; its serial number or UUID, typed out
    #[arg(long, value_name = "SERIAL-OR-UUID")]
    pub destroy: Option<String>,
    /// Say what would be done, and write nothing
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// `blockhaul archive open`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    blockhaul archive open rescued --volume /dev/sdb1\n  \
    blockhaul archive open lobby-card --volume /dev/disk/by-id/usb-reader-0:0 --read-only\n\n\
    --read-only is for what belongs to another appliance, like a card out of its camera: its blocks can be hauled, verified and\n\
    exported, and not a byte of it changes, so that the camera goes on with it as if nothing had been.")]
pub struct Open {
    /// Its name here; it need not be the one it was made with
    pub name: Name,
    /// The disk, partition or file that it is on
    #[arg(long, value_name = "PATH")]
    pub volume: PathBuf,
    /// Take in no other archive than this
    #[arg(long, value_name = "UUID")]
    pub uuid: Option<Uuid>,
    /// Never write to it
    #[arg(long)]
    pub read_only: bool,
}

/// What happens at the end of the volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// Full is full
    Append,
    /// The oldest whole segment makes room
    Ring,
}

impl From<Mode> for types::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Append => types::Mode::Append,
            Mode::Ring => types::Mode::Ring,
        }
    }
}
