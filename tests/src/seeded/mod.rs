//! The hunt for bugs that were put into the core on purpose (`blockhaul_core::seeded`): each of the tests' benches, from the quick
//! to the slow, is let loose on a core with one of them until something does not hold.
//!
//! Not the benches themselves, which know nothing of bugs. Invariant: a process has one bug, and no bench is told which.

mod bench;
mod chase;

pub use bench::{BENCHES, Bench};
pub use chase::{Catch, chase};

use blockhaul_core::seeded::Bug;

/// Bugs that are found soon: what is hunted at every change.
pub const QUICK: [Bug; 23] = [
    Bug::AckBeforeFlush,
    Bug::FlushForgotten,
    Bug::ShortWriteTaken,
    Bug::StopsAtFirstBadBlock,
    Bug::TrustsHighestHeader,
    Bug::NoEpochRule,
    Bug::EpochWithoutNonce,
    Bug::OneSuperblockPair,
    Bug::NoSuperblockRepair,
    Bug::MemoryBackTooEarly,
    Bug::DigestMadeAnew,
    Bug::AheadAccepted,
    Bug::DuplicateByNumber,
    Bug::CursorCached,
    Bug::OldLeaseAccepted,
    Bug::LeaseNotPersisted,
    Bug::GapAnywhere,
    Bug::AnyArchiveWillDo,
    Bug::FreesOneSegmentMore,
    Bug::GuardIgnored,
    Bug::FillOverGood,
    Bug::FillBeforeFlush,
    Bug::MarkBeforeFlush,
];

/// Name of a bug on a command line: `ack-before-flush`.
pub fn name(bug: Bug) -> String {
    let mut name = String::new();
    for letter in format!("{bug:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

/// The bug of a name.
pub fn named(text: &str) -> Result<Bug, String> {
    let found = Bug::ALL.into_iter().find(|bug| name(*bug) == text);
    found.ok_or_else(|| format!("There is no bug {text}; there are {}.", Bug::ALL.map(name).join(", ")))
}
