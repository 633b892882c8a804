//! Whole appliances, core and settings as shipped, on simulated machines: one seed, one history, one judgement.
//!
//! `archive` is one appliance and everything that can happen to its disk; `hauling` is several and everything between them; peers
//! that are wrong are `crate::peer`. The first two are played on a `play`: `swarm` draws which `faults` exist, `ledger` keeps the books of each archive beside the appliance from what
//! `product` lets through, disks are read by `crate::reader`, `verdict` and `oracle` judge the end. `cameras` and
//! `stream` make what is recorded, `tally` counts.
//!
//! Invariants: everything follows from the seed; the judge asks the product only whether it tells the truth.

mod archive;
mod cameras;
mod faults;
mod hauling;
mod ledger;
mod network;
mod operator;
mod oracle;
mod play;
pub(crate) mod product;
pub(crate) mod stream;
mod swarm;
mod tally;
mod verdict;

use std::fmt;
use std::str::FromStr;

pub use drivers_sim::Echo;
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
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Archive, Kind::Hauling, Kind::Peer];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Archive => "archive",
            Kind::Hauling => "hauling",
            Kind::Peer => "peer",
        })
    }
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Kind, String> {
        Kind::ALL
            .into_iter()
            .find(|kind| kind.to_string() == text)
            .ok_or_else(|| "there are the kinds archive, hauling and peer".into())
    }
}

/// Plays the history of a seed. A panic of the product is passed on, with the seed said before.
pub fn run(kind: Kind, seed: u64, echo: Echo) -> Result<Report, Failure> {
    let _last_words = LastWords(kind, seed);
    let played = match kind {
        Kind::Archive => archive::play(seed, echo),
        Kind::Hauling => hauling::play(seed, echo),
        Kind::Peer => crate::peer::play(seed, echo),
    };
    played.map_err(|why| Failure { kind, seed, why })
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
