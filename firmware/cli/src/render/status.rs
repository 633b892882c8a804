//! The one screen of an appliance.
//!
//! The first line is what counts: how far behind, how much, and how long until footage is lost.

use blockhaul_core::control::types::{IncomingStatus, Status};
use hal::ClockQuality;

use super::table::Table;
use super::units::{count, duration, size, things, time};
use super::{Look, Tone, archive, job, recorder};

/// Everything, as text.
pub fn screen(status: &Status, look: &Look) -> String {
    let mut text = headline(status, look) + "\n" + &appliance(status, look) + "\n";
    text += "\n";
    text += &archive::table(&status.archives, look);
    if !status.recorders.is_empty() {
        text += "\n";
        text += &recorder::table(&status.recorders, look);
    }
    text += "\n";
    text += &job::table(&status.jobs, look);
    if !status.incoming.is_empty() {
        text += "\n";
        text += &incoming(&status.incoming, look);
    }
    text
}

/// Lag, backlog and overrun over all jobs.
fn headline(status: &Status, look: &Look) -> String {
    let jobs = &status.jobs;
    let blocks = jobs.iter().fold(0u64, |sum, job| sum.saturating_add(job.backlog_blocks));
    let bytes = jobs.iter().fold(0u64, |sum, job| sum.saturating_add(job.backlog_bytes));
    if jobs.is_empty() {
        return "Nothing is hauled from here: there is no job.".into();
    }
    if blocks == 0 {
        let all = format!("Nothing waits to be hauled ({}).", things(jobs.len() as u64, "job"));
        return look.paint(Tone::Good, &all);
    }
    let lag = jobs.iter().map(|job| job.lag_ms).max().unwrap_or(0);
    let first = jobs
        .iter()
        .filter_map(|job| job.overrun_ms.map(|left| (left, &job.name)))
        .min();
    let (overrun, tone) = match first {
        Some((left, name)) if left < job::OVERRUN_SOON_MS => {
            (format!("overrun in {} (job {name}): act now", duration(left)), Tone::Bad)
        }
        Some((left, name)) => (format!("overrun in {} (job {name})", duration(left)), Tone::Watch),
        None => ("no overrun ahead".into(), Tone::Watch),
    };
    look.paint(
        tone,
        &format!("Lag {}, backlog {}, {overrun}.", duration(lag), job::backlog(blocks, bytes)),
    )
}

/// The appliance in one line.
fn appliance(status: &Status, look: &Look) -> String {
    let clock = match status.clock {
        ClockQuality::Unset => look.paint(Tone::Bad, "clock not set"),
        ClockQuality::Free => look.paint(Tone::Watch, "clock not synchronized"),
        ClockQuality::Synchronized => "clock synchronized".into(),
    };
    let service = if status.hauling {
        String::new()
    } else {
        look.paint(Tone::Watch, "replication service off (do: blockhaul service on), ")
    };
    format!(
        "{}: up {}, {service}{clock}, block memory {} of {} in use.",
        time(status.utc_ns, look),
        duration(status.up_ms),
        size(status.memory_used_bytes),
        size(status.memory_bytes)
    )
}

fn incoming(links: &[IncomingStatus], look: &Look) -> String {
    let mut table = Table::new(&["COMING IN FROM", "ADDRESS", "INTO", ">BLOCKS", ">BYTES"]);
    for link in links {
        let bytes = size(link.bytes);
        table.row([
            link.peer.to_string(),
            link.address.clone(),
            link.archive.clone(),
            count(link.blocks),
            bytes,
        ]);
    }
    table.lines(look)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    fn status() -> Status {
        Status {
            utc_ns: 1_795_255_203_000_000_000,
            clock: ClockQuality::Synchronized,
            up_ms: 11_520_000,
            memory_bytes: 64 << 20,
            memory_used_bytes: 48 << 20,
            hauling: true,
            archives: vec![archive::tests::card()],
            recorders: Vec::new(),
            jobs: vec![job::tests::lobby()],
            incoming: vec![IncomingStatus {
                peer: "cam7".parse().unwrap(),
                archive: "card".into(),
                address: "10.0.0.7:50112".into(),
                blocks: 7,
                bytes: 7 << 20,
            }],
        }
    }

    #[test]
    fn one_screen() {
        assert_eq!(
            screen(&status(), &sample::plain()),
            "\
Lag 4m 12s, backlog 310 blocks, 310.0 MiB, overrun in 19h (job lobby).
2026-11-21 10:00:03: up 3h 12m, clock synchronized, block memory 48.0 MiB of 64.0 MiB in use.

ARCHIVE  STATE  MODE  BLOCKS     OF  BLOCK SIZE  TRACKS  DAMAGED  VOLUME
card     ready  ring   1,204  2,040     1.0 MiB       2        0  /dev/mmcblk1

JOB    STATE        FROM  TO            LAG                BACKLOG  OVERRUN IN        RATE  LINK
lobby  catching-up  card  nvr2/main  4m 12s  310 blocks, 310.0 MiB         19h  42.1 MiB/s  active 10.0.0.2:7440

COMING IN FROM  ADDRESS         INTO  BLOCKS    BYTES
cam7            10.0.0.7:50112  card       7  7.0 MiB
"
        );
    }

    #[test]
    fn the_first_line_is_the_worst_of_all_jobs() {
        let mut two = status();
        two.jobs.push(job::tests::gate());
        let first = headline(&two, &sample::plain());
        assert_eq!(
            first,
            "Lag 2h 10m, backlog 1,514 blocks, 1.5 GiB, overrun in 31m (job gate): act now."
        );
        two.hauling = false;
        assert!(screen(&two, &sample::plain()).contains("replication service off"));
        two.jobs.clear();
        assert_eq!(
            headline(&two, &sample::plain()),
            "Nothing is hauled from here: there is no job."
        );
        let mut done = status();
        done.jobs[0].backlog_blocks = 0;
        assert_eq!(headline(&done, &sample::plain()), "Nothing waits to be hauled (1 job).");
    }
}
