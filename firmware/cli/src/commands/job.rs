//! `job …`

use std::fs;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use blockhaul_core::Name;
use blockhaul_core::control::types::{JobCreate, JobRun, JobShown, JobWait, Jobs, Named, Nothing, RunStarted};
use serde::Serialize;
use serde_json::Value;

use super::{Context, understood};
use crate::args::job::{Create, Job, Run, Wait};
use crate::client::Style;
use crate::failure::{Exit, Failure};
use crate::render::{job, text};

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
        Job::Kick(named) => order("Kick", named.name, "tries again now."),
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
    let parameters = JobCreate {
        name: create.name,
        from: create.from,
        peer: create.to.peer,
        archive: create.to.archive,
        cameras: create.cameras,
        mode: create.mode.into(),
        full: create.full,
        token: token(&file)?,
    };
    let answer = context.connect()?.call(method, parameters)?;
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
    let parameters = JobRun {
        name: run.name,
        full: run.full,
        wait: run.wait,
        timeout_ms: run.timeout,
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
            Some(result) => format!("Run {} of job {name} has ended: {}.\n", started.run, text::printable(result)),
        }
    })?;
    Ok(match started.result.as_deref() {
        None | Some("completed") => Exit::Done,
        Some("partial") => Exit::Partial,
        Some(_) => Exit::Failed,
    })
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
fn watched(
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
