//! `archive compare`: with another archive here by the headers of both, with one at a peer by full runs that only look.

use blockhaul_core::control::types::{CompareCall, Compared, FullRun, JobRun, JobState, JobStatus, Jobs, Nothing, RunStarted};
use serde_json::json;

use super::{Context, job, understood};
use crate::args::archive::{Compare, Other};
use crate::args::value::Target;
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::difference;

/// `blockhaul archive compare`
pub fn run(context: &Context, compare: Compare) -> Result<Exit, Failure> {
    let with = match compare.with.clone() {
        Other::Here(name) => name,
        Other::There(target) => return over_a_link(context, &compare, &target),
    };
    let method = "io.blockhaul.Archive.Compare";
    let (name, other) = (compare.name.to_string(), with.to_string());
    let parameters = CompareCall {
        name: compare.name,
        with,
        camera: compare.camera,
    };
    let mut client = context.connect()?;
    client.send(method, parameters, Style::More)?;
    let mut progress = context.progress();
    while let Some(answer) = client.receive(None)? {
        let compared: Compared = understood(method, &answer.parameters)?;
        if context.json {
            context.print_object(&answer.parameters)?;
        }
        if answer.continues {
            progress.note(|| difference::comparing(&compared));
            continue;
        }
        drop(progress);
        if !context.json {
            context.print(&difference::compared(&name, &other, &compared, &context.look))?;
        }
        let same = compared.only_here + compared.only_there + compared.differing == 0;
        return Ok(if same { Exit::Done } else { Exit::Partial });
    }
    Err(Failure::not_understood(method, "it ended without a last answer"))
}

/// The jobs that haul the one into the other have the right to ask: each compares what it hauls.
fn over_a_link(context: &Context, compare: &Compare, target: &Target) -> Result<Exit, Failure> {
    let to = format!("{}/{}", target.peer, target.archive);
    if compare.camera.is_some() {
        return Err(Failure::usage(
            format!("Over a link archive {} is compared with {to} by whole jobs.", compare.name),
            "Leave --camera out.",
        ));
    }
    let hauls = |job: &JobStatus| job.from == compare.name && job.to == to;
    let names: Vec<_> = jobs(context)?.into_iter().filter(hauls).map(|job| job.name).collect();
    if names.is_empty() {
        return Err(Failure::new(
            Exit::NotFound,
            format!("No job hauls archive {} to {to}, and only a job may ask there.", compare.name),
            "See what there is: blockhaul job list",
        ));
    }
    let mut found = Vec::new();
    for name in names {
        let parameters = JobRun {
            name: name.clone(),
            full: true,
            dry_run: true,
            wait: true,
            timeout_ms: None,
            period: None,
            bounds: Default::default(),
        };
        let method = "io.blockhaul.Job.Run";
        let answer = job::watched(context, method, parameters, &name, None)?;
        let started: RunStarted = understood(method, &answer)?;
        let after = jobs(context)?.into_iter().find(|job| job.name == name);
        let (Some(full), Some(after)) = (started.full, after) else {
            return Err(Failure::not_understood(
                method,
                "the run ended and did not say what it had found",
            ));
        };
        found.push((after, full));
    }
    if context.json {
        let jobs = found.iter().map(|(job, full)| {
            json!({ "job": job.name, "full": full, "backlog_blocks": job.backlog_blocks, "state": job.state, "why": job.why })
        });
        context.print_object(&json!({ "jobs": jobs.collect::<Vec<_>>() }))?;
    } else {
        for (job, full) in &found {
            context.print(&difference::over_a_link(job, full))?;
        }
    }
    let is_same = |(job, full): &(JobStatus, FullRun)| {
        full.done && full.lacking == 0 && job.backlog_blocks == 0 && job.state != JobState::Diverged
    };
    Ok(if found.iter().all(is_same) {
        Exit::Done
    } else {
        Exit::Partial
    })
}

fn jobs(context: &Context) -> Result<Vec<JobStatus>, Failure> {
    let method = "io.blockhaul.Job.List";
    let answer = context.connect()?.call(method, Nothing {})?;
    Ok(understood::<Jobs>(method, &answer)?.jobs)
}
