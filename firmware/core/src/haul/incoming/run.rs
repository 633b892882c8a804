//! The run that a link belongs to, as the target tells it: the same id as at the source, and its own count of what became durable.
//!
//! Invariant: a run over many links has one record here. A run that brought nothing is not told.

use alloc::format;
use alloc::string::ToString;
use hal::Uuid;

use super::Incoming;
use crate::Name;
use crate::context::Context;
use crate::control::types::{RunRecord, RunResult};
use crate::haul::job::result_word;
use crate::journal::Code;

impl Incoming {
    /// The source said which run this is.
    pub fn begin_run(&mut self, run: Uuid, archive: &Name, context: &Context) {
        let known = context.shared.history.get(run, true).filter(|known| known.of == self.peer);
        self.run = Some(match known {
            Some(known) => RunRecord {
                retries: known.retries + 1,
                result: RunResult::Running,
                ended_utc_ns: 0,
                ..known.clone()
            },
            None => RunRecord {
                run,
                of: self.peer.clone(),
                to: archive.to_string(),
                incoming: true,
                begun_utc_ns: context.now.utc_ns,
                ended_utc_ns: 0,
                result: RunResult::Running,
                blocks: 0,
                bytes: 0,
                duplicates: 0,
                gaps: 0,
                retries: 0,
            },
        });
        self.run_told = known.is_some();
    }

    /// Its record as it is now; none before it brought something.
    pub fn run_record(&self) -> Option<RunRecord> {
        let run = self.run.as_ref().filter(|_| self.run_told)?;
        Some(self.counted(run))
    }

    fn counted(&self, run: &RunRecord) -> RunRecord {
        RunRecord {
            blocks: run.blocks + self.blocks,
            bytes: run.bytes + self.bytes,
            duplicates: run.duplicates + self.duplicates,
            gaps: run.gaps + self.gaps,
            ..run.clone()
        }
    }

    /// Something of it is durable here.
    pub(super) fn tell_run(&mut self, context: &mut Context) {
        if let Some(run) = self.run.as_ref().filter(|_| !self.run_told) {
            self.run_told = true;
            let sentence = format!("A run of peer {} into archive {} has begun.", self.peer, run.to);
            let record = self.counted(run);
            context.say_run(record, Code::RunStarted, &self.peer.clone(), sentence);
        }
    }

    /// The source says that it is over.
    pub fn end_run(&mut self, result: RunResult, context: &mut Context) {
        let Some(run) = self.run.take() else { return };
        let record = RunRecord {
            result,
            ended_utc_ns: context.now.utc_ns,
            ..self.counted(&run)
        };
        if self.run_told {
            let sentence = format!(
                "A run of peer {} into archive {} has ended: {}, {} blocks.",
                self.peer,
                run.to,
                result_word(result),
                record.blocks
            );
            context.say_run(record, Code::RunCompleted, &self.peer.clone(), sentence);
        }
    }

    /// The link is gone; the run may come again over another.
    pub(super) fn leave_run(&mut self, context: &mut Context) {
        if let Some(record) = self.run_record() {
            context.shared.history.put(record);
        }
    }
}
