//! Whether a rule can work, before it is saved.

use alloc::format;
use alloc::string::String;

use super::{Macro, OWN, Step};
use crate::archive::creation::refusal;
use crate::control::types::{Refusal, RefusalCode};
use crate::journal::Code;
use crate::limits::MACRO_STEPS_MAX;
use crate::settings::Settings;

impl Macro {
    /// Why it cannot work with these settings.
    pub fn check(&self, settings: &Settings) -> Result<(), Refusal> {
        let name = &self.name;
        let refused = |code, sentence: String, next: &str| Err(refusal(code, sentence, next));
        if Code::named(&self.on).is_none() {
            let sentence = format!("Macro {name} is on {:?}, and there is no such event.", self.on);
            return refused(RefusalCode::Usage, sentence, "The codes of events are in docs/operations.md.");
        }
        if self.on.starts_with(OWN) {
            let sentence = format!("Macro {name} is on {:?}, which macros themselves bring about.", self.on);
            return refused(
                RefusalCode::Refused,
                sentence,
                "Choose the event that begins the other macro.",
            );
        }
        if self.steps.is_empty() || self.steps.len() > MACRO_STEPS_MAX {
            let sentence = format!("Macro {name} has {} steps.", self.steps.len());
            return refused(RefusalCode::Usage, sentence, "Give it 1 to 16.");
        }
        if let Some(job) = self.jobs().find(|job| !settings.jobs.iter().any(|one| one.name == **job)) {
            let sentence = format!("Macro {name} names the job {job}, which is not there.");
            return refused(RefusalCode::NotFound, sentence, "See what there is: blockhaul job list");
        }
        for step in &self.steps {
            if let Some(archive) = step.archive()
                && !settings.archives.iter().any(|one| one.name == *archive)
            {
                let sentence = format!("Macro {name} names the archive {archive}, which is not there.");
                return refused(RefusalCode::NotFound, sentence, "See what there is: blockhaul archive list");
            }
        }
        // A run of a job that this macro has switched off is refused each time.
        let mut off = None;
        for step in &self.steps {
            match step {
                Step::Disable(job) => off = Some(job),
                Step::Enable(job) if off == Some(job) => off = None,
                Step::Run { job, .. } if off == Some(job) => {
                    let sentence =
                        format!("Macro {name} switches the job {job} off before it runs it, which is refused each time.");
                    return refused(
                        RefusalCode::Usage,
                        sentence,
                        "Exchange the steps, or enable the job in between.",
                    );
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Why it cannot work with the programs that there are.
    pub fn check_programs(&self, there: &[String]) -> Result<(), Refusal> {
        let missing = self.programs().find(|program| !there.iter().any(|one| one == program));
        let Some(missing) = missing else { return Ok(()) };
        let known = if there.is_empty() {
            "it is empty".into()
        } else {
            format!("it has {}", there.join(", "))
        };
        let sentence = format!(
            "Macro {} starts the program {missing}, which is not in the folder of programs; {known}.",
            self.name
        );
        let next = "Put it there, executable, and writable by its owner only (blockhauld --programs DIR).";
        Err(refusal(RefusalCode::NotFound, sentence, next))
    }
}
