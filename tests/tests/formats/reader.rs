//! `tests/reader.py`, run on bytes.

use std::io::{Seek, SeekFrom, Write};
use std::process::{Command, Output};

use blockhaul_tests::programs::tree;
use serde_json::Value;

/// What the reader finds on a volume.
pub struct Found {
    /// One line for each whole data block, in log order.
    pub blocks: Vec<String>,
    /// Archive, epoch and end of the log.
    pub summary: String,
    /// Log sequences of damaged blocks.
    pub damaged: Vec<u64>,
}

fn python(argument: &std::ffi::OsStr) -> Output {
    let script = tree().join("tests/reader.py");
    let output = Command::new("python3").arg(script).arg(argument).output();
    output.unwrap_or_else(|error| {
        panic!("python3 cannot be run ({error}): install the package python3; without it no second reader checks the formats")
    })
}

/// Runs the reader on a volume.
pub fn read(volume: &[u8]) -> Found {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(volume.len() as u64).unwrap();
    for (number, page) in volume.chunks(4096).enumerate() {
        if page.iter().any(|byte| *byte != 0) {
            file.seek(SeekFrom::Start(number as u64 * 4096)).unwrap();
            file.write_all(page).unwrap();
        }
    }
    let output = python(file.path().as_os_str());
    let said = String::from_utf8_lossy(&output.stderr);
    // A damaged copy of the superblock is no error as long as there are others.
    let is_quiet = said.lines().all(|line| line.starts_with("superblock copy "));
    assert!(output.status.success() && is_quiet, "tests/reader.py: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().expect("the reader ends with a summary");
    let word = |line: &Value, field: &str| match &line[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let fields = [
        "log_sequence",
        "origin",
        "camera",
        "kind",
        "track_sequence",
        "payload_bytes",
        "payload",
    ];
    let block = |line: &Value| fields.map(|field| word(line, field)).join(" ");
    Found {
        blocks: lines.iter().map(block).collect(),
        summary: ["archive", "epoch", "head"]
            .map(|field| format!("{field} {}", word(&last, field)))
            .join(" "),
        damaged: last["damaged"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["log_sequence"].as_u64().unwrap())
            .collect(),
    }
}

#[test]
fn the_readers_own_sums_are_right() {
    let output = python("--self-test".as_ref());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && output.stdout == b"good\n",
        "tests/reader.py --self-test: {said}"
    );
}
