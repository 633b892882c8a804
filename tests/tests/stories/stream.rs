//! A stream whose every line says which one it is; recording and exporting it.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use blockhaul_tests::Result;
use blockhaul_tests::client::Client;
use serde_json::Value;

use crate::stage::{CAMERA, Ended, ask};

/// Bytes of a line. A payload holds whole lines.
pub const LINE_BYTES: usize = 47;
/// Stream bytes in a full block of 64 KiB: as many packets of 188 bytes as there is room for, whatever the stream is.
pub const PAYLOAD_BYTES: usize = (65_536 - 4096) / 188 * 188;

/// Line `number` of a part of the stream: part, number, and a hash of both. It does not look like MPEG-TS, which has 0x47 every 188 bytes.
pub fn line(part: u32, number: u32) -> [u8; LINE_BYTES] {
    let mut line = [0; LINE_BYTES];
    line[0] = b'#';
    line[1..5].copy_from_slice(&part.to_le_bytes());
    line[5..9].copy_from_slice(&number.to_le_bytes());
    let hash = blake3::hash(&line[..9]);
    line[9..41].copy_from_slice(hash.as_bytes());
    line
}

/// Part and number of a line; none if it is not one of ours.
pub fn parse(bytes: &[u8]) -> Option<(u32, u32)> {
    let part = u32::from_le_bytes(bytes.get(1..5)?.try_into().ok()?);
    let number = u32::from_le_bytes(bytes.get(5..9)?.try_into().ok()?);
    (line(part, number) == bytes).then_some((part, number))
}

/// A part that fills exactly that many blocks of 64 KiB.
pub fn blocks(part: u32, count: usize) -> Vec<u8> {
    let lines = count * PAYLOAD_BYTES / LINE_BYTES;
    (0..lines as u32).flat_map(|number| line(part, number)).collect()
}

/// Records bytes of a camera; they are durable when this returns.
pub fn record(at: &Client, archive: &str, camera: &str, bytes: &[u8]) -> Result<()> {
    let mut command = at.command(&["record", "--archive", archive, "--camera", camera]);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| error.to_string())?;
    if let Some(mut pipe) = child.stdin.take() {
        // A recorder that is gone says why below.
        let _ = pipe.write_all(bytes);
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    let whole = said["bytes"] == bytes.len() && said["dropped_bytes"] == 0;
    if output.status.success() && whole {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(format!(
        "`blockhaul record` of {} bytes ended with {}: {said} {words}",
        bytes.len(),
        output.status
    ))
}

/// Exports [`CAMERA`].
pub fn export(at: &Client, archive: &str, file: &Path) -> Result<(Ended, Vec<u8>)> {
    let shown = file.display().to_string();
    let ended = ask(
        at,
        &["export", "--archive", archive, "--camera", CAMERA, "--force", "-o", &shown],
    )?;
    let bytes = fs::read(file).map_err(|error| format!("nothing was exported ({error}): {ended:?}"))?;
    Ok((ended, bytes))
}

/// Says where two streams differ, not what 10 MB they are.
pub fn same(what: &str, found: &[u8], wanted: &[u8]) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    let at = found.iter().zip(wanted).position(|(found, wanted)| found != wanted);
    let at = at.unwrap_or(found.len().min(wanted.len()));
    let there = |bytes: &[u8]| {
        bytes
            .get(at / LINE_BYTES * LINE_BYTES..)
            .and_then(|rest| parse(rest.get(..LINE_BYTES)?))
    };
    Err(format!(
        "{what}: {} bytes instead of {}, the first difference at {at}: line {:?} instead of {:?}",
        found.len(),
        wanted.len(),
        there(found),
        there(wanted)
    ))
}
