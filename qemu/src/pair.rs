//! Two appliances on one wire, and a job from one to the other: what most scenarios begin with, and how they end.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use blockhaul_tests::client::Client;
use image::{Result, process};
use serde_json::Value;

use crate::dice::Dice;
use crate::disk::Disk;
use crate::guest::{End, Guest, PEER_PORT};
use crate::scenario::Stage;

/// The archive at the source.
pub const CARD: &str = "card";
/// The archive at the target.
pub const VAULT: &str = "vault";
/// The camera.
pub const CAMERA: &str = "lobby";
/// The job.
pub const JOB: &str = "out";

/// Media bytes in a block of 64 KiB.
const PAYLOAD_BYTES: usize = (65_536 - 4096) / 188 * 188;

/// Source and target.
pub struct Pair {
    /// Where the camera is.
    pub source: Guest,
    /// Where the archive is.
    pub target: Guest,
    /// All that was recorded, and is durable at the source.
    pub recorded: Vec<u8>,
}

impl Pair {
    /// Boots both, makes an archive on the last disk of each, pairs them, and starts a job that hauls always.
    pub fn boot(stage: &Stage<'_>, source: Guest, target: Guest) -> Result<Pair> {
        let mut pair = Pair {
            source,
            target,
            recorded: Vec::new(),
        };
        pair.target.boot(stage)?;
        pair.source.boot(stage)?;
        create(&pair.source, CARD, "ring")?;
        create(&pair.target, VAULT, "append")?;
        let key = |guest: &Guest| guest.client().text(&["identity"], "fingerprint");
        let (source_key, target_key) = (key(&pair.source)?, key(&pair.target)?);
        pair.target.call(&["peer", "add", "camera", "--key", &source_key])?;
        let route = format!("{}:{PEER_PORT}", End::First.address());
        pair.source
            .call(&["peer", "add", "store", "--route", &route, "--key", &target_key])?;
        let grant = ["grant", "create", "--peer", "camera", "--archive", VAULT, "--camera", CAMERA];
        let token = pair.target.client().text(&grant, "token")?;
        let file = stage.folder.join("token");
        std::fs::write(&file, token).map_err(|error| format!("{} cannot be written: {error}.", file.display()))?;
        let (file, to) = (file.display().to_string(), format!("store/{VAULT}"));
        pair.source.call(&[
            "job",
            "create",
            JOB,
            "--from",
            CARD,
            "--to",
            &to,
            "--camera",
            CAMERA,
            "--mode",
            "always",
            "--token-file",
            &file,
        ])?;
        Ok(pair)
    }

    /// Records so many blocks of bytes that nobody can guess; they are durable at the source when this returns.
    pub fn record(&mut self, dice: &mut Dice, blocks: usize) -> Result<()> {
        let bytes = bytes(dice, blocks);
        record(&self.source, &bytes)?;
        self.recorded.extend(bytes);
        Ok(())
    }

    /// Waits until everything durable at the source is durable at the target.
    pub fn caught_up(&self) -> Result<()> {
        let wanted = self.source.client().taken(CARD)?;
        self.source.until("everything to be hauled", |source| {
            // A refusal to connect may have put the next attempt a minute away.
            let _ = source.call(&["job", "kick", JOB]);
            Ok(self.target.client().taken(VAULT).unwrap_or(0) >= wanted)
        })
    }

    /// The export of the target is what was recorded, `verify` finds nothing wrong, and the machines stop in order; then a reader
    /// of the formats that shares no code with the product finds every block once, and the same on both disks.
    pub fn judge(&mut self, stage: &Stage<'_>) -> Result<String> {
        verify(&self.target, VAULT)?;
        let exported = export(&self.target, VAULT, &stage.folder.join("exported"))?;
        if exported != self.recorded {
            return Err(format!(
                "{} bytes were recorded, and {} others are in the archive.",
                self.recorded.len(),
                exported.len()
            ));
        }
        self.source.stop()?;
        self.target.stop()?;
        let (source, target) = (self.blocks_at_source(stage)?, self.blocks_at_target(stage)?);
        if !target.ends_with(&source) {
            return Err(format!("The disks do not hold the same: {source:?} and {target:?}"));
        }
        gapless(&target)?;
        Ok(format!(
            "{} blocks, each once and in order, the same at both ends",
            target.len()
        ))
    }

    /// Number and payload hash of every whole block at the source, in the order of the log. The machine must be off.
    pub fn blocks_at_source(&self, stage: &Stage<'_>) -> Result<Vec<(u64, String)>> {
        blocks(stage, self.source.disks.last().ok_or("no disk")?)
    }

    /// The same of the target.
    pub fn blocks_at_target(&self, stage: &Stage<'_>) -> Result<Vec<(u64, String)>> {
        blocks(stage, self.target.disks.last().ok_or("no disk")?)
    }
}

/// Media bytes that nobody can guess, so many blocks of 64 KiB of them.
pub fn bytes(dice: &mut Dice, blocks: usize) -> Vec<u8> {
    (0..blocks * PAYLOAD_BYTES).map(|_| dice.below(256) as u8).collect()
}

/// Every number is there once, in order, from 0 on.
pub fn gapless(blocks: &[(u64, String)]) -> Result<()> {
    let holds = blocks.iter().zip(0..).all(|((sequence, _), number)| *sequence == number);
    holds
        .then_some(())
        .ok_or_else(|| format!("Blocks are missing, or not in order: {blocks:?}"))
}

/// An archive of 64 KiB blocks on the last disk.
pub fn create(guest: &Guest, name: &str, mode: &str) -> Result<()> {
    let device = guest.device(guest.disks.last().ok_or("no disk")?)?;
    guest.call(&[
        "archive",
        "create",
        name,
        "--volume",
        &device,
        "--block-size",
        "64KiB",
        "--mode",
        mode,
    ])?;
    Ok(())
}

/// What an archive has of the camera, by way of a file on the host.
pub fn export(guest: &Guest, archive: &str, file: &Path) -> Result<Vec<u8>> {
    let to = file.display().to_string();
    guest.call(&["export", "--archive", archive, "--camera", CAMERA, "-o", &to, "--force"])?;
    image::tree::read(file)
}

/// Every block of an archive, read from the media, is sound. It prints how far it is while it works.
pub fn verify(guest: &Guest, archive: &str) -> Result<()> {
    let done = guest.client().command(&["archive", "verify", archive]).output();
    let done = done.map_err(|error| format!("The command line cannot be started: {error}."))?;
    let said = String::from_utf8_lossy(&done.stdout);
    if done.status.success() {
        Ok(())
    } else {
        Err(format!("{archive} is not sound: {}", said.trim_end()))
    }
}

/// Records bytes; they are durable when this returns.
pub fn record(source: &Guest, bytes: &[u8]) -> Result<()> {
    record_as(source.client(), CAMERA, bytes)
}

/// The same, of another camera.
pub fn record_as(source: &Client, camera: &str, bytes: &[u8]) -> Result<()> {
    let mut command = source.command(&["record", "--archive", CARD, "--camera", camera]);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| format!("The command line cannot be started: {error}."))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A recorder that is gone says why below.
        let _ = pipe.write_all(bytes);
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    if output.status.success() && said["bytes"] == bytes.len() {
        return Ok(());
    }
    Err(format!("{} bytes were not recorded ({}): {said}", bytes.len(), output.status))
}

/// What the reader of the formats that shares no code with the product prints of a disk: a line for each block, and one for the
/// archive. The machine must be off.
pub fn lines(stage: &Stage<'_>, disk: &Disk) -> Result<Vec<Value>> {
    read(&stage.reader, disk.path())
}

fn blocks(stage: &Stage<'_>, disk: &Disk) -> Result<Vec<(u64, String)>> {
    let lines = lines(stage, disk)?;
    let block = |line: &Value| Some((line["track_sequence"].as_u64()?, line["payload"].as_str()?.to_owned()));
    Ok(lines.iter().filter_map(block).collect())
}

/// What the independent reader prints of an image.
fn read(reader: &Path, image: &Path) -> Result<Vec<Value>> {
    let printed = process::output(Command::new("python3").arg(reader).arg(image), "python3")?.stdout;
    let text = String::from_utf8_lossy(&printed).into_owned();
    let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("The reader prints {line:?}: {error}."));
    text.lines().map(parse).collect()
}
