//! Archives, their tracks, and what verify found.

use blockhaul_core::control::types::{ArchiveInfo, ArchiveStatus, Mode, ScrubInfo, Verified, VolumeState};
use hal::{FlushClass, VolumeFacts, VolumeForm};

use super::table::{Table, facts};
use super::units::{count, duration, rate, size, things, time};
use super::{Look, Tone};

/// The word for a state.
pub fn state(state: VolumeState) -> (&'static str, Tone) {
    match state {
        VolumeState::Blank => ("blank", Tone::Watch),
        VolumeState::Formatting => ("formatting", Tone::Watch),
        VolumeState::Indexing => ("indexing", Tone::Watch),
        VolumeState::Ready => ("ready", Tone::Good),
        VolumeState::ReadOnly => ("read-only", Tone::Bad),
        VolumeState::Degraded => ("degraded", Tone::Bad),
        VolumeState::Full => ("full", Tone::Bad),
        VolumeState::Offline => ("offline", Tone::Bad),
        VolumeState::Foreign => ("foreign", Tone::Bad),
    }
}

/// Why and what to do, for a state about which the daemon did not say more.
fn advice(archive: &ArchiveStatus) -> (String, String) {
    let ArchiveStatus { name, volume, .. } = archive;
    let (why, action) = match archive.state {
        VolumeState::Ready => return (archive.why.clone(), archive.action.clone()),
        VolumeState::Blank => (
            format!("nothing is on {volume}"),
            format!("blockhaul archive create {name} --volume {volume}"),
        ),
        VolumeState::Formatting => (format!("{volume} is being formatted"), "wait until it is ready".into()),
        VolumeState::Indexing => (
            "the end of the log is being looked for".into(),
            "wait until it is ready".into(),
        ),
        VolumeState::ReadOnly => (
            format!("{volume} could not be written"),
            "export what is on it and replace it".into(),
        ),
        VolumeState::Degraded => ("some blocks are damaged".into(), format!("blockhaul archive verify {name}")),
        VolumeState::Full => (
            "no slot is free".into(),
            "haul to a larger archive, or use one in ring mode".into(),
        ),
        VolumeState::Offline => (format!("{volume} is not there"), "connect the device again".into()),
        VolumeState::Foreign => (format!("something else is on {volume}"), "put the right device back".into()),
    };
    let or = |told: &str, else_: String| if told.is_empty() { else_ } else { told.to_owned() };
    (or(&archive.why, why), or(&archive.action, action))
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Append => "append",
        Mode::Ring => "ring",
    }
}

/// Blocks that are in the log now.
fn kept(archive: &ArchiveStatus) -> u64 {
    archive.head.saturating_sub(archive.oldest)
}

/// One row for each archive; why and what to do under those that are not in order.
pub fn table(archives: &[ArchiveStatus], look: &Look) -> String {
    let mut table = Table::new(&[
        "ARCHIVE",
        "STATE",
        "MODE",
        ">BLOCKS",
        ">OF",
        ">BLOCK SIZE",
        ">TRACKS",
        ">DAMAGED",
        "VOLUME",
    ]);
    for archive in archives {
        let (word, tone) = state(archive.state);
        table
            .row([
                archive.name.to_string(),
                word.into(),
                mode(archive.mode).into(),
                count(kept(archive)),
                count(archive.slots),
                size(archive.block_bytes),
                count(archive.tracks),
                count(archive.quarantined),
                archive.volume.clone(),
            ])
            .tone(1, tone);
        let (why, action) = advice(archive);
        table.note("why:", &why, tone).note("do: ", &action, Tone::Head);
    }
    if table.is_empty() {
        "There is no archive. Make one: blockhaul archive create NAME --volume PATH\n".into()
    } else {
        table.lines(look)
    }
}

/// Everything about one archive.
pub fn info(info: &ArchiveInfo, look: &Look) -> String {
    let archive = &info.archive;
    let (why, action) = advice(archive);
    let mut lines = vec![
        ("Archive", archive.name.to_string()),
        ("UUID", archive.uuid.to_string()),
        ("State", state(archive.state).0.to_owned()),
    ];
    if !why.is_empty() {
        lines.push(("Why", why));
    }
    if !action.is_empty() {
        lines.push(("Do", action));
    }
    let capacity = archive.slots.saturating_mul(archive.block_bytes);
    lines.extend([
        ("Mode", mode(archive.mode).to_owned()),
        (
            "Blocks",
            format!(
                "{} of {} of {} each ({})",
                count(kept(archive)),
                count(archive.slots),
                size(archive.block_bytes),
                size(capacity)
            ),
        ),
        (
            "Log",
            format!(
                "from {} to {}, durable below {}",
                count(archive.oldest),
                count(archive.head),
                count(archive.durable)
            ),
        ),
        ("Epoch", count(archive.epoch)),
        ("Damaged", things(archive.quarantined, "block")),
        (
            "Torn tail",
            format!(
                "{} never acknowledged, discarded at recovery",
                things(archive.tail_discarded, "block")
            ),
        ),
        ("Volume", volume(&archive.volume, info.volume.as_ref())),
        ("Verified", scrubbed(&info.scrub, look)),
        ("Scrub", scrub(archive, &info.scrub, look)),
    ]);
    let mut text = facts(&lines, look);
    text.push('\n');
    let mut tracks = Table::new(&["CAMERA", "KIND", ">BLOCKS TO", ">BACK-FILLED", "LAST", "ORIGIN"]);
    for track in &info.tracks {
        let last = time(track.last_utc_ns, look);
        tracks.row([
            track.camera.to_string(),
            track.kind.to_string(),
            count(track.next),
            count(track.back_filled),
            last,
            track.origin.to_string(),
        ]);
    }
    text + &if tracks.is_empty() {
        "Nothing has been recorded or hauled into it yet.\n".into()
    } else {
        tracks.lines(look)
    }
}

/// When it was read for damage.
fn scrubbed(scrub: &ScrubInfo, look: &Look) -> String {
    if scrub.ended_utc_ns == 0 {
        return "never from end to end".into();
    }
    format!(
        "{}, {}, {} damaged",
        time(scrub.ended_utc_ns, look),
        things(scrub.ended_blocks, "block"),
        count(scrub.ended_damaged)
    )
}

/// How it is read for damage in the background.
fn scrub(archive: &ArchiveStatus, scrub: &ScrubInfo, look: &Look) -> String {
    let Some(bytes) = scrub.rate_bytes else {
        return format!("off; blockhaul archive scrub {} --rate 10MiB/s", archive.name);
    };
    let at = if scrub.began_utc_ns == 0 {
        "resting".into()
    } else {
        format!(
            "at block {} of {} since {}, {} damaged",
            count(scrub.position),
            count(archive.durable),
            time(scrub.began_utc_ns, look),
            count(scrub.damaged)
        )
    };
    format!("{at}; {} at most, {} between passes", rate(bytes), duration(scrub.pause_ms))
}

/// A volume in one line.
fn volume(path: &str, volume: Option<&VolumeFacts>) -> String {
    let Some(volume) = volume else {
        return format!("{path}, not there");
    };
    let form = form(volume.form);
    let serial = if volume.serial.is_empty() {
        String::new()
    } else {
        format!(", serial {}", volume.serial)
    };
    let flush = flush(volume.flush);
    format!(
        "{path}, a {form} of {}{serial}, sectors of {} and {} bytes, {flush}",
        size(volume.size_bytes),
        volume.logical_sector_bytes,
        volume.physical_sector_bytes
    )
}

/// The word for a form.
pub fn form(form: VolumeForm) -> &'static str {
    match form {
        VolumeForm::Disk => "disk",
        VolumeForm::Partition => "partition",
        VolumeForm::File => "file",
    }
}

/// The words for a write cache.
pub fn flush(flush: FlushClass) -> &'static str {
    match flush {
        FlushClass::WriteBack => "write-back cache",
        FlushClass::WriteThrough => "no volatile cache",
        FlushClass::Unknown => "cache unknown",
    }
}

/// What verify found.
pub fn verified(name: &str, verified: &Verified, look: &Look) -> String {
    let mut text = String::new();
    if verified.damaged_count == 0 {
        let blocks = things(verified.good, "data block");
        return format!(
            "Every block of archive {name} is whole: {} log sequences read, {blocks} checked{}.\n",
            count(verified.blocks),
            back_filled(verified)
        );
    }
    let mut table = Table::new(&[">LOG SEQUENCE", "WHAT IS WRONG"]);
    for damaged in &verified.damaged {
        let replaced = damaged
            .replaced_by
            .map(|by| format!("; replaced by log sequence {}", count(by)));
        let why = format!("{}{}", damaged.why, replaced.unwrap_or_default());
        table.row([count(damaged.log_sequence), why]);
    }
    if !table.is_empty() {
        text += &table.lines(look);
    }
    let listed = verified.damaged.len() as u64;
    if verified.damaged_count > listed {
        text += &format!("… and {} more.\n", count(verified.damaged_count - listed));
    }
    let are = if verified.damaged_count == 1 { "is" } else { "are" };
    let replaced = match verified.replaced {
        0 => String::new(),
        replaced => format!(", {} of them replaced", count(replaced)),
    };
    text + &format!(
        "{} of archive {name} {are} damaged{replaced}; {} whole{}.\n",
        things(verified.damaged_count, "block"),
        count(verified.good),
        back_filled(verified)
    )
}

/// How many of the good blocks came later.
fn back_filled(verified: &Verified) -> String {
    match verified.back_filled {
        0 => String::new(),
        filled => format!(", {} of them back-filled", count(filled)),
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::DamagedBlock;

    /// An archive in good order.
    pub fn card() -> ArchiveStatus {
        ArchiveStatus {
            name: "card".parse().unwrap(),
            uuid: "12345678-9abc-def0-0102-030405060708".parse().unwrap(),
            volume: "/dev/mmcblk1".into(),
            state: VolumeState::Ready,
            why: String::new(),
            action: String::new(),
            mode: Mode::Ring,
            block_bytes: 1 << 20,
            slots: 2_040,
            oldest: 100,
            head: 1_304,
            durable: 1_304,
            epoch: 3,
            tracks: 2,
            quarantined: 0,
            tail_discarded: 1,
        }
    }

    #[test]
    fn an_archive_that_is_not_ready_says_why_and_what_to_do() {
        let full = ArchiveStatus {
            name: "main".parse().unwrap(),
            state: VolumeState::Full,
            mode: Mode::Append,
            ..card()
        };
        let told = ArchiveStatus {
            why: "the card was pulled out".into(),
            state: VolumeState::Offline,
            ..card()
        };
        assert_eq!(
            table(&[card(), full, told], &sample::plain()),
            "\
ARCHIVE  STATE    MODE    BLOCKS     OF  BLOCK SIZE  TRACKS  DAMAGED  VOLUME
card     ready    ring     1,204  2,040     1.0 MiB       2        0  /dev/mmcblk1
main     full     append   1,204  2,040     1.0 MiB       2        0  /dev/mmcblk1
  why: no slot is free
  do:  haul to a larger archive, or use one in ring mode
card     offline  ring     1,204  2,040     1.0 MiB       2        0  /dev/mmcblk1
  why: the card was pulled out
  do:  connect the device again
"
        );
    }

    #[test]
    fn verify_in_words() {
        let whole = Verified {
            blocks: 1_204,
            total: 1_204,
            good: 1_200,
            ..Verified::default()
        };
        assert_eq!(
            verified("card", &whole, &sample::plain()),
            "Every block of archive card is whole: 1,204 log sequences read, 1,200 data blocks checked.\n"
        );
        let damaged = Verified {
            damaged: vec![DamagedBlock {
                log_sequence: 7,
                why: "payload does not match its digest".into(),
                replaced_by: Some(1_190),
            }],
            damaged_count: 2,
            replaced: 1,
            back_filled: 3,
            ..whole
        };
        assert_eq!(
            verified("card", &damaged, &sample::plain()),
            "\
LOG SEQUENCE  WHAT IS WRONG
           7  payload does not match its digest; replaced by log sequence 1,190
… and 1 more.
2 blocks of archive card are damaged, 1 of them replaced; 1,200 whole, 3 of them back-filled.
"
        );
    }
}
