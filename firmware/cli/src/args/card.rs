//! Verbs of cards.

use std::path::PathBuf;

use blockhaul_core::Name;
use blockhaul_core::calendar::Zone;
use blockhaul_core::card::pattern::Pattern;
use blockhaul_core::card::profile::PROFILES;
use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::media::Kind;
use super::value;

/// `blockhaul card …`
#[derive(Debug, Subcommand)]
pub enum Card {
    /// List the known cards: where each is, what was taken, what is left
    List,
    /// Look at a card: file system, files, which patterns would take them. Reads, and changes nothing
    Info(Info),
    /// Find out whether a card is worth anything: all there, all kept, fast enough. Changes nothing unless told to write
    Check(Check),
    /// Make a card known: its files are taken into an archive, now and whenever it comes again
    Add(Add),
    /// Forget a card; what was taken stays in the archive
    Remove(Named),
}

/// A card by name.
#[derive(Debug, Args)]
pub struct Named {
    /// Name of the card
    #[arg(value_name = "NAME")]
    pub name: Name,
}

/// `blockhaul card info`
#[derive(Debug, Args)]
pub struct Info {
    /// Device, partition, image or folder
    pub path: PathBuf,
    /// Count the files that a pattern takes; several times. The known profiles if none
    #[arg(long = "pattern", value_name = "PATTERN")]
    pub patterns: Vec<Pattern>,
}

/// `blockhaul card check`
#[derive(Debug, Args)]
#[command(
    after_help = "Reading finds places that cannot be read or are slow, and a card that begins again after a power of two. Only --write finds \
    what is not kept.\n\n\
    --write reads pages of 4 KiB at about 1,000 places, writes patterns there, reads them back, and puts everything back as it was. If the \
    power goes or the card is pulled between, some of those pages hold patterns: a file may be damaged, or the file system.\n\n\
    Ends with 0 if nothing was found, 3 if the card is slow, 14 if it is bad, 1 if the check did not come to its end."
)]
pub struct Check {
    /// Device, partition or image
    pub path: PathBuf,
    /// Test by writing too, and put back what was there. The card must not be in use
    #[arg(long)]
    pub write: bool,
}

/// `blockhaul card add`
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    blockhaul card add dash --archive card --path /dev/sdb1 --profile dashcam --camera front --zone Europe/Berlin\n  \
    blockhaul card add door --archive card --path /mnt/door --pattern '%c/%F/%H-%M.mp4'\n\n\
    In a pattern * is anything within a name, ** anything, %c the camera, %Y %m %d %H %M %S a time, %F = %Y-%m-%d, %s seconds since 1970.")]
pub struct Add {
    /// Its name
    pub name: Name,
    /// Archive that takes its files
    #[arg(long, value_name = "NAME")]
    pub archive: Name,
    /// Device, partition, image or folder. A device is known again by its file system, in whatever slot it is
    #[arg(long, value_name = "PATH")]
    pub path: PathBuf,
    /// Patterns of a known kind of camera
    #[arg(long, value_name = "PROFILE", value_parser = PossibleValuesParser::new(PROFILES.map(|(name, _)| name)), required_unless_present = "patterns")]
    pub profile: Option<String>,
    /// Which files are wanted; several times
    #[arg(long = "pattern", value_name = "PATTERN")]
    pub patterns: Vec<Pattern>,
    /// Camera of files whose pattern names none
    #[arg(long, value_name = "ID")]
    pub camera: Option<Name>,
    /// What the files carry
    #[arg(long, value_enum, default_value_t = Kind::Video)]
    pub kind: Kind,
    /// Time zone of local times on the card; UTC if not given
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<Zone>,
    /// A file that was not touched for so long is closed; a minute if not given
    #[arg(long, value_name = "TIME", value_parser = value::duration_ms)]
    pub settle: Option<u64>,
}
