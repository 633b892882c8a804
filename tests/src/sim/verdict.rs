//! The judgement of a site at the end of a history: everything is durable that should be, the product names exactly what is
//! damaged, and what was recorded is what the feeders wrote.

use std::collections::BTreeSet;

use drivers_sim::{Cause, SiteId};
use serde_json::json;

use super::cameras::Camera;
use super::play::{Play, SECOND_NS};
use super::{named, oracle};
use crate::reader::superblock_copies;

/// Waits until everything that was taken is durable. False if the archive takes nothing, for a cause.
pub fn wait_for_rest(play: &mut Play, site: SiteId, cameras: &[Camera], within_ns: u64) -> Result<bool, String> {
    let limit_ns = play.now_ns() + within_ns;
    let mut looks = 0;
    loop {
        play.pass(2 * SECOND_NS)?;
        let status = play.ask(site, "Appliance.Status", json!({}))?;
        let archive = &status["archives"][0];
        let state = archive["state"].as_str().unwrap_or_default().to_string();
        if matches!(state.as_str(), "read-only" | "offline" | "foreign") {
            let cause = may_stay_closed(play, site)
                .ok_or_else(|| format!("nothing is wrong with its disk, and it does not open: {archive}"))?;
            play.tally.excuse(cause);
            return Ok(state == "read-only");
        }
        let unread = cameras.iter().find(|camera| !play.world.machines.is_fed(camera.feeder));
        let settled = matches!(state.as_str(), "ready" | "degraded" | "full") && archive["durable"] == archive["head"];
        // What is sealed and not numbered yet is not seen at once.
        looks = if unread.is_none() && settled { looks + 1 } else { 0 };
        if looks == 3 {
            return Ok(true);
        }
        if play.now_ns() > limit_ns {
            let unread = unread.map_or(String::new(), |camera| format!(" {} is not read to its end.", camera.name));
            return Err(format!(
                "{} seconds after the last fault it still waits.{unread} {archive}",
                within_ns / SECOND_NS
            ));
        }
    }
}

/// Why an archive need not open again, if there is a reason on its disk.
pub fn may_stay_closed(play: &Play, site: SiteId) -> Option<&'static str> {
    let disk = play.world.machines.disk(play.disk(site));
    let ledger = &play.ledgers[&site];
    let wounds = &disk.wounds;
    if wounds.iter().any(|wound| wound.cause != Cause::Rot) {
        return Some("closed for good on a disk that broke its word");
    }
    let rotten = superblock_copies(disk.model.size_bytes)
        .iter()
        .filter(|at| wounds.touching(**at..**at + 4096).next().is_some())
        .count();
    // A crash in the middle of a generation, or a failed write, may have cost the other pair.
    if rotten >= 1 {
        return Some("closed for good by rot in superblock copies");
    }
    let checkpoint = ledger
        .kept
        .iter()
        .any(|(sequence, entry)| entry.says.is_checkpoint && ledger.is_wounded(*sequence, wounds));
    checkpoint.then_some("closed for good by rot in a checkpoint")
}

/// The product, asked to verify, names exactly the blocks that are damaged.
pub fn verify(play: &mut Play, site: SiteId) -> Result<(), String> {
    let name = play.world.machines.site(site).name.clone();
    let status = play.ask(site, "Appliance.Status", json!({}))?;
    let number = |field: &str| status["archives"][0][field].as_u64().unwrap_or(0);
    // One that is read-only may have found an end before that of the books.
    let log = number("oldest")..number("durable");
    let verified = play.ask(site, "Archive.Verify", json!({ "name": name }))?;
    let found: BTreeSet<u64> = verified["damaged"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|block| block["log_sequence"].as_u64())
        .collect();
    named::damage(play, site, found.len())?;
    let disk = play.world.machines.disk(play.disk(site));
    let ledger = &play.ledgers[&site];
    let damaged = ledger.check(disk.current(), &disk.wounds)?;
    let unnamed = damaged
        .difference(&found)
        .filter(|sequence| log.contains(sequence))
        .find(|sequence| {
            // An earlier state is whole too, and nobody outside knows better; behind the real end of a disk anything may read back.
            let wounds: Vec<Cause> = ledger.wounds_at(**sequence, &disk.wounds).collect();
            let not_seen = [Cause::Counterfeit, Cause::Rollback];
            !wounds.iter().any(|cause| not_seen.contains(cause))
        });
    if let Some(sequence) = unnamed {
        return Err(format!(
            "{name}: block {sequence} is damaged, and verify takes it for good: {verified}"
        ));
    }
    let groundless = found
        .difference(&damaged)
        .filter(|at| !ledger.repeated.contains(at))
        .find(|sequence| {
            let near = sequence.saturating_sub(1)..=**sequence;
            near.into_iter().all(|sequence| !ledger.is_wounded(sequence, &disk.wounds))
        });
    if let Some(sequence) = groundless.filter(|_| ledger.tracks_forgotten == 0) {
        return Err(format!(
            "{name}: block {sequence} is sound, and verify calls it damaged: {verified}"
        ));
    }
    Ok(())
}

/// What was recorded is what the feeders wrote.
pub fn recorded(play: &mut Play, site: SiteId, cameras: &[Camera]) -> Result<(), String> {
    for camera in cameras {
        let dropped = play.said.contains(&(site, "recording-dropped".into(), camera.name.clone()));
        let pieces = play.ledgers[&site]
            .recorded
            .get(&camera.name)
            .map(Vec::as_slice)
            .unwrap_or_default();
        oracle::recorded(pieces, camera, play.world.machines.fates(camera.feeder), dropped)?;
    }
    Ok(())
}
