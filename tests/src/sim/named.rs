//! Every fault that had an effect is named by an event: damage, failed operations, silent and vanished disks, altered blocks.
//!
//! A link that is lost is no event, unless its job does not move for two minutes: it is made anew, and the job must say why it waits,
//! or count that it was tried again. Not judged: a read that brings something else once, which is read again, and a failed read of
//! less than a block.
//!
//! Invariant: what had too little effect to be named is counted beside what was named.

use drivers_sim::{Effect, IoKind, SiteId};
use hal::IoError;
use serde_json::{Value, json};

use super::play::{Play, SECOND_NS};

/// An archive says after this time that its device owes it a read or a write, with the time between two looks.
const SILENT_AFTER_NS: u64 = 15 * SECOND_NS;
/// What could not be read is said after this time: an archive on a slow disk takes so long to open.
const SAID_WITHIN_NS: u64 = 15 * SECOND_NS;
/// A read is tried so often before it counts as failed.
const READ_TRIES: u64 = 3;
/// A read that is put off is tried again every half second; so many of them take less than it takes until that is said.
const PUT_OFF: u64 = 30;
/// Bytes of a slot.
const SLOT_BYTES: u64 = 64 << 10;
/// Events that say that something could not be read.
const OF_READS: [&str; 7] = [
    "block-unreadable",
    "archive-read-only",
    "archive-offline",
    "superblock-repaired",
    "superblock-quorum-lost",
    "tail-discarded",
    "device-silent",
];
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
        *play.tally.named.entry("disks with failed reads").or_default() += 1;
    }
    Ok(())
}

/// Reads that failed until now, since the process began or something was said of them: three in a row at one place are no accident.
///
/// Of sectors they are counted and not judged: a header that is looked at before its slot is written over, and could not be read, is
/// nothing that a person must know, and from outside it looks like any other.
pub fn reads(play: &mut Play, site: SiteId) -> Result<(), String> {
    let disk = play.disk(site);
    let failed = std::mem::take(&mut play.world.machines.disk_mut(disk).failed_reads);
    if !play.world.machines.site(site).is_running() {
        return Ok(());
    }
    let now_ns = play.now_ns();
    for ((at_bytes, length_bytes), failed) in failed.into_iter().filter(|(_, failed)| failed.times >= READ_TRIES) {
        let is_named = said_since(play, site, &OF_READS, failed.since_ns);
        // What is no fault of the medium is read again for as long as it takes, and said like any silence.
        let is_put_off = !matches!(failed.error, IoError::Media | IoError::Short);
        let few = if now_ns - failed.since_ns < SAID_WITHIN_NS {
            // Opening says what it found once it is over.
            Some("failed reads: not said yet")
        } else if is_put_off && failed.times <= PUT_OFF {
            Some("failed reads: put off, not for long")
        } else if holds_nothing(play, site, at_bytes) {
            Some("failed reads: of slots that hold nothing")
        } else if is_known_damaged(play, site, at_bytes) {
            Some("failed reads: of blocks that were damaged before, which was said then")
        } else if length_bytes < SLOT_BYTES {
            Some("failed reads: of sectors, nothing says so")
        } else {
            None
        };
        let wrong = format!(
            "{length_bytes} bytes at {at_bytes} could not be read {} times, and no event says so",
            failed.times
        );
        judge(play, is_named, "failed reads: named", few, wrong)?;
    }
    Ok(())
}

/// It is a place for blocks, and none that was claimed durable is there.
fn holds_nothing(play: &Play, site: SiteId, at_bytes: u64) -> bool {
    let ledger = &play.ledgers[&site];
    let claimed = ledger.kept.range(ledger.given());
    let mut places = claimed.map(|(sequence, _)| ledger.geometry.range(*sequence, SLOT_BYTES));
    ledger.geometry.slots_range().contains(&at_bytes) && !places.any(|place| place.contains(&at_bytes))
}

/// The block there is not what was written, and blocks were said to be damaged: each is said once.
fn is_known_damaged(play: &Play, site: SiteId, at_bytes: u64) -> bool {
    let disk = play.world.machines.disk(play.disk(site));
    let ledger = &play.ledgers[&site];
    let mut claimed = ledger.kept.range(ledger.given());
    let is_damaged = claimed.any(|(sequence, _)| {
        ledger.geometry.range(*sequence, SLOT_BYTES).contains(&at_bytes) && ledger.is_wounded(*sequence, &disk.wounds)
    });
    is_damaged && said_since(play, site, &["block-corrupt", "block-unreadable"], 0)
}

/// What the job of a source to a target says of its link: how often it was made again, and whether it is up.
#[derive(Clone, Debug)]
pub struct Said {
    retries: u64,
    is_up: bool,
    job: Value,
}

/// Asks a source that runs for its job to a target; none if it has none.
pub fn job(play: &mut Play, from: SiteId, to: SiteId) -> Result<Option<Said>, String> {
    if !play.world.machines.site(from).is_running() {
        return Ok(None);
    }
    let name = format!("to-{}", play.world.machines.site(to).name);
    let status = play.ask(from, "Appliance.Status", json!({}))?;
    let mut jobs = status["jobs"].as_array().into_iter().flatten();
    let job = jobs.find(|job| job["name"] == name);
    Ok(job.map(|job| Said {
        retries: job["retries"].as_u64().unwrap_or(0),
        is_up: job["link"] == "active",
        job: job.clone(),
    }))
}

/// A link was lost since a job said something: it has made it again, or says what it waits for.
pub fn lost(play: &mut Play, from: SiteId, to: SiteId, before: Said) -> Result<(), String> {
    let Some(now) = job(play, from, to)?.filter(|_| before.is_up) else {
        return Ok(());
    };
    let says_why = !now.is_up && now.job["why"].as_str().is_some_and(|why| !why.is_empty());
    let is_named = now.retries > before.retries || says_why;
    let wrong = format!("a link was lost, and its job neither says so nor counts it: {}", now.job);
    judge(play, is_named, "lost links: named by the job", None, wrong)
}

/// For longer than a silent link lives nothing gets through: no job says that all is well.
pub fn parted(play: &mut Play, from: SiteId, to: SiteId) -> Result<(), String> {
    let Some(now) = job(play, from, to)? else { return Ok(()) };
    let says_why = now.job["why"].as_str().is_some_and(|why| !why.is_empty());
    let is_named = !now.is_up && says_why;
    let wrong = format!("nothing gets through, and the job does not say so: {}", now.job);
    judge(play, is_named, "partitions: named by the job", None, wrong)
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
