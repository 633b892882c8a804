//! Lots from a seed that is printed.

use std::ops::Range;
use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64: enough to choose instants.
pub struct Dice(u64);

impl Dice {
    /// From `BLOCKHAUL_SEED`, or from the clock.
    pub fn new(story: &str) -> Dice {
        let given = std::env::var("BLOCKHAUL_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = given.unwrap_or_else(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH);
            now.map_or(1, |now| now.subsec_nanos().into())
        });
        println!("{story}: BLOCKHAUL_SEED={seed}");
        Dice(seed)
    }

    /// A number in the range.
    pub fn within(&mut self, range: Range<u64>) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        range.start + (mixed ^ (mixed >> 31)) % (range.end - range.start)
    }
}
