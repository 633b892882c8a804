//! Whether a retention can be what an archive is told to keep.
//!
//! Pure: nothing takes effect here.

use alloc::format;

use crate::Name;
use crate::archive::creation::refusal;
use crate::control::types::{GuardCount, Refusal, RefusalCode, Retention};
use crate::limits::NAMED_MAX;
use crate::settings::Settings;

/// Sets the retention of an archive, if it can be.
pub(super) fn set(settings: &mut Settings, name: &Name, retention: &Retention) -> Result<(), Refusal> {
    check(settings, name, retention)?;
    if let Some(archive) = settings.archives.iter_mut().find(|archive| archive.name == *name) {
        archive.retention = retention.clone();
    }
    Ok(())
}

/// Why a retention cannot be, if so.
pub(crate) fn check(settings: &Settings, name: &Name, retention: &Retention) -> Result<(), Refusal> {
    let refused = |sentence, next: &str| Err(refusal(RefusalCode::Refused, sentence, next));
    if !settings.archives.iter().any(|archive| archive.name == *name) {
        let sentence = format!("There is no archive {name}.");
        return Err(refusal(
            RefusalCode::NotFound,
            sentence,
            "See what there is: blockhaul archive list",
        ));
    }
    if retention.cameras.len() > NAMED_MAX || retention.jobs.len() > NAMED_MAX {
        let sentence = format!("A retention names {NAMED_MAX} cameras and jobs at most.");
        return refused(sentence, "Use the bounds of the archive for most cameras.");
    }
    for job in &retention.jobs {
        if !settings.jobs.iter().any(|one| one.name == *job && one.from == *name) {
            let sentence = format!("No job {job} hauls archive {name}.");
            return refused(sentence, "See what there is: blockhaul job list");
        }
    }
    match (retention.count, retention.jobs.is_empty()) {
        (GuardCount::All, false) => {
            let sentence = "Jobs are named, and all count.".into();
            return refused(sentence, "Say --guards all, or name those that count.");
        }
        (GuardCount::Only | GuardCount::AnyOf, true) => {
            let sentence = "No job is named that counts.".into();
            return refused(sentence, "Name at least one, or say --guards all.");
        }
        (GuardCount::All, true) | (GuardCount::Only | GuardCount::AnyOf, false) => {}
    }
    let fit = |least: Option<u64>, most: Option<u64>| least.zip(most).is_none_or(|(least, most)| least <= most);
    let own = [
        (retention.min_age_ms, retention.max_age_ms),
        (retention.min_bytes, retention.max_bytes),
    ];
    if own.iter().any(|(least, most)| !fit(*least, *most)) {
        let sentence = format!("Archive {name} would have to keep more than it may.");
        return refused(sentence, "Make the minimum smaller or the maximum larger.");
    }
    let mut seen: alloc::vec::Vec<&Name> = retention.cameras.iter().map(|camera| &camera.camera).collect();
    seen.sort();
    if let Some(pair) = seen.windows(2).find(|pair| pair[0] == pair[1]) {
        let sentence = format!("Camera {} is named twice.", pair[0]);
        return refused(sentence, "Name each camera once.");
    }
    for camera in &retention.cameras {
        let age = (
            camera.min_age_ms.or(retention.min_age_ms),
            camera.max_age_ms.or(retention.max_age_ms),
        );
        let bytes = (camera.min_bytes.or(retention.min_bytes), camera.max_bytes);
        if !fit(age.0, age.1) || !fit(bytes.0, bytes.1) {
            let sentence = format!("Of camera {} more would have to be kept than may be.", camera.camera);
            return refused(sentence, "Make the minimum smaller or the maximum larger.");
        }
    }
    Ok(())
}
