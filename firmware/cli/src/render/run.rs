//! Runs of the past.

use blockhaul_core::control::types::{RunRecord, RunResult};

use super::table::Table;
use super::units::{count, duration, rate, size, time};
use super::{Look, Tone};

/// The word for a result.
pub fn result(result: RunResult) -> (&'static str, Tone) {
    match result {
        RunResult::Running => ("running", Tone::Good),
        RunResult::Completed => ("completed", Tone::Good),
        RunResult::Partial => ("partial", Tone::Watch),
        RunResult::Aborted => ("aborted", Tone::Watch),
        RunResult::Unknown => ("unknown", Tone::Bad),
    }
}

/// One row for each run, oldest first.
pub fn table(runs: &[RunRecord], look: &Look) -> String {
    let mut table = Table::new(&[
        "BEGUN",
        ">TOOK",
        "RUN",
        "OF",
        "WAY",
        "RESULT",
        ">BLOCKS",
        ">BYTES",
        ">RATE",
        ">DUPLICATES",
        ">GAPS",
        ">RETRIES",
    ]);
    for run in runs {
        let (word, tone) = result(run.result);
        let took_ms = u64::try_from(run.ended_utc_ns.saturating_sub(run.begun_utc_ns)).unwrap_or(0) / 1_000_000;
        let ended = run.ended_utc_ns != 0;
        let way = if run.incoming {
            format!("in {}", run.to)
        } else {
            format!("out {}", run.to)
        };
        table
            .row([
                time(run.begun_utc_ns, look),
                if ended { duration(took_ms) } else { "-".into() },
                run.run.to_string()[..8].to_owned(),
                run.of.to_string(),
                way,
                word.into(),
                count(run.blocks),
                size(run.bytes),
                if ended {
                    rate(run.bytes * 1_000 / took_ms.max(1))
                } else {
                    "-".into()
                },
                count(run.duplicates),
                count(run.gaps),
                count(run.retries),
            ])
            .tone(5, tone);
    }
    if table.is_empty() {
        "No run is remembered.\n".into()
    } else {
        table.lines(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn a_run_in_a_row() {
        let run = RunRecord {
            run: "0b0c0d0e-0000-4000-8000-000000000000".parse().unwrap(),
            of: "lobby".parse().unwrap(),
            to: "nvr/main".into(),
            incoming: false,
            begun_utc_ns: 1_795_255_203_000_000_000,
            ended_utc_ns: 1_795_255_213_000_000_000,
            result: RunResult::Completed,
            blocks: 1_200,
            bytes: 1_200 << 20,
            duplicates: 1,
            gaps: 0,
            retries: 2,
        };
        assert_eq!(
            table(&[run], &sample::plain()),
            "\
BEGUN                TOOK  RUN       OF     WAY           RESULT     BLOCKS    BYTES         RATE  DUPLICATES  GAPS  RETRIES
2026-11-21 10:00:03   10s  0b0c0d0e  lobby  out nvr/main  completed   1,200  1.2 GiB  120.0 MiB/s           1     0        2
"
        );
    }
}
