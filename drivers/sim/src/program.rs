//! The programs of a simulated machine: how long each takes and how it ends, and what was started.

use std::time::Duration;

use hal::{Event, IoError, ProgramEnd, Tag};

use crate::due::Due;
use crate::{Machines, SiteId};

/// A program in a site's folder of programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// How long it takes.
    pub takes: Duration,
    /// How it ends.
    pub ends: ProgramEnd,
}

impl Machines {
    /// Starts a program. One that takes longer than its limit is ended then; one that is not there is refused.
    pub(crate) fn start_program(&mut self, site: SiteId, tag: Tag, name: String, input: Vec<u8>, limit: Duration) {
        let here = &mut self.sites[site.0];
        let run = here.run;
        let program = here.programs.get(&name).copied();
        here.started.push((name, input));
        let (takes, result) = match program {
            None => (Duration::from_millis(1), Err(IoError::NotFound)),
            Some(Program { takes, .. }) if takes > limit => (limit, Ok(ProgramEnd::OverTime)),
            Some(Program { takes, ends }) => (takes, Ok(ends)),
        };
        let event = Box::new(Event::ProgramEnded { tag, result });
        self.after(takes.as_nanos() as u64, Due::Post { site, run, event });
    }
}
