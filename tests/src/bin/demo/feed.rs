//! The camera: feeds a part of the original to `blockhaul record` at a steady pace.

use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use blockhaul_tests::Result;
use blockhaul_tests::client::{Client, complaint};
use serde_json::Value;

use crate::original::Original;
use crate::stage::{CAMERA, CARD};

const PIECE_BYTES: usize = 64 * 1024;

/// A recording that is going on.
pub struct Feed {
    part: Range<u64>,
    fed: Arc<AtomicU64>,
    feeder: JoinHandle<Result<Value>>,
}

impl Feed {
    /// Begins to record `part` at `pace` bytes a second. `fed` counts on with what the recorder has taken.
    pub fn start(client: &Client, original: &Original, part: Range<u64>, pace: u64, fed: &Arc<AtomicU64>) -> Result<Feed> {
        let mut source = original.open()?;
        source.seek(SeekFrom::Start(part.start)).map_err(|error| error.to_string())?;
        let mut command = client.command(&["record", "--archive", CARD, "--camera", CAMERA]);
        let record = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let record = record.map_err(|error| format!("`blockhaul record` cannot be run: {error}"))?;
        let length = part.end - part.start;
        let count = Arc::clone(fed);
        let feeder = thread::spawn(move || feed(record, source.take(length), pace, &count));
        Ok(Feed {
            part,
            fed: Arc::clone(fed),
            feeder,
        })
    }

    /// Waits until the recorder has taken that many bytes of the original.
    pub fn wait_until(&self, bytes: u64) {
        while self.fed.load(Ordering::Relaxed) < bytes && !self.feeder.is_finished() {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until all of the part is durable. Nothing of it may have been dropped.
    pub fn finish(self) -> Result<()> {
        let recorded = self.feeder.join().map_err(|_| "the feeder panicked".to_string())??;
        let number = |member: &str| recorded.get(member).and_then(Value::as_u64);
        let length = self.part.end - self.part.start;
        match (number("bytes"), number("dropped_bytes")) {
            (Some(bytes), Some(0)) if bytes == length => Ok(()),
            (_, Some(dropped)) if dropped > 0 => Err(format!(
                "the recorder dropped {dropped} bytes because the source's volume was too slow. Try a faster one."
            )),
            _ => Err(format!("{length} bytes were fed, and `blockhaul record` says: {recorded}")),
        }
    }
}

fn feed(mut record: Child, mut source: impl Read, pace: u64, fed: &AtomicU64) -> Result<Value> {
    let begun = Instant::now();
    let mut piece = vec![0; PIECE_BYTES];
    let mut sent = 0;
    // Dropping the pipe at the end of this block is the end of the stream.
    if let Some(mut pipe) = record.stdin.take() {
        loop {
            let read = source
                .read(&mut piece)
                .map_err(|error| format!("the original cannot be read: {error}"))?;
            // A recorder that is gone says why below.
            if read == 0 || pipe.write_all(&piece[..read]).is_err() {
                break;
            }
            sent += read as u64;
            fed.fetch_add(read as u64, Ordering::Relaxed);
            let due = Duration::from_millis(sent * 1000 / pace);
            thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
    let output = record.wait_with_output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = complaint(&[&output.stderr[..], &output.stdout].concat());
        return Err(format!("`blockhaul record` failed ({}): {said}", output.status));
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&printed).map_err(|error| format!("`blockhaul record` printed {printed:?}: {error}"))
}
