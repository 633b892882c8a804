//! What was seen and when: one line per check, printed as it happens, and counted.

use std::time::Instant;

use image::Result;

/// The checks of one scenario.
pub struct Report {
    begin: Instant,
    last: Instant,
    checks: usize,
}

impl Report {
    /// Starts counting and the clock.
    pub fn new() -> Report {
        let now = Instant::now();
        Report {
            begin: now,
            last: now,
            checks: 0,
        }
    }

    /// Notes a check that held.
    pub fn saw(&mut self, what: &str) {
        let now = Instant::now();
        let total = (now - self.begin).as_secs_f32();
        let step = (now - self.last).as_secs_f32();
        println!("  {total:>6.2} s  +{step:>5.2} s  {what}");
        self.last = now;
        self.checks += 1;
    }

    /// Compares the number of checks with what the manifest says.
    pub fn finish(&self, expected: usize) -> Result<()> {
        if self.checks == expected {
            return Ok(());
        }
        Err(format!(
            "It made {} checks, and qemu/manifest.toml says {expected}. Correct whichever is wrong.",
            self.checks
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_check_is_a_failure() {
        let mut report = Report::new();
        report.saw("one");
        report.finish(1).unwrap();
        assert!(report.finish(2).unwrap_err().contains("1 checks"));
    }
}
