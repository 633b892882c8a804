//! What a job has done since the daemon started, and how fast it is now.

use alloc::collections::VecDeque;
use hal::Instant;

/// Seconds over which the rate is measured.
const RATE_SECONDS: u64 = 10;

/// What a job has done since the daemon started.
#[derive(Clone, Debug, Default, Hash)]
pub struct Stats {
    /// Blocks acknowledged durable at the target.
    pub blocks: u64,
    /// Payload bytes of these.
    pub bytes: u64,
    /// Blocks that were there already.
    pub duplicates: u64,
    /// Track sequences stated as missing.
    pub gaps: u64,
    /// Links that came up.
    pub connections: u64,
    /// Track sequences left out on purpose.
    pub filtered: u64,
    /// Bytes acknowledged in the newest seconds, as (second since boot, bytes).
    recent: VecDeque<(u64, u64)>,
}

impl Stats {
    /// A block of that many payload bytes is durable at the target.
    pub fn acknowledged(&mut self, bytes: u64, now: Instant) {
        self.blocks += 1;
        self.bytes += bytes;
        let second = now.boot_ns / 1_000_000_000;
        match self.recent.back_mut() {
            Some((last, sum)) if *last == second => *sum += bytes,
            Some(_) | None => self.recent.push_back((second, bytes)),
        }
        while self.recent.front().is_some_and(|(at, _)| at + RATE_SECONDS < second) {
            self.recent.pop_front();
        }
    }

    /// Bytes a second, of late.
    pub fn rate_bytes(&self, now: Instant) -> u64 {
        let second = now.boot_ns / 1_000_000_000;
        let newest = self.recent.iter().filter(|(at, _)| at + RATE_SECONDS >= second);
        newest.map(|(_, bytes)| bytes).sum::<u64>() / RATE_SECONDS
    }
}
