//! One bug and one bench in a process of its own: a bug may end in a panic, in memory without end, or in no end at all.
//!
//! The process prints what it found as its last line. Invariant: it is ended after its time, by its number.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_core::seeded::Bug;

use super::bench::Bench;
use super::name;

/// A bench has this long for a bug. What takes longer has found nothing.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a bench found.
#[derive(Clone, Debug)]
pub struct Catch {
    /// What it had tried: `37 histories`.
    pub after: String,
    /// What did not hold.
    pub why: String,
}

/// Lets a bench loose on a core with a bug. None if everything seems to hold.
pub fn chase(bug: Bug, bench: &Bench) -> Result<Option<Catch>, String> {
    let program = std::env::current_exe().map_err(|error| format!("This program cannot find itself: {error}."))?;
    let mut child = Command::new(program)
        .args(["--bug", &name(bug), "--bench", bench.name])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("This program cannot be started again: {error}."))?;
    let Some(status) = wait(&mut child)? else {
        return Ok(None);
    };
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout
            .read_to_string(&mut said)
            .map_err(|error| format!("What the bench says cannot be read: {error}."))?;
    }
    match (status.success(), said.lines().last().and_then(|line| line.split_once(": "))) {
        (true, _) => Ok(None),
        (false, Some((after, why))) => Ok(Some(Catch {
            after: after.into(),
            why: why.into(),
        })),
        (false, None) => Err(format!(
            "{} with {} ended by signal {:?} and said nothing.",
            bench.name,
            name(bug),
            status.signal()
        )),
    }
}

fn wait(child: &mut Child) -> Result<Option<std::process::ExitStatus>, String> {
    let begun = Instant::now();
    let failed = |error| format!("The bench cannot be waited for: {error}.");
    while begun.elapsed() < PATIENCE {
        if let Some(status) = child.try_wait().map_err(failed)? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().map_err(failed)?;
    child.wait().map_err(failed)?;
    Ok(None)
}
