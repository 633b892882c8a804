//! Looking for the newest boundary between segments up to which a rule holds: one further, then two, four, and so on, and by halving
//! once it does not hold. Pure: somebody else looks.

/// A line on its way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Search {
    /// It holds there.
    pub low: u64,
    /// Beyond, it does not, or there is nothing.
    high: u64,
    pub segment: u64,
    step: u64,
    /// Somewhere it does not hold.
    pub is_bounded: bool,
}

impl Search {
    /// From a boundary where the rule holds to the newest.
    pub fn new(low: u64, high: u64, segment: u64) -> Search {
        Search {
            low,
            high: high.max(low),
            segment,
            step: 1,
            is_bounded: false,
        }
    }

    /// The boundary to look at next; none if the line is found.
    pub fn next(&self) -> Option<u64> {
        let left = (self.high - self.low) / self.segment;
        let step = if self.is_bounded {
            left.div_ceil(2)
        } else {
            self.step.min(left)
        };
        (left > 0).then(|| self.low + step * self.segment)
    }

    /// Whether the rule holds at a boundary.
    pub fn note(&mut self, boundary: u64, holds: bool) {
        if holds {
            self.low = boundary.max(self.low);
            self.step *= 2;
        } else {
            self.high = (boundary - self.segment).max(self.low);
            self.is_bounded = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks that a search takes from `low` to `line`, where `end` is the newest boundary.
    fn looks(low: u64, line: u64, end: u64) -> u32 {
        let mut search = Search::new(low * 8, end * 8, 8);
        let mut looks = 0;
        while let Some(boundary) = search.next() {
            assert!(boundary > search.low && boundary <= end * 8 && boundary.is_multiple_of(8));
            search.note(boundary, boundary <= line * 8);
            looks += 1;
        }
        assert_eq!(search.low, line * 8);
        looks
    }

    #[test]
    fn a_search_finds_the_line_wherever_it_is() {
        for end in 0..70u64 {
            for line in 0..=end {
                for low in [0, line / 2, line] {
                    let far = u64::BITS - (line - low + 1).leading_zeros();
                    assert!(looks(low, line, end) <= 2 * far + 1, "{low} {line} {end}");
                }
            }
        }
        assert_eq!(looks(5, 5, 1_000_000), 1, "a line that does not move costs one look");
        assert_eq!(looks(5, 5, 5), 0, "and none at the end");
        assert!(looks(0, 999_999, 1_000_000) <= 41);
    }
}
