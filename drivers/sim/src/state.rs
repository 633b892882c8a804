//! The state folder of a site: the settings document and the kept events, and how durable they are.
//!
//! It does not look into either.

use std::collections::VecDeque;

use hal::Tag;

use crate::Random;

/// Kept events younger than this may be lost in a power cut.
const KEPT_AT_RISK_NS: u64 = 5_000_000_000;

/// What outlives an appliance besides its disks.
#[derive(Clone, Debug, Default)]
pub struct StateFolder {
    /// The settings document as it is now; none before the first save.
    pub settings: Option<Vec<u8>>,
    /// Saves that have not finished, oldest first.
    pub(crate) saving: VecDeque<(Tag, Vec<u8>)>,
    /// The next so many saves fail for want of room and change nothing.
    pub failing_saves: u64,
    kept: Vec<(u64, Vec<u8>)>,
}

impl StateFolder {
    /// The kept events, oldest first.
    pub fn kept(&self) -> Vec<Vec<u8>> {
        self.kept.iter().map(|(_, line)| line.clone()).collect()
    }

    pub(crate) fn keep(&mut self, now_ns: u64, line: Vec<u8>) {
        self.kept.push((now_ns, line));
    }

    /// The process is dead: each save in flight happened as a whole or not at all, up to one of them.
    pub(crate) fn lose_process(&mut self, random: &mut Random) {
        let done = random.below(u64::try_from(self.saving.len()).expect("a count") + 1);
        for _ in 0..done {
            self.settings = self.saving.pop_front().map(|(_, document)| document);
        }
        self.saving.clear();
    }

    /// Power is gone: besides, some of the newest kept events are lost.
    pub(crate) fn lose_power(&mut self, now_ns: u64, random: &mut Random) {
        self.lose_process(random);
        let at_risk = self.kept.iter().filter(|(at_ns, _)| now_ns - at_ns < KEPT_AT_RISK_NS).count();
        let lost = random.below(u64::try_from(at_risk).expect("a count") + 1);
        self.kept.truncate(self.kept.len() - usize::try_from(lost).expect("a count"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_old_or_new_and_only_young_events_are_lost() {
        let (mut old, mut new, mut lost) = (0, 0, 0);
        for seed in 0..100 {
            let mut state = StateFolder {
                settings: Some(b"old".to_vec()),
                ..StateFolder::default()
            };
            state.saving.push_back((Tag(1), b"new".to_vec()));
            state.keep(0, b"1".to_vec());
            state.keep(10_000_000_000, b"2".to_vec());
            state.lose_power(11_000_000_000, &mut Random::new(seed));
            match state.settings.as_deref() {
                Some(b"old") => old += 1,
                Some(b"new") => new += 1,
                other => panic!("{other:?}"),
            }
            assert_eq!(state.kept()[0], b"1");
            lost += 2 - state.kept().len();
        }
        assert!(old > 20 && new > 20 && lost > 20, "{old} {new} {lost}");
    }
}
