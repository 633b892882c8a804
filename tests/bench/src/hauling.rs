//! The product at work: two real daemons over loopback, a source with recordings, and a target that is new for each run.
//!
//! Not what is compared with what (`plan.rs`).

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::appliance::{Appliance, free_address};
use blockhaul_tests::client::{Client, complaint};
use blockhaul_tests::programs::Programs;
use tempfile::TempDir;

use crate::cost::{Cost, kernel_workers, resident_bytes};
use crate::noise::Noise;
use crate::sample::Sample;
use crate::volume::{Medium, Volume};

/// Archive at the source, and at the target.
pub const CARD: &str = "card";
/// See [`CARD`].
pub const VAULT: &str = "vault";
/// What an archive needs besides its blocks: superblocks, checkpoints, room to go round.
const EXTRA_BYTES: u64 = 64 << 20;
/// A pause in which everything comes to rest before a run.
const REST: Duration = Duration::from_millis(300);

/// A size of volume on which that many bytes of recording fit.
pub fn volume_bytes(bytes: u64) -> u64 {
    (bytes + bytes / 8 + EXTRA_BYTES).next_multiple_of(4 << 20)
}

/// A source with recordings of cameras `cam0`, `cam1` …, all of the same length.
pub struct Source {
    /// Its daemon.
    pub appliance: Appliance,
    /// Bytes of all recordings.
    pub bytes: u64,
    programs: Programs,
    block: String,
    cameras: usize,
    runs: usize,
    /// Detached after the daemon is gone.
    _volume: Volume,
    state: TempDir,
}

impl Source {
    /// Records.
    pub fn record(
        programs: &Programs,
        medium: Medium,
        volumes: &Path,
        block: &str,
        bytes: u64,
        cameras: usize,
    ) -> Result<Source> {
        let name = format!("source-{}-{block}-{cameras}", medium.word());
        let volume = Volume::new(volumes, &name, volume_bytes(bytes))?;
        let mut source = Source::empty(programs, volume, block)?;
        for camera in 0..cameras {
            feed(&source.appliance, &format!("cam{camera}"), bytes / cameras as u64)?;
        }
        source.bytes = bytes;
        source.cameras = cameras;
        Ok(source)
    }

    /// A source that has recorded nothing.
    pub fn empty(programs: &Programs, volume: Volume, block: &str) -> Result<Source> {
        let state = Medium::Disk.folder()?;
        let mut appliance = Appliance::new("camera", state.path(), programs, None)?;
        appliance.start()?;
        create(&appliance, CARD, volume.device(), block, "append")?;
        Ok(Source {
            appliance,
            bytes: 0,
            programs: programs.clone(),
            block: block.into(),
            cameras: 0,
            runs: 0,
            _volume: volume,
            state,
        })
    }

    /// The programs from the next start on; the recordings stay.
    pub fn switch(&mut self, programs: &Programs) -> Result<()> {
        if self.programs.daemon != programs.daemon {
            self.appliance.stop()?;
            self.appliance.set_program(&programs.daemon);
            self.appliance.start()?;
            self.programs = programs.clone();
        }
        Ok(())
    }

    /// A target, known to the source by a name of its own.
    pub fn target(&mut self, volume: &Volume) -> Result<Target> {
        self.runs += 1;
        let name = format!("store{}", self.runs);
        let listen = free_address()?;
        let mut appliance = Appliance::new(&name, self.state.path(), &self.programs, Some(listen))?;
        appliance.start()?;
        create(&appliance, VAULT, volume.device(), &self.block, "append")?;
        let source_key = self.appliance.text(&["identity"], "fingerprint")?;
        let target_key = appliance.text(&["identity"], "fingerprint")?;
        appliance.call(&["peer", "add", "camera", "--key", &source_key])?;
        let route = listen.to_string();
        self.appliance
            .call(&["peer", "add", &name, "--route", &route, "--key", &target_key])?;
        let token = appliance.text(&["grant", "create", "--peer", "camera", "--archive", VAULT], "token")?;
        let token_file = appliance.folder().join("token");
        fs::write(&token_file, token).map_err(|error| error.to_string())?;
        Ok(Target {
            appliance,
            name,
            token_file,
        })
    }

    /// A job for some of its cameras.
    pub fn job(&self, name: &str, target: &Target, cameras: &[String], mode: &str) -> Result<()> {
        let token = target.token_file.display().to_string();
        let to = format!("{}/{VAULT}", target.name);
        let mut job = vec![
            "job",
            "create",
            name,
            "--from",
            CARD,
            "--to",
            &to,
            "--mode",
            mode,
            "--token-file",
            &token,
        ];
        for camera in cameras {
            job.extend(["--camera", camera]);
        }
        self.appliance.call(&job).map(drop)
    }

    /// Forgets a job.
    pub fn forget(&self, job: &str) -> Result<()> {
        self.appliance.call(&["job", "disable", job])?;
        self.appliance.call(&["job", "delete", job]).map(drop)
    }

    /// Hauls everything to a volume that holds nothing, by that many jobs side by side.
    pub fn haul(&mut self, volume: &Volume, jobs: usize) -> Result<Sample> {
        volume.clear()?;
        let mut target = self.target(volume)?;
        let names: Vec<String> = (0..jobs).map(|job| format!("job{job}-{}", self.runs)).collect();
        for (job, name) in names.iter().enumerate() {
            let share = (0..self.cameras).filter(|camera| camera % jobs == job);
            let cameras: Vec<String> = share.map(|camera| format!("cam{camera}")).collect();
            self.job(name, &target, &cameras, "on-demand")?;
        }
        thread::sleep(REST);
        let pids = [self.appliance.pid(), target.appliance.pid()];
        let cost = || pids.map(Cost::of_process);
        let (before, kernel, begun) = (cost(), kernel_workers(), Instant::now());
        let running: Vec<_> = names.iter().map(|name| run(&self.appliance, name)).collect::<Result<_>>()?;
        for mut child in running {
            let status = child.wait().map_err(|error| error.to_string())?;
            if !status.success() {
                return Err(format!("a job did not end well ({status}): {}", self.appliance.last_words()));
            }
        }
        let wall = begun.elapsed();
        let (after, kernel) = (cost(), kernel_workers().saturating_sub(kernel));
        let spent: Vec<Cost> = after.iter().zip(before).map(|(after, before)| *after - before).collect();
        let held = target.appliance.taken(VAULT)?;
        let here = self.appliance.taken(CARD)?;
        if held != here {
            return Err(format!("{held} of {here} blocks are at the target after the run"));
        }
        for name in &names {
            self.forget(name)?;
        }
        let resident_bytes = pids.map(|pid| resident_bytes(pid).1).into_iter().max().unwrap_or(0);
        target.appliance.stop()?;
        Ok(Sample {
            bytes: self.bytes,
            wall,
            cpu: spent.iter().map(|cost| cost.cpu).sum(),
            cpu_target: spent[1].cpu,
            kernel,
            wakeups: spent.iter().map(|cost| cost.wakeups).sum(),
            resident_bytes,
        })
    }
}

/// A daemon that takes what a source gives.
pub struct Target {
    /// Its daemon.
    pub appliance: Appliance,
    /// How the source calls it.
    pub name: String,
    token_file: PathBuf,
}

/// Makes an archive on a volume.
pub fn create(at: &Client, name: &str, volume: &Path, block: &str, mode: &str) -> Result<()> {
    let volume = volume.display().to_string();
    let create = [
        "archive",
        "create",
        name,
        "--volume",
        &volume,
        "--block-size",
        block,
        "--mode",
        mode,
    ];
    at.call(&create).map(drop)
}

/// Records that many bytes of noise.
pub fn feed(at: &Client, camera: &str, bytes: u64) -> Result<()> {
    feed_paced(at, camera, bytes, None)
}

/// The same at so many bytes a second.
pub fn feed_paced(at: &Client, camera: &str, bytes: u64, pace_bytes: Option<u64>) -> Result<()> {
    let mut record = at
        .command(&["record", "--archive", CARD, "--camera", camera])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`blockhaul record` cannot be run: {error}"))?;
    let mut noise = Noise::new(camera.len() as u64);
    let mut piece = vec![0; 1 << 20];
    let mut left = bytes;
    let begun = Instant::now();
    if let Some(mut pipe) = record.stdin.take() {
        while left > 0 {
            noise.fill(&mut piece);
            let length = left.min(piece.len() as u64) as usize;
            // A recorder that is gone says why below.
            if pipe.write_all(&piece[..length]).is_err() {
                break;
            }
            left -= length as u64;
            if let Some(pace_bytes) = pace_bytes {
                let due = Duration::from_millis((bytes - left) * 1000 / pace_bytes);
                thread::sleep(due.saturating_sub(begun.elapsed()));
            }
        }
    }
    let output = record.wait_with_output().map_err(|error| error.to_string())?;
    if output.status.success() && left == 0 {
        Ok(())
    } else {
        let said = complaint(&output.stdout);
        Err(format!(
            "`blockhaul record` of {camera} ended ({}) with {left} bytes to go: {said}",
            output.status
        ))
    }
}

fn run(at: &Client, job: &str) -> Result<std::process::Child> {
    let child = at.command(&["job", "run", job, "--wait"]).stdout(Stdio::null()).spawn();
    child.map_err(|error| format!("`blockhaul job run` cannot be run: {error}"))
}
