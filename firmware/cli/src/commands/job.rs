//! `job …`

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use blockhaul_core::Name;
use blockhaul_core::control::types::{
    self, HistoryCall, JobCreate, JobMode, JobPlan, JobRun, JobShown, JobSwitch, JobWait, Jobs, Named, Nothing, RunResult,
    RunStarted,
};
use serde::Serialize;
use serde_json::Value;

use super::{Context, retention, understood};
use crate::args::job::{Create, Job, Release, Run, Switch, Wait};
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::{job, run, text};

const SHOW: &str = "io.blockhaul.Job.Show";

/// The daemon says itself when the time is over; this much later it is taken for granted.
const GRACE: Duration = Duration::from_secs(5);

/// A token is 64 hexadecimal digits; a file that holds more than this is another file.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

/// `blockhaul job …`
pub fn run(context: &Context, job: Job) -> Result<Exit, Failure> {
    let order = |method: &str, name: Name, done: &str| {
        let done = format!("Job {name} {done}");
        context.order(&format!("io.blockhaul.Job.{method}"), Named { name }, &done)
    };
    match job {
        Job::Create(create) => self::create(context, *create),
        Job::List => context.ask("io.blockhaul.Job.List", Nothing {}, |all: &Jobs, look| {
            job::table(&all.jobs, look)
        }),
        Job::Show(named) => context.ask(SHOW, Named { name: named.name }, |it: &JobShown, look| {
            job::shown(&it.job, look)
        }),
        Job::Run(run) => self::start(context, run),
        Job::Wait(wait) => self::wait(context, wait),
        Job::Enable(named) => order("Enable", named.name, "is enabled."),
        Job::Disable(named) => order("Disable", named.name, "is disabled; its blocks stay guarded at the source."),
        Job::Delete(named) => order("Delete", named.name, "is deleted."),
        Job::Stop(named) => order("Stop", named.name, "has no run on any more."),
        Job::History(history) => context.ask(
            "io.blockhaul.Job.History",
            HistoryCall { name: history.name },
            |it: &types::History, look| run::table(&it.runs, look),
        ),
        Job::Switch(switch) => self::switch(context, *switch),
        Job::Synchronize(named) => self::set_mode(context, named.name, JobMode::Always),
        Job::StopSynchronizing(named) => self::set_mode(context, named.name, JobMode::OnDemand),
        Job::IsSynchronizing(named) => self::is_synchronizing(context, named.name),
        Job::Freeze(named) => order("Freeze", named.name, "is frozen: nothing leaves."),
        Job::Thaw(named) => order("Thaw", named.name, "is thawed."),
        Job::Release(Release { name, now: true, .. }) => order("ReleaseHeld", name, "lets everything leave that it held."),
        Job::Kick(named) => order("Kick", named.name, "tries again now."),
        Job::Release(release) => retention::release(context, release),
        Job::Guard(named) => retention::guard(context, named.name),
    }
}

fn create(context: &Context, create: Create) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Job.Create";
    let Some(file) = create.token_file else {
        return Err(Failure::usage(
            format!("A job needs the token that its target {} made for it.", create.to.peer),
            format!(
                "On {} run `blockhaul grant create --peer THIS-APPLIANCE --archive {}`, put the token into a file, and say --token-file FILE (`-` for standard input).",
                create.to.peer, create.to.archive
            ),
        ));
    };
    let (removes, from) = (create.plan.removes(), create.from.clone());
    let parameters = JobCreate {
        name: create.name,
        from: create.from,
        peer: create.to.peer,
        archive: create.to.archive,
        cameras: create.cameras,
        tenants: create.tenants,
        mode: create.mode.into(),
        plan: create.plan.over(JobPlan::default()).map_err(unreadable)?,
        full: create.full,
        token: token(&file)?,
    };
    let mut client = context.connect()?;
    let answer = client.call(method, parameters)?;
    if removes {
        retention::remove_after_success(&mut client, from)?;
    }
    context.show(method, answer, |made: &JobShown, look| {
        format!(
            "Job {} is saved and active.\n\n{}",
            made.job.name,
            job::shown(&made.job, look)
        )
    })?;
    Ok(Exit::Done)
}

/// The token in a file, or on standard input. It is never shown, whatever is wrong with it.
fn token(file: &Path) -> Result<String, Failure> {
    let (source, shown): (Box<dyn Read>, _) = if file.as_os_str() == "-" {
        (Box::new(io::stdin()), "Standard input".to_owned())
    } else {
        let shown = text::printable(&file.to_string_lossy());
        let opened = fs::File::open(file).map_err(|error| {
            Failure::usage(
                format!("The token file {shown} cannot be read: {error}."),
                "Name the file that holds the target's token.",
            )
        })?;
        (Box::new(opened), shown)
    };
    let wrong = |why: &str| {
        Failure::usage(
            format!("{shown} {why}."),
            "A token is 64 hexadecimal digits, as `blockhaul grant create` printed it on the target.",
        )
    };
    let mut token = String::new();
    source
        .take(TOKEN_FILE_BYTES_MAX)
        .read_to_string(&mut token)
        .map_err(|_| wrong("holds no token"))?;
    let token = token.trim();
    if token.len() == 64 && token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(token.to_ascii_lowercase())
    } else {
        Err(wrong("holds no token"))
    }
}

fn start(context: &Context, run: Run) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Job.Run";
    let name = run.name.clone();
    let (period, bounds) = run.order.parts().map_err(unreadable)?;
    let parameters = JobRun {
        name: run.name,
        full: run.full,
        dry_run: run.dry_run,
        wait: run.wait,
        timeout_ms: run.timeout,
        period,
        bounds,
    };
    let answer = if run.wait {
        watched(context, method, parameters, &name, run.timeout)?
    } else {
        context.connect()?.call(method, parameters)?
    };
    let started = context.show(method, answer, |started: &RunStarted, _| {
        let begun = if started.joined {
            "was on already and is joined"
        } else {
            "has begun"
        };
        match &started.result {
            None => format!(
                "Run {} of job {name} {begun}. Wait for it: blockhaul job wait {name} --for idle\n",
                started.run
            ),
            Some(result) => {
                let found = started
                    .full
                    .as_ref()
                    .map_or(String::new(), |full| format!(" Full run {}.", job::full_run(full)));
                format!(
                    "Run {} of job {name} has ended: {}.{found}\n",
                    started.run,
                    run::result(*result).0
                )
            }
        }
    })?;
    Ok(match started.result {
        None | Some(RunResult::Completed) => Exit::Done,
        Some(RunResult::Partial) => Exit::Partial,
        Some(RunResult::Running | RunResult::Aborted | RunResult::Unknown) => Exit::Failed,
    })
}

/// Values that can only be understood together were wrong.
fn unreadable(why: String) -> Failure {
    Failure::usage(format!("{why}."), "See `blockhaul job create --help` for how it is written.")
}

fn shown(context: &Context, name: Name) -> Result<JobShown, Failure> {
    let answer = context.connect()?.call(SHOW, Named { name })?;
    understood(SHOW, &answer)
}

fn switch(context: &Context, switch: Switch) -> Result<Exit, Failure> {
    let before = shown(context, switch.name.clone())?.job;
    let mode = switch.mode.map_or(before.mode, Into::into);
    if switch.plan.removes() {
        retention::remove_after_success(&mut context.connect()?, before.from)?;
    }
    let mut plan = switch.plan.over(before.plan).map_err(unreadable)?;
    if mode != JobMode::Schedule && switch.plan.every.is_none() && switch.plan.cron.is_none() {
        plan.schedule = None;
    }
    let parameters = JobSwitch {
        name: switch.name,
        mode: Some(mode),
        plan: Some(plan),
    };
    switched(context, parameters)
}

fn set_mode(context: &Context, name: Name, mode: JobMode) -> Result<Exit, Failure> {
    let parameters = JobSwitch {
        name,
        mode: Some(mode),
        plan: None,
    };
    switched(context, parameters)
}

fn switched(context: &Context, parameters: JobSwitch) -> Result<Exit, Failure> {
    let method = "io.blockhaul.Job.Switch";
    let answer = context.connect()?.call(method, parameters)?;
    context.show(method, answer, |it: &JobShown, look| {
        format!("Job {} is switched.\n\n{}", it.job.name, job::shown(&it.job, look))
    })?;
    Ok(Exit::Done)
}

fn is_synchronizing(context: &Context, name: Name) -> Result<Exit, Failure> {
    let answer = context.connect()?.call(SHOW, Named { name })?;
    let it = context.show(SHOW, answer, |it: &JobShown, _| {
        let word = if it.job.mode == JobMode::Always { "is" } else { "is not" };
        format!("Job {} {word} always on.\n", it.job.name)
    })?;
    let always = it.job.mode == JobMode::Always;
    Ok(if always { Exit::Done } else { Exit::NotFound })
}

fn wait(context: &Context, wait: Wait) -> Result<Exit, Failure> {
    let name = wait.name.clone();
    let parameters = JobWait {
        name: wait.name,
        wait_for: wait.wait_for.into(),
        timeout_ms: wait.timeout,
    };
    watched(context, "io.blockhaul.Job.Wait", parameters, &name, wait.timeout)?;
    let answer = context.connect()?.call(SHOW, Named { name })?;
    context.show(SHOW, answer, |shown: &JobShown, _| {
        format!("{}.\n", job::progress(&shown.job))
    })?;
    Ok(Exit::Done)
}

/// A call that takes long; the job is shown meanwhile, over a connection of its own.
pub fn watched(
    context: &Context,
    method: &str,
    parameters: impl Serialize,
    name: &Name,
    timeout_ms: Option<u64>,
) -> Result<Value, Failure> {
    let mut client = context.connect()?;
    client.send(method, parameters, Style::Once)?;
    let mut progress = context.progress();
    let mut watcher = None;
    let limit = timeout_ms.map(|ms| Duration::from_millis(ms) + GRACE);
    let answer = client.wait(limit, || {
        if context.json || context.quiet {
            return;
        }
        // Progress is a courtesy: a watcher that fails is made anew the next time.
        let mut seen = watcher.take().map_or_else(|| context.connect(), Ok);
        if let Ok(client) = &mut seen
            && let Ok(answer) = client.call(SHOW, Named { name: name.clone() })
            && let Ok(shown) = understood::<JobShown>(SHOW, &answer)
        {
            progress.note(|| job::progress(&shown.job));
            watcher = seen.ok();
        }
    })?;
    answer.ok_or_else(|| {
        Failure::new(
            Exit::TimedOut,
            format!("Job {name} was not there in the time given, and the daemon did not say so."),
            format!("See `blockhaul job show {name}`."),
        )
    })
}
