//! Jobs: state, lag, backlog, overrun, and what to do about them.

use blockhaul_core::control::types::{FullRun, JobMode, JobState, JobStatus, LinkState};

use super::plan;
use super::table::{Table, facts};
use super::tenant;
use super::units::{count, duration, rate, size, things, time};
use super::{Look, Tone};

/// Less time than this until the source ring reaches unhauled blocks, and somebody must act.
pub const OVERRUN_SOON_MS: u64 = 3_600_000;

/// The word for a state.
pub fn state(state: JobState) -> (&'static str, Tone) {
    match state {
        JobState::Disabled => ("disabled", Tone::Quiet),
        JobState::Idle => ("idle", Tone::Good),
        JobState::Waiting => ("waiting", Tone::Watch),
        JobState::CatchingUp => ("catching-up", Tone::Good),
        JobState::CaughtUp => ("caught-up", Tone::Good),
        JobState::Held => ("held", Tone::Watch),
        JobState::Stalled => ("stalled", Tone::Bad),
        JobState::TargetFull => ("target-full", Tone::Bad),
        JobState::Diverged => ("diverged", Tone::Bad),
        JobState::NeedsDecision => ("needs-decision", Tone::Bad),
        JobState::Failed => ("failed", Tone::Bad),
    }
}

fn link(link: LinkState) -> &'static str {
    match link {
        LinkState::None => "none",
        LinkState::Connecting => "connecting",
        LinkState::Active => "active",
        LinkState::Retrying => "retrying",
        LinkState::Refused => "refused",
    }
}

/// Why and what to do, for a state about which the daemon did not say more.
fn advice(job: &JobStatus) -> (String, String) {
    let JobStatus { name, from, to, .. } = job;
    let (why, action): (String, String) = match job.state {
        JobState::Idle | JobState::CatchingUp | JobState::CaughtUp => return (job.why.clone(), job.action.clone()),
        JobState::Disabled => ("somebody switched it off".into(), format!("blockhaul job enable {name}")),
        JobState::Waiting => (
            format!("{to} cannot be reached"),
            format!("nothing; it is tried again by itself, or blockhaul job kick {name}"),
        ),
        JobState::Held => ("it is held back on purpose".into(), "nothing".into()),
        JobState::Stalled => (
            "nothing has moved for long".into(),
            format!("look at the other end, then blockhaul job kick {name}"),
        ),
        JobState::TargetFull => (
            format!("{to} has no room"),
            "make room at the target, or choose a ring or a larger archive".into(),
        ),
        JobState::Diverged => (
            format!("a track has another history in {to}"),
            format!("blockhaul job show {name}; compare both ends"),
        ),
        JobState::NeedsDecision => (
            format!("{from} or {to} is not the archive it was"),
            format!("bring the old volume back, or delete job {name} and create it anew"),
        ),
        JobState::Failed => (
            "it cannot work as it is configured".into(),
            format!("delete job {name} and create it anew"),
        ),
    };
    let or = |told: &str, else_: String| if told.is_empty() { else_ } else { told.to_owned() };
    (or(&job.why, why), or(&job.action, action))
}

/// The backlog in words.
pub fn backlog(blocks: u64, bytes: u64) -> String {
    if blocks == 0 {
        "0".into()
    } else {
        format!("{}, {}", things(blocks, "block"), size(bytes))
    }
}

/// Time until overrun.
pub fn overrun(job: &JobStatus) -> String {
    job.overrun_ms.map_or("-".into(), duration)
}

/// One row for each job; why and what to do under those that are not in order.
pub fn table(jobs: &[JobStatus], look: &Look) -> String {
    let mut table = Table::new(&[
        "JOB",
        "STATE",
        "FROM",
        "TO",
        ">LAG",
        ">BACKLOG",
        ">OVERRUN IN",
        ">RATE",
        "LINK",
    ]);
    for job in jobs {
        let (word, tone) = state(job.state);
        let link = if job.route.is_empty() {
            link(job.link).into()
        } else {
            format!("{} {}", link(job.link), job.route)
        };
        table
            .row([
                job.name.to_string(),
                word.into(),
                job.from.to_string(),
                job.to.clone(),
                duration(job.lag_ms),
                backlog(job.backlog_blocks, job.backlog_bytes),
                overrun(job),
                rate(job.rate_bytes),
                link,
            ])
            .tone(1, tone);
        let (why, action) = advice(job);
        table.note("why:", &why, tone).note("do: ", &action, Tone::Head);
        if let Some(left) = job.overrun_ms.filter(|left| *left < OVERRUN_SOON_MS) {
            let told = format!(
                "in {} the ring of archive {} writes over blocks that are not hauled yet",
                duration(left),
                job.from
            );
            table.note("soon:", &told, Tone::Bad);
        }
    }
    if table.is_empty() {
        "There is no job.\n".into()
    } else {
        table.lines(look)
    }
}

/// Everything about one job.
pub fn shown(job: &JobStatus, look: &Look) -> String {
    let (why, action) = advice(job);
    let mode = match job.mode {
        JobMode::Always => "always",
        JobMode::OnDemand => "on-demand",
        JobMode::Schedule => "schedule",
    };
    let mut lines = vec![
        ("Job", job.name.to_string()),
        ("From", format!("archive {}", job.from)),
        ("To", job.to.clone()),
        ("Cameras", tenant::reach(&job.cameras, &job.tenants)),
        ("Mode", mode.to_owned()),
        ("Takes", plan::takes(&job.plan, look)),
        ("Pace", plan::pace(&job.plan)),
        ("After", plan::after(&job.plan).unwrap_or_else(|| "nothing".into())),
        ("State", state(job.state).0.to_owned()),
    ];
    if !why.is_empty() {
        lines.push(("Why", why));
    }
    if !action.is_empty() {
        lines.push(("Do", action));
    }
    lines.extend([
        ("Link", format!("{} {}", link(job.link), job.route).trim_end().to_owned()),
        ("Lag", duration(job.lag_ms)),
        ("Backlog", backlog(job.backlog_blocks, job.backlog_bytes)),
        ("Overrun in", overrun(job)),
        ("Rate", rate(job.rate_bytes)),
        ("Hauled", format!("{}, {}", things(job.blocks, "block"), size(job.bytes))),
        ("Duplicates", things(job.duplicates, "block")),
        ("Back-filled", things(job.back_filled, "block")),
        ("Gaps stated", things(job.gaps, "block")),
        ("Left out", things(job.filtered, "block")),
        ("Reconnected", things(job.retries, "time")),
        ("Run", run(job)),
    ]);
    if let Some(schedule) = plan::schedule(&job.plan) {
        lines.push(("Schedule", schedule));
    }
    if let Some(next) = job.next_run_utc_ns {
        lines.push(("Next run", time(next, look)));
    }
    if let Some(full) = &job.full {
        lines.push(("Full run", full_run(full)));
    }
    facts(&lines, look)
}

/// The run that is on, or the last one: how much of what it found missing it has brought over.
fn run(job: &JobStatus) -> String {
    let Some(id) = &job.run_id else { return "none yet".into() };
    let done = if job.run_total_blocks == 0 {
        things(job.run_blocks, "block")
    } else {
        format!("{} of {}", count(job.run_blocks), things(job.run_total_blocks, "block"))
    };
    format!("{} ({id}), {done}", count(job.run))
}

/// How far a full run has come.
pub fn full_run(full: &FullRun) -> String {
    let lost = match full.lost {
        0 => String::new(),
        lost => format!(", {} whole at neither end", count(lost)),
    };
    let (found, end) = match full.dry_run {
        true => (full.lacking, "missing or damaged there; nothing was sent"),
        false => (full.sent, "missing or damaged there and sent"),
    };
    let found = format!("{} compared, {} {end}{lost}", things(full.compared, "block"), count(found));
    match full {
        FullRun { done: true, .. } => format!("done: {found}"),
        FullRun { total: 0, .. } => "newer blocks first".into(),
        FullRun { at, total, .. } => format!("{} of {} log sequences: {found}", count(*at), count(*total)),
    }
}

/// One line for who waits: what is still to do.
pub fn progress(job: &JobStatus) -> String {
    let (word, _) = state(job.state);
    let mut told = format!("{}: {word}", job.name);
    if job.backlog_blocks > 0 {
        told += &format!(", {} to go", backlog(job.backlog_blocks, job.backlog_bytes));
    }
    if job.rate_bytes > 0 {
        told += &format!(", {}", rate(job.rate_bytes));
        let left_ms = job.backlog_bytes.saturating_mul(1_000) / job.rate_bytes;
        if left_ms >= 1_000 {
            told += &format!(", about {} left", duration(left_ms));
        }
    }
    if let Some(full) = job.full.as_ref().filter(|full| !full.done) {
        told += &format!(", full run: {}", full_run(full));
    }
    told
}

/// One line for who waits for several jobs.
pub fn left(jobs: &[JobStatus]) -> String {
    let behind = jobs.iter().filter(|job| job.backlog_blocks > 0).count();
    let blocks = jobs.iter().map(|job| job.backlog_blocks).sum();
    let bytes = jobs.iter().map(|job| job.backlog_bytes).sum();
    format!("{behind} of {} jobs behind, {} to go", jobs.len(), backlog(blocks, bytes))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::render::sample;
    use blockhaul_core::control::types::JobPlan;

    /// A job that is behind.
    pub fn lobby() -> JobStatus {
        JobStatus {
            name: "lobby".parse().unwrap(),
            from: "card".parse().unwrap(),
            to: "nvr2/main".into(),
            cameras: Vec::new(),
            tenants: Vec::new(),
            mode: JobMode::Always,
            plan: JobPlan::default(),
            state: JobState::CatchingUp,
            why: String::new(),
            action: String::new(),
            link: LinkState::Active,
            route: "10.0.0.2:7440".into(),
            lag_ms: 252_000,
            backlog_blocks: 310,
            backlog_bytes: 310 << 20,
            overrun_ms: Some(68_400_000),
            rate_bytes: 44_146_689,
            blocks: 1_000,
            bytes: 1_000 << 20,
            duplicates: 1,
            back_filled: 0,
            full: None,
            gaps: 0,
            filtered: 0,
            retries: 2,
            run: 4,
            run_id: None,
            run_total_blocks: 0,
            run_blocks: 0,
            next_run_utc_ns: None,
        }
    }

    /// A job that somebody must look at.
    pub fn gate() -> JobStatus {
        JobStatus {
            name: "gate".parse().unwrap(),
            state: JobState::Stalled,
            why: "nobody answers at 10.0.0.2:7440 since 21:58:03".into(),
            link: LinkState::Retrying,
            lag_ms: 7_800_000,
            backlog_blocks: 1_204,
            backlog_bytes: 1_204 << 20,
            overrun_ms: Some(1_860_000),
            rate_bytes: 0,
            ..lobby()
        }
    }

    #[test]
    fn a_job_that_is_not_in_order_says_why_and_what_to_do() {
        assert_eq!(
            table(&[lobby(), gate()], &sample::plain()),
            "\
JOB    STATE        FROM  TO            LAG                BACKLOG  OVERRUN IN        RATE  LINK
lobby  catching-up  card  nvr2/main  4m 12s  310 blocks, 310.0 MiB         19h  42.1 MiB/s  active 10.0.0.2:7440
gate   stalled      card  nvr2/main  2h 10m  1,204 blocks, 1.2 GiB         31m       0 B/s  retrying 10.0.0.2:7440
  why: nobody answers at 10.0.0.2:7440 since 21:58:03
  do:  look at the other end, then blockhaul job kick gate
  soon: in 31m the ring of archive card writes over blocks that are not hauled yet
"
        );
    }

    #[test]
    fn progress_in_one_line() {
        assert_eq!(
            progress(&lobby()),
            "lobby: catching-up, 310 blocks, 310.0 MiB to go, 42.1 MiB/s, about 7.3s left"
        );
        let done = JobStatus {
            state: JobState::CaughtUp,
            backlog_blocks: 0,
            backlog_bytes: 0,
            rate_bytes: 0,
            ..lobby()
        };
        assert_eq!(progress(&done), "lobby: caught-up");
    }

    #[test]
    fn a_full_run_says_how_far_it_is() {
        let full = FullRun {
            at: 1_024,
            total: 4_000,
            compared: 1_020,
            sent: 7,
            lost: 0,
            dry_run: false,
            lacking: 0,
            done: false,
        };
        let job = JobStatus {
            backlog_blocks: 0,
            rate_bytes: 0,
            full: Some(full),
            ..lobby()
        };
        assert_eq!(
            progress(&job),
            "lobby: catching-up, full run: 1,024 of 4,000 log sequences: 1,020 blocks compared, 7 missing or damaged there and sent"
        );
        let done = FullRun {
            lost: 2,
            done: true,
            ..full
        };
        assert_eq!(
            full_run(&done),
            "done: 1,020 blocks compared, 7 missing or damaged there and sent, 2 whole at neither end"
        );
    }

    #[test]
    fn a_full_run_that_only_looks_says_so() {
        let full = FullRun {
            compared: 9,
            dry_run: true,
            lacking: 2,
            done: true,
            ..FullRun::default()
        };
        assert_eq!(
            full_run(&full),
            "done: 9 blocks compared, 2 missing or damaged there; nothing was sent"
        );
    }

    #[test]
    fn every_state_has_advice_or_is_good() {
        use JobState::*;
        for state in [Disabled, Waiting, Held, Stalled, TargetFull, Diverged, NeedsDecision, Failed] {
            let (why, action) = advice(&JobStatus { state, ..lobby() });
            assert!(!why.is_empty() && !action.is_empty(), "{state:?}");
        }
    }
}
