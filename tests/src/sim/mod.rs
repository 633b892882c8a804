//! Whole appliances, core and settings as shipped, on simulated machines: one seed, one history, one judgement.
//!
//! `archive` is one appliance and everything that can happen to its disk; `hauling` is several and everything between them, `keeping`
//! the same with archives that free; peers that are wrong are `crate::peer`. All but these are played on a `play`: `swarm` draws which
//! `faults` exist, `operator` meddles with jobs, `ledger` keeps the books of each archive beside the appliance from what `product` lets through, disks are read by `crate::reader`, `verdict`, `named` and `oracle` judge the end. `cameras` and
//! `stream` make what is recorded, `tally` counts.
//!
//! Invariants: everything follows from the seed; the judge asks the product only whether it tells the truth.

mod archive;
mod cameras;
mod faults;
mod hauling;
mod keeping;
mod ledger;
mod named;
mod network;
mod operator;
mod oracle;
mod play;
pub(crate) mod product;
mod reconciling;
pub(crate) mod stream;
mod swarm;
mod tally;
mod verdict;

use std::fmt;
use std::str::FromStr;

pub use drivers_sim::Echo;
use play::Play;
pub use stream::chunk;
pub use tally::{Failure, Report, Tally, all_codes, replay};

/// Kinds of histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One appliance, its recorders and its volume.
    Archive,
    /// Several appliances that haul to each other.
    Hauling,
    /// One appliance among peers that are wrong.
    Peer,
    /// Several appliances that haul to each other, with archives that free what they need not keep.
    Keeping,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 4] = [Kind::Archive, Kind::Hauling, Kind::Keeping, Kind::Peer];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Archive => "archive",
            Kind::Hauling => "hauling",
            Kind::Peer => "peer",
            Kind::Keeping => "keeping",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| "there are the kinds archive, hauling, keeping and peer".into())
    }
}

/// Plays the history of a seed. A panic of the product is passed on, with the seed said before.
pub fn run(kind: Kind, seed: u64, echo: Echo) -> Result<Report, Failure> {
    let _last_words = LastWords(kind, seed);
    let played = match kind {
        Kind::Archive => archive::play(seed, echo).map(Play::report),
        Kind::Hauling => hauling::play(seed, echo, false).map(Play::report),
        Kind::Keeping => hauling::play(seed, echo, true).map(Play::report),
        Kind::Peer => crate::peer::play(seed, echo),
    };
    played.map_err(|why| Failure { kind, seed, why })
}

/// Plays a history of archives, with `keeping` one of several that free, and returns the volumes that a power cut at its end leaves.
pub fn volumes(keeping: bool, seed: u64) -> Result<Vec<Vec<u8>>, String> {
    let played = match keeping {
        true => hauling::play(seed, Echo::Off, true),
        false => archive::play(seed, Echo::Off),
    };
    played.map(|play| play.volumes())
}

/// Says the seed if it is dropped in a panic.
struct LastWords(Kind, u64);

impl Drop for LastWords {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", replay(self.0, self.1));
        }
    }
}
