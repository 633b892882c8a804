//! How often the daemon crashed lately: now and then it is started again, again and again the whole machine is.

use std::time::{Duration, Instant};

/// So many crashes within [`LATELY`] are too many.
const TOO_MANY: usize = 4;
const LATELY: Duration = Duration::from_secs(600);

/// The crashes that count.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    at: Vec<Instant>,
}

impl Crashes {
    /// Notes one; true if there were too many lately.
    pub(super) fn too_many(&mut self, now: Instant) -> bool {
        self.at.retain(|at| now.duration_since(*at) < LATELY);
        self.at.push(now);
        self.at.len() >= TOO_MANY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_those_of_late_count() {
        let start = Instant::now();
        let mut crashes = Crashes::default();
        for minute in 0..3 {
            assert!(!crashes.too_many(start + Duration::from_secs(60 * minute)));
        }
        assert!(
            !crashes.too_many(start + Duration::from_secs(601)),
            "the first one is long ago"
        );
        assert!(crashes.too_many(start + Duration::from_secs(602)));
    }
}
