//! The live line: what is recorded, what is hauled, and how the job is.
//!
//! Looks through the control sockets as anybody could, and goes on while daemons are down.

use std::io::{IsTerminal, Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use blockhaul_tests::client::Client;
use serde_json::Value;

use crate::stage::{CARD, JOB, VAULT};

const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Without a terminal there are lines, and fewer of them.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// The live line. It is gone when this is dropped.
pub struct Progress {
    over: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
    terminal: bool,
}

impl Progress {
    /// Shows it until dropped. `fed` counts what the recorder has taken, of `total` bytes.
    pub fn show(source: Client, target: Client, fed: Arc<AtomicU64>, total: u64) -> Progress {
        let over = Arc::new(AtomicBool::new(false));
        let terminal = stdout().is_terminal();
        let mut looker = Looker {
            source,
            target,
            fed,
            total,
            recorded: 0,
            hauled: 0,
        };
        let until = Arc::clone(&over);
        let writer = thread::spawn(move || {
            let mut written = Instant::now();
            while !until.load(Ordering::Relaxed) {
                let line = looker.look();
                if terminal {
                    print!("\r\x1b[K{line}");
                    let _ = stdout().flush();
                } else if written.elapsed() >= LINE_EVERY {
                    println!("{line}");
                    written = Instant::now();
                }
                thread::sleep(LOOK_EVERY);
            }
        });
        Progress {
            over,
            writer: Some(writer),
            terminal,
        }
    }

    /// Says something without disturbing the live line.
    pub fn say(&self, sentence: &str) {
        println!("{}{sentence}", if self.terminal { "\r\x1b[K" } else { "" });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
        if self.terminal {
            print!("\r\x1b[K");
            let _ = stdout().flush();
        }
    }
}

struct Looker {
    source: Client,
    target: Client,
    fed: Arc<AtomicU64>,
    total: u64,
    /// What was seen last, for while a daemon is down.
    recorded: u64,
    hauled: u64,
}

impl Looker {
    fn look(&mut self) -> String {
        self.recorded = self.source.taken(CARD).unwrap_or(self.recorded);
        let hauled = self.target.taken(VAULT);
        let target = if hauled.is_ok() { "" } else { ", target down" };
        self.hauled = hauled.unwrap_or(self.hauled);
        let fed = self.fed.load(Ordering::Relaxed);
        let percent = fed * 100 / self.total.max(1);
        format!(
            "  recorded {:>5} MB ({percent:>3} %), {:>4} blocks | hauled {:>4} blocks | {}{target}",
            fed / 1_000_000,
            self.recorded,
            self.hauled,
            self.job()
        )
    }

    fn job(&self) -> String {
        let Ok(shown) = self.source.call(&["job", "show", JOB]) else {
            return "source down".into();
        };
        let job = &shown["job"];
        let state = job["state"].as_str().unwrap_or("?");
        let rate = job["rate_bytes"].as_u64().unwrap_or_default();
        let why = job.get("why").and_then(Value::as_str).unwrap_or_default();
        let why = if why.is_empty() {
            String::new()
        } else {
            format!(": {}", clipped(why))
        };
        format!("{state}, {} MB/s{why}", rate / 1_000_000)
    }
}

/// A line that wraps cannot be written over.
fn clipped(sentence: &str) -> String {
    sentence.chars().take(40).collect()
}
