//! Runs of the past, at both ends: begun, ended, and with which result. What the kept events say of runs is read back at a start.
//!
//! Invariants: bounded; one record for a run at each end; a run that was on when the appliance stopped is `unknown`.

use alloc::collections::VecDeque;
use hal::Uuid;

use crate::control::types::{EventRecord, RunRecord, RunResult};
use crate::limits::RUNS_MAX;

/// Newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    runs: VecDeque<RunRecord>,
}

/// What was decides nothing: two appliances that differ in it alone will do the same.
impl core::hash::Hash for History {
    fn hash<H: core::hash::Hasher>(&self, _: &mut H) {}
}

impl History {
    /// As the kept events tell it.
    pub fn read_back<'a>(events: impl Iterator<Item = &'a EventRecord>) -> History {
        let mut history = History::default();
        for record in events.filter_map(|event| event.run.as_deref()) {
            history.put(record.clone());
        }
        for run in history.runs.iter_mut().filter(|run| run.result == RunResult::Running) {
            run.result = RunResult::Unknown;
        }
        history
    }

    /// A run has begun, gone on or ended.
    pub fn put(&mut self, record: RunRecord) {
        match self.position(record.run, record.incoming) {
            Some(at) => self.runs[at] = record,
            None => {
                if self.runs.len() == RUNS_MAX {
                    self.runs.pop_front();
                }
                self.runs.push_back(record);
            }
        }
    }

    /// The record of a run at this end.
    pub fn get(&self, run: Uuid, incoming: bool) -> Option<&RunRecord> {
        self.position(run, incoming).map(|at| &self.runs[at])
    }

    /// Oldest first.
    pub fn all(&self) -> impl DoubleEndedIterator<Item = &RunRecord> {
        self.runs.iter()
    }

    fn position(&self, run: Uuid, incoming: bool) -> Option<usize> {
        self.runs.iter().rposition(|one| one.run == run && one.incoming == incoming)
    }
}
