//! Every fault that had an effect is named by an event: damage, failed operations, silent and vanished disks, altered blocks.
//!
//! Not judged: a link that is lost. It is made anew, its job shows how often it was tried, and only one that does not move for two
//! minutes is an event. Nor a read that brings something else once: it is read again.
//!
//! Invariant: what had too little effect to be named is counted beside what was named.

use drivers_sim::{Effect, IoKind, SiteId};

use super::play::{Play, SECOND_NS};

/// An archive says after this time that its device owes it a read or a write, with the time between two looks.
const SILENT_AFTER_NS: u64 = 15 * SECOND_NS;
/// Failed operations that a crash may have cut short, or that were tried again with success.
const FEW: u64 = 20;
/// Altered blocks that may have met nobody: their link was lost, or their track had been stopped.
const FEW_ALTERED: u64 = 12;

fn said_since(play: &Play, site: SiteId, codes: &[&str], since_ns: u64) -> bool {
    let at_ns = |code: &str| play.said_at_ns.get(&(site, code.into())).copied();
    codes.iter().filter_map(|code| at_ns(code)).any(|at_ns| at_ns >= since_ns)
}

fn judge(
    play: &mut Play,
    is_named: bool,
    named: &'static str,
    why_not: Option<&'static str>,
    wrong: String,
) -> Result<(), String> {
    let words = match (is_named, why_not) {
        (true, _) => named,
        (false, Some(why)) => why,
        (false, None) => return Err(wrong),
    };
    *play.tally.named.entry(words).or_default() += 1;
    Ok(())
}

/// A disk that has hung until now.
pub fn hung(play: &mut Play, site: SiteId) -> Result<(), String> {
    let owes = play.world.machines.disk(play.disk(site)).owes_since_ns();
    let Some(since_ns) = owes.filter(|_| play.world.machines.site(site).is_running()) else {
        return Ok(());
    };
    let said_at_ns = |code: &str| play.said_at_ns.get(&(site, code.into())).copied();
    // It may be the same silence that was said before: once for each, until the device answers.
    let is_named =
        said_at_ns("device-silent").is_some_and(|at_ns| at_ns >= since_ns || said_at_ns("device-answers") < Some(at_ns));
    let owed_ns = play.now_ns() - since_ns;
    let short = (owed_ns < SILENT_AFTER_NS).then_some("hung disks: not for long");
    let wrong = format!(
        "the disk owes an operation for {} s, and no event says so",
        owed_ns / SECOND_NS
    );
    judge(play, is_named, "hung disks: named", short, wrong)
}

/// A disk that was taken away at that time.
pub fn gone(play: &mut Play, site: SiteId, since_ns: u64) -> Result<(), String> {
    if !play.world.machines.site(site).is_running() {
        return Ok(());
    }
    let is_named = said_since(play, site, &["device-removed", "archive-offline"], since_ns);
    let wrong = "the disk was taken away, and no event says so".into();
    judge(play, is_named, "vanished disks: named", None, wrong)
}

/// So many blocks were found damaged by a person who asked.
pub fn damage(play: &mut Play, site: SiteId, blocks: usize) -> Result<(), String> {
    if blocks == 0 {
        return Ok(());
    }
    let is_named = said_since(play, site, &["block-corrupt", "block-unreadable"], 0);
    let wrong = format!("verify finds {blocks} damaged blocks, and no event says so");
    judge(play, is_named, "damaged blocks: named", None, wrong)
}

/// Operations of a disk that failed in all of a history.
pub fn operations(play: &mut Play, site: SiteId) -> Result<(), String> {
    let disk = play.world.machines.disk(play.disk(site));
    let failed = |kinds: &[IoKind]| {
        let struck = disk.struck.iter();
        let failed = struck.filter(|struck| kinds.contains(&struck.on) && matches!(struck.effect, Effect::Error(_)));
        failed.map(|struck| struck.times).sum::<u64>()
    };
    let (writes, reads) = (failed(&[IoKind::Write, IoKind::Flush]), failed(&[IoKind::Read]));
    if writes > 0 {
        let is_named = said_since(play, site, &["group-rewritten", "archive-read-only", "archive-offline"], 0);
        let few = (writes <= FEW).then_some("failed writes and flushes: cut short");
        let wrong = format!("{writes} writes and flushes failed, and no event says so");
        judge(play, is_named, "failed writes and flushes: named", few, wrong)?;
    }
    if reads > 0 {
        let codes = [
            "block-unreadable",
            "archive-read-only",
            "archive-offline",
            "superblock-repaired",
            "superblock-quorum-lost",
        ];
        let is_named = said_since(play, site, &codes, 0);
        // A place where nothing was recorded loses nothing; what was, verify reads in the end.
        let few = Some("failed reads: tried again, or of places that hold nothing");
        judge(play, is_named, "failed reads: named", few, String::new())?;
    }
    Ok(())
}

/// Blocks that were altered on the way to any of these sites.
pub fn altered(play: &mut Play, sites: &[SiteId], bodies: u64) -> Result<(), String> {
    if bodies == 0 {
        return Ok(());
    }
    let is_named = sites.iter().any(|site| said_since(play, *site, &["digest-mismatch"], 0));
    let few = (bodies <= FEW_ALTERED).then_some("altered blocks: met nobody");
    let wrong = format!("{bodies} blocks were altered on the way, and no event says so");
    judge(play, is_named, "altered blocks: named", few, wrong)
}
