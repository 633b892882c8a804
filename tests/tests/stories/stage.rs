//! The stage: two appliances that know each other's keys, with a network between them that can be cut. And how to ask and wait.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::{Appliance, free_address};
use blockhaul_tests::client::Client;
use blockhaul_tests::programs::{Profile, Programs, target_folder};
use blockhaul_tests::proxy::Proxy;
use serde_json::Value;
use tempfile::TempDir;

/// Archive at the source.
pub const CARD: &str = "card";
/// Archive at the target.
pub const VAULT: &str = "vault";
/// Camera that is recorded.
pub const CAMERA: &str = "cam1";
/// Job at the source.
pub const JOB: &str = "haul";
/// Longest wait for anything.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The two appliances. Fields are dropped in this order: first the daemons, then what they use.
pub struct Stage {
    /// The appliance at the camera.
    pub source: Appliance,
    /// The appliance that keeps.
    pub target: Appliance,
    /// The network between them.
    pub network: Proxy,
    /// Goes away with everything in it.
    pub folder: TempDir,
}

/// The programs, built once for all stories.
pub fn programs() -> Result<Programs> {
    static PROGRAMS: OnceLock<Result<Programs>> = OnceLock::new();
    PROGRAMS.get_or_init(|| Programs::build(Profile::Dev)).clone()
}

/// A folder on a disk: temporary folders are often in memory, and that is no place for volumes.
pub fn folder() -> Result<TempDir> {
    let beside = target_folder()?;
    TempDir::with_prefix_in("story-", &beside).map_err(|error| format!("no folder in {}: {error}", beside.display()))
}

impl Stage {
    /// Two daemons that run and are paired; no archive, no grant, no job.
    pub fn set() -> Result<Stage> {
        let (programs, folder) = (programs()?, folder()?);
        let listen = free_address()?;
        let mut source = Appliance::new("camera", folder.path(), &programs, None)?;
        let mut target = Appliance::new("store", folder.path(), &programs, Some(listen))?;
        source.start()?;
        target.start()?;
        let network = Proxy::start(listen).map_err(|error| error.to_string())?;
        let source_key = source.text(&["identity"], "fingerprint")?;
        let target_key = target.text(&["identity"], "fingerprint")?;
        target.call(&["peer", "add", "camera", "--key", &source_key])?;
        let route = network.address().to_string();
        source.call(&["peer", "add", "store", "--route", &route, "--key", &target_key])?;
        Ok(Stage {
            source,
            target,
            network,
            folder,
        })
    }

    /// The stage with an archive of 64 KiB blocks in a file at both ends, and a job that hauls always.
    pub fn with_files(source: (&str, &str), target: (&str, &str)) -> Result<Stage> {
        let stage = Stage::set()?;
        create_file(&stage.source, CARD, source)?;
        create_file(&stage.target, VAULT, target)?;
        stage.haul()?;
        Ok(stage)
    }

    /// A grant for [`CAMERA`] at the target and the job that uses it at the source.
    pub fn haul(&self) -> Result<()> {
        let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT, "--camera", CAMERA];
        let token = self.target.text(&grant, "token")?;
        self.job(JOB, &format!("store/{VAULT}"), CAMERA, &token)
    }

    /// A job that hauls always.
    pub fn job(&self, name: &str, to: &str, camera: &str, token: &str) -> Result<()> {
        let file = self.folder.path().join(format!("token-{name}"));
        fs::write(&file, token).map_err(|error| error.to_string())?;
        let file = file.display().to_string();
        let job = [
            "job", "create", name, "--from", CARD, "--to", to, "--camera", camera, "--mode", "always",
        ];
        self.source.call(&[&job[..], &["--token-file", &file]].concat()).map(drop)
    }

    /// Waits until everything durable at the source is durable at the target.
    pub fn caught_up(&self) -> Result<()> {
        let timeout = format!("{}s", PATIENCE.as_secs());
        // A refusal to connect may have put the next attempt a minute away.
        let _ = self.source.call(&["job", "kick", JOB]);
        let waited = self
            .source
            .call(&["job", "wait", JOB, "--for", "caught-up", "--timeout", &timeout]);
        waited.map(drop).map_err(|why| format!("{why}\n{}", self.last_words()))
    }

    /// A field of the job.
    pub fn job_field(&self, job: &str, field: &str) -> Result<Value> {
        Ok(self.source.call(&["job", "show", job])?["job"][field].clone())
    }

    /// Waits for a state of a job that says why and what to do.
    pub fn job_stops(&self, job: &str, state: &str) -> Result<String> {
        let mut seen = Value::Null;
        wait_until(&format!("job {job} to be {state}"), || {
            seen = self.source.call(&["job", "show", job])?["job"].clone();
            Ok(seen["state"] == state)
        })
        .map_err(|why| format!("{why}; it is {seen}\n{}", self.last_words()))?;
        let words = |field: &str| seen[field].as_str().unwrap_or_default().to_owned();
        let (why, action) = (words("why"), words("action"));
        if why.is_empty() || action.is_empty() {
            return Err(format!("job {job} is {state} and does not say why or what to do: {seen}"));
        }
        Ok(why)
    }

    /// What both daemons said last.
    pub fn last_words(&self) -> String {
        format!(
            "--- source:\n{}\n--- target:\n{}",
            self.source.last_words(),
            self.target.last_words()
        )
    }
}

/// Makes an archive of 64 KiB blocks in a file; `shape` is size and mode.
pub fn create_file(at: &Appliance, name: &str, shape: (&str, &str)) -> Result<()> {
    create(at, name, &at.folder().join("volume"), &["--size", shape.0, "--mode", shape.1])
}

/// Makes an archive of 64 KiB blocks on a volume.
pub fn create(at: &Client, name: &str, volume: &Path, more: &[&str]) -> Result<()> {
    let volume = volume.display().to_string();
    let create = ["archive", "create", name, "--volume", &volume, "--block-size", "64KiB"];
    at.call(&[&create[..], more].concat()).map(drop)
}

/// A field of an archive's state.
pub fn archive_field(at: &Client, name: &str, field: &str) -> Result<Value> {
    Ok(at.call(&["archive", "info", name])?["archive"][field].clone())
}

/// The events of one code so far.
pub fn events(at: &Client, code: &str) -> Result<Vec<Value>> {
    let output = at.command(&["events"]).output().map_err(|error| error.to_string())?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let all = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(all.filter(|event| event["code"] == code).collect())
}

/// How a command ended, and the last object that it printed.
#[derive(Debug)]
pub struct Ended {
    /// Exit code.
    pub exit: i32,
    /// The object, or nothing.
    pub said: Value,
}

/// Runs a command that may fail.
pub fn ask(at: &Client, arguments: &[&str]) -> Result<Ended> {
    let output = at.command(arguments).output().map_err(|error| error.to_string())?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let said = printed.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    Ok(Ended {
        exit: output.status.code().unwrap_or(-1),
        said: said.unwrap_or(Value::Null),
    })
}

/// Runs a command that must end with that code and a sentence with that word in it, and a next step.
pub fn refused(at: &Client, arguments: &[&str], exit: i32, word: &str) -> Result<()> {
    let ended = ask(at, arguments)?;
    let error = &ended.said["error"];
    let (sentence, next) = (
        error["sentence"].as_str().unwrap_or_default(),
        error["next"].as_str().unwrap_or_default(),
    );
    if ended.exit == exit && sentence.contains(word) && !next.is_empty() {
        return Ok(());
    }
    let words = arguments.join(" ");
    Err(format!(
        "`blockhaul {words}` should end with {exit}, a sentence with {word:?} and a next step: {ended:?}"
    ))
}

/// Looks until it is so.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if is_so()? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("waited {} s in vain for {what}", PATIENCE.as_secs()))
}
