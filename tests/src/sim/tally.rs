//! What came of histories: counts, for people and for tests.

use std::collections::BTreeMap;

use super::Kind;

/// What came of a history without a fault of the product.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Hash of everything that happened.
    pub trace_hash: u64,
    /// Blocks that were claimed durable.
    pub blocks: u64,
    /// Virtual time.
    pub span_ns: u64,
    /// What happened how often.
    pub tally: Tally,
}

/// Counts of one history or of many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Faults that were put in, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Operations that faults struck, by what happened to them.
    pub struck: BTreeMap<&'static str, u64>,
    /// Events for people, by code.
    pub codes: BTreeMap<String, u64>,
    /// Faults that an event named, and those that had too little effect for one.
    pub named: BTreeMap<&'static str, u64>,
    /// What the judge excused, by why.
    pub excused: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts a fault.
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Counts something that the judge had to let pass, and why.
    pub fn excuse(&mut self, why: &'static str) {
        *self.excused.entry(why).or_default() += 1;
    }

    /// Adds another one.
    pub fn add(&mut self, other: &Tally) {
        for (to, from) in [
            (&mut self.faults, &other.faults),
            (&mut self.struck, &other.struck),
            (&mut self.named, &other.named),
            (&mut self.excused, &other.excused),
        ] {
            for (key, count) in from {
                *to.entry(key).or_default() += count;
            }
        }
        for (code, count) in &other.codes {
            *self.codes.entry(code.clone()).or_default() += count;
        }
    }

    /// Faults of all kinds.
    pub fn faults_total(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Codes of events that the product knows and that are not among those counted.
    pub fn codes_never_seen(&self) -> Vec<&'static str> {
        all_codes().filter(|code| !self.codes.contains_key(*code)).collect()
    }
}

/// Every code of an event, from the table of the product.
pub fn all_codes() -> impl Iterator<Item = &'static str> {
    include_str!("../../../firmware/core/src/journal.rs")
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Code::")?.split_once("=> (\"")?.1.split_once('"'))
        .map(|(code, _)| code)
}

/// A history that broke the promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its kind.
    pub kind: Kind,
    /// Its seed.
    pub seed: u64,
    /// What is wrong.
    pub why: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Failure { kind, seed, why } = self;
        write!(f, "Seed {seed} of kind {kind}: {why}\n{}", replay(*kind, *seed))
    }
}

impl std::error::Error for Failure {}

/// How to see a history again.
pub fn replay(kind: Kind, seed: u64) -> String {
    format!("Replay with: cargo sim --kind {kind} --seed {seed} --trace")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_found_in_the_product() {
        let codes: Vec<_> = all_codes().collect();
        assert!(codes.len() > 30, "{codes:?}");
        assert!(codes.contains(&"tail-discarded"));
    }
}
