//! Whether an archive can be taken out of the settings.
//!
//! Pure: nothing takes effect here.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::applied::not_found;
use crate::Name;
use crate::archive::creation::refusal;
use crate::control::types::{Refusal, RefusalCode};
use crate::settings::Settings;

/// Takes an archive out that nothing names.
pub(super) fn remove_archive(settings: &mut Settings, name: &Name) -> Result<(), Refusal> {
    if !settings.archives.iter().any(|archive| archive.name == *name) {
        return Err(not_found("archive", name));
    }
    let jobs = settings.jobs.iter().filter(|job| job.from == *name);
    let recorders = settings.recorders.iter().filter(|recorder| recorder.archive == *name);
    let grants = settings.grants.iter().filter(|grant| grant.archive == *name);
    let cards = settings.cards.iter().filter(|card| card.archive == *name);
    let names = |rule: &&crate::macros::Macro| rule.steps.iter().any(|step| step.archive() == Some(name));
    let macros = settings.macros.iter().filter(names);
    let users = jobs.map(|job| format!("job {}", job.name));
    let users = users.chain(recorders.map(|recorder| format!("recorder {}", recorder.name)));
    let users = users.chain(grants.map(|grant| format!("grant {}", grant.id)));
    let users = users.chain(cards.map(|card| format!("card {}", card.name)));
    let users: Vec<String> = users.chain(macros.map(|rule| format!("macro {}", rule.name))).collect();
    if !users.is_empty() {
        let sentence = format!("Archive {name} is used by {}.", users.join(", "));
        let next = "Remove these first, or move recorders and jobs: blockhaul archive cutover.";
        return Err(refusal(RefusalCode::Busy, sentence, next));
    }
    settings.archives.retain(|archive| archive.name != *name);
    Ok(())
}
