//! Random draws from a seed (SplitMix64), so that a scenario that failed can be played again.

/// The dice of one scenario.
#[derive(Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Dice {
        Dice { state: seed }
    }

    /// From the seed in `BLOCKHAUL_SEED`, or from the clock; says which.
    pub fn of_this_run() -> Dice {
        let given = std::env::var("BLOCKHAUL_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            since.map_or(1, |since| since.subsec_nanos().into())
        });
        println!("  seed {seed}; to draw the same again: BLOCKHAUL_SEED={seed}");
        Dice::new(seed)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        let draws = |seed| (0..9).map(|_| Dice::new(seed).below(6)).collect::<Vec<_>>();
        assert_eq!(draws(7), draws(7));
        let mut dice = Dice::new(1);
        let seen: std::collections::BTreeSet<u64> = (0..99).map(|_| dice.below(6)).collect();
        assert_eq!(seen.len(), 6);
    }
}
