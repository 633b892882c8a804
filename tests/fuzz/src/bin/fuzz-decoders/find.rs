//! What was found: made smaller, kept in the tree, and told with the line that shows it again.

use std::fmt::Write;
use std::path::Path;
use std::process::Stdio;

use blockhaul_fuzz::{Result, Target, corpus};

use crate::engine::Bench;

/// Time for making an input smaller.
const MINIMISE_SECONDS: u32 = 15;
/// Inputs up to that length are also printed: a machine that builds and is thrown away must not be the only one that has them.
const PRINTED_BYTES: usize = 1024;

/// Keeps an input; returns what a person should know of it.
pub fn keep(target: &Target, artifact: &Path, why: &str, bench: &Bench) -> Result<String> {
    let bytes = smaller(target, artifact, bench)?;
    let name: String = blake3::hash(&bytes).to_hex().chars().take(16).collect();
    corpus::write(&corpus::found_folder(target).join(&name), &bytes)?;
    let path = format!("tests/fuzz/found/{}/{name}", target.name);
    let mut said = format!(
        "Found in {}: {why}\n  kept: {path} ({} bytes)\n  again: cargo fuzz-decoders {} --input {path}",
        target.name,
        bytes.len(),
        target.name
    );
    if bytes.len() <= PRINTED_BYTES {
        said.push_str("\n  bytes: ");
        for byte in &bytes {
            // A string takes whatever is written to it.
            let _ = write!(said, "{byte:02x}");
        }
    }
    Ok(said)
}

/// The input, as small as the fuzzer can make it in a while. One that takes too long is kept as it is.
fn smaller(target: &Target, artifact: &Path, bench: &Bench) -> Result<Vec<u8>> {
    let crashed = artifact
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with("crash"));
    let small = bench.folder(target).join("smallest");
    let _ = std::fs::remove_file(&small);
    if crashed {
        let mut command = bench.command(target);
        command
            .args(["-minimize_crash=1", &format!("-max_total_time={MINIMISE_SECONDS}")])
            .arg(format!("-exact_artifact_path={}", small.display()))
            .arg(artifact)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        // It ends with an error when it cannot make it any smaller, which is when it is done.
        let _ = command.status();
    }
    corpus::read(if small.is_file() { &small } else { artifact })
}
