//! The table at the end: what happened, when, and how it went. In the order in which things began.

use std::fmt;
use std::time::{Duration, Instant};

/// Rows in any order; they are shown in that of their times.
pub struct Report {
    begun: Instant,
    rows: Vec<Row>,
}

struct Row {
    at: Duration,
    what: String,
    outcome: String,
}

impl Report {
    /// An empty table; times count from now.
    pub fn begin() -> Report {
        Report {
            begun: Instant::now(),
            rows: Vec::new(),
        }
    }

    /// Adds what began at `at`.
    pub fn add(&mut self, at: Instant, what: impl Into<String>, outcome: impl Into<String>) {
        let at = at.saturating_duration_since(self.begun);
        self.rows.push(Row {
            at,
            what: what.into(),
            outcome: outcome.into(),
        });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.rows.iter().map(|row| row.what.chars().count()).max().unwrap_or(0);
        writeln!(f, "   when  {:<widest$}  how it went", "what")?;
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.at);
        for Row { at, what, outcome } in rows {
            writeln!(f, "{:>5.1} s  {what:<widest$}  {outcome}", at.as_secs_f64())?;
        }
        Ok(())
    }
}

/// Megabytes a second.
pub fn rate(bytes: u64, took: Duration) -> String {
    format!("{:.1} MB/s", bytes as f64 / 1e6 / took.as_secs_f64().max(1e-3))
}

/// Seconds with one digit.
pub fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}
