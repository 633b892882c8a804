//! What the independent reader (`tests/reader.py`), written from `docs/formats.md` alone, finds on an image.

use std::path::Path;

use blockhaul_tests::Result;
use blockhaul_tests::programs::tree;
use serde_json::Value;

use crate::volume::system;

/// A data block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its place in the log.
    pub log_sequence: u64,
    /// Its number in the track.
    pub track_sequence: u64,
    /// Stream bytes in it.
    pub payload_bytes: u64,
}

/// Every data block that is whole, in the order of the log. The daemon should be stopped.
pub fn read(image: &Path) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    for line in lines(image)? {
        let number = |field: &str| line[field].as_u64();
        if let (Some(log_sequence), Some(track_sequence), Some(payload_bytes)) =
            (number("log_sequence"), number("track_sequence"), number("payload_bytes"))
        {
            blocks.push(Block {
                log_sequence,
                track_sequence,
                payload_bytes,
            });
        }
    }
    Ok(blocks)
}

/// The track sequences of the whole blocks that are marked as filled in later.
pub fn fills(image: &Path) -> Result<Vec<u64>> {
    let fills = lines(image)?.into_iter().filter(|line| line["fill"] == true);
    Ok(fills.filter_map(|line| line["track_sequence"].as_u64()).collect())
}

/// What the reader prints.
fn lines(image: &Path) -> Result<Vec<Value>> {
    let reader = tree().join("tests/reader.py").display().to_string();
    let printed = system("python3", &[&reader, &image.display().to_string()])?;
    let parse = |line: &str| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"));
    printed.lines().map(parse).collect()
}

/// The track sequences of those.
pub fn sequences(blocks: &[Block]) -> Vec<u64> {
    blocks.iter().map(|block| block.track_sequence).collect()
}
