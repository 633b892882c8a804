//! A look at something that may be a card: because it was put in, or because somebody asks.

use alloc::string::String;
use alloc::vec::Vec;

use hal::{CardFacts, CardId, CardListing, ClientId};

use super::pattern::Pattern;
use crate::Name;
use crate::control::types::{CardAdd, CardInfo, CardMatched, CardSample};

/// Looks at once.
pub const PROBES_MAX: usize = 64;
/// Files that are shown.
const SAMPLE_MAX: usize = 10;

/// Why somebody looks.
#[derive(Clone, Debug, Hash)]
pub enum Question {
    /// A device was added.
    Added,
    /// It was there at the start, or when a card was configured: nothing is said of those that nobody knows.
    Start,
    /// It is to be configured.
    Add(ClientId, CardAdd),
    /// What is on it?
    Info(ClientId, Vec<Pattern>),
}

/// A look under way.
#[derive(Clone, Debug, Hash)]
pub struct Probe {
    /// The card as it is open.
    pub id: CardId,
    /// Where.
    pub path: String,
    /// Why.
    pub question: Question,
    /// What was found.
    pub facts: Option<CardFacts>,
}

/// What is told of a card.
pub fn info(facts: CardFacts, known: Option<Name>, listing: &CardListing, patterns: &[Pattern]) -> CardInfo {
    let matched = patterns.iter().map(|pattern| {
        let files = listing.files.iter().filter(|file| pattern.matches(&file.path).is_some());
        let (count, bytes) = files.fold((0, 0), |(count, bytes), file| (count + 1, bytes + file.size_bytes));
        CardMatched {
            pattern: pattern.clone(),
            files: count,
            bytes,
        }
    });
    let wanted = |path: &str| patterns.is_empty() || patterns.iter().any(|pattern| pattern.matches(path).is_some());
    let sample = listing.files.iter().filter(|file| wanted(&file.path)).take(SAMPLE_MAX);
    CardInfo {
        facts,
        known,
        files: listing.files.len() as u64,
        bytes: listing.files.iter().map(|file| file.size_bytes).sum(),
        more: listing.more,
        damaged: listing.damaged,
        damage: listing.damage.clone(),
        matched: matched.collect(),
        sample: sample
            .map(|file| CardSample {
                path: file.path.clone(),
                bytes: file.size_bytes,
                modified_ns: file.modified_ns.unwrap_or(0),
            })
            .collect(),
    }
}
