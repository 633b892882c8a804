//! What is kept of reading an archive for damage.

use alloc::format;

use super::{Archive, Owner};
use crate::context::Context;
use crate::format::{Record, ScrubState};
use crate::journal::Code;

impl Archive {
    /// Writes into the log how far reading for damage has come.
    pub fn keep_scrub(&mut self, context: &mut Context) {
        if self.takes() && !self.is_full() {
            let record = Record::Scrub(self.catalog.scrub);
            // Refused only by an archive that takes nothing: then the next checkpoint says it.
            let _ = self.append_record(record, Owner::Archive, context);
        }
    }

    /// A pass over the whole archive has ended.
    pub fn verify_ended(&mut self, began_utc_ns: i64, at: u64, blocks: u64, damaged: u64, context: &mut Context) {
        // A verify that somebody called for leaves the pass in the background where it is.
        let background = self.catalog.scrub.began_utc_ns == began_utc_ns;
        let before = self.catalog.scrub;
        self.catalog.scrub = ScrubState {
            ended_utc_ns: context.now.utc_ns.max(1),
            ended_at: at,
            ended_blocks: blocks,
            ended_damaged: damaged,
            ..if background { ScrubState::default() } else { before }
        };
        if damaged > 0 {
            let sentence = format!(
                "Archive {} was read from end to end: {damaged} of {blocks} blocks are damaged.",
                self.name
            );
            context.say(Code::VerifyFailed, &self.name.clone(), sentence);
        }
        // Whoever may only read does not make the log longer: then the next checkpoint says it.
        if background {
            self.keep_scrub(context);
        }
    }

    /// The newest blocks of an archive that was not closed in order were read.
    pub fn looked_over(&mut self, blocks: u64, damaged: u64, context: &mut Context) {
        self.look_over = None;
        let found = match damaged {
            0 => "all are whole".into(),
            _ => format!("{damaged} are damaged"),
        };
        let sentence = format!(
            "Archive {} had not been closed in order; its newest blocks were read, {blocks} in all: {found}.",
            self.name
        );
        let code = if damaged == 0 { Code::LookedOver } else { Code::VerifyFailed };
        context.say(code, &self.name.clone(), sentence);
    }
}
